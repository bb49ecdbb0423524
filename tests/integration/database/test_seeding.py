"""The lists that every database starts with: complete, repeatable, and no danger to what operators added."""

from __future__ import annotations

import threading

import pytest
from psycopg.types.json import Jsonb

from posegen.database.connection import Database
from posegen.database.migrate import newest_revision, upgrade_schema
from posegen.error_codes import ErrorCode
from posegen.library import rows as library
from posegen.platforms.platform import PLATFORMS
from posegen.poses.avatar import AVATAR_ATTRIBUTES
from posegen.poses.library import CATEGORIES, LIBRARY
from posegen.poses.specification import PoseSpecification
from posegen.upkeep.preparing import prepare_database
from tests.builders import A_POSE, execute, row, rows, value
from tests.concurrency import at_once

SEEDED = ("error_codes", "platforms", "avatar_attributes", "pose_categories", "library_poses", "stores")


def prepare(database):
    return prepare_database(database, base_urls={"local": "/media"})


def contents(database):
    """Every row with its version: a row that was written again, even with the same values, is another one."""
    return {table: rows(database, f"select xmin::text, t.* from {table} t order by 1, 2::text") for table in SEEDED}


def test_a_prepared_database_knows_everything_that_can_be_asked_for(database):
    prepare(database)

    assert value(database, "select array_agg(slug order by position) from library_poses") == [p.slug for p in LIBRARY]
    assert value(database, "select array_agg(slug order by position) from pose_categories") == [
        c.slug for c in CATEGORIES
    ]
    assert set(value(database, "select array_agg(name) from platforms")) == set(PLATFORMS)
    assert set(value(database, "select array_agg(code) from error_codes")) == set(ErrorCode)
    assert value(database, "select count(*) from avatar_attributes") == sum(map(len, AVATAR_ATTRIBUTES.values()))


def test_every_seeded_pose_comes_back_as_the_specification_that_it_was(database):
    with database.transaction() as connection:
        stored = library.stored_poses(connection)

    assert [PoseSpecification.from_json(pose.specification) for pose in stored] == [p.specification for p in LIBRARY]


def test_preparing_again_changes_nothing(database):
    prepare(database)
    before = contents(database)

    prepare(database)

    assert contents(database) == before


def test_what_an_older_version_wrote_is_brought_up_to_date(database):
    execute(database, "update library_poses set name = 'old', description = 'old' where slug = %s", A_POSE)
    execute(database, "update error_codes set customer_message = 'old' where code = 'poisoned'")
    execute(database, "insert into avatar_attributes values ('skin', 'gone_since', 99)")

    prepare(database)

    assert row(database, "select name, description from library_poses where slug = %s", A_POSE) == {
        "name": LIBRARY[0].name,
        "description": LIBRARY[0].description,
    }
    assert value(database, "select customer_message from error_codes where code = 'poisoned'") != "old"
    assert value(database, "select count(*) from avatar_attributes where value = 'gone_since'") == 0


def test_an_operators_poses_and_choices_are_left_alone(database):
    execute(database, "insert into pose_categories (slug, name) values ('mine', 'Mine')")
    execute(
        database,
        "insert into library_poses (slug, name, category, description, difficulty, specification) "
        "values ('my-pose', 'My pose', 'mine', 'as I like it', 'easy', %s)",
        Jsonb({}),
    )
    execute(
        database,
        "update library_poses set built_in = false, name = 'Our own', specification = %s where slug = %s",
        Jsonb({"lift": 0.5}),
        A_POSE,
    )
    execute(database, "update library_poses set enabled = false where slug = %s", LIBRARY[1].slug)

    prepare(database)

    assert row(database, "select name, category, built_in from library_poses where slug = 'my-pose'") == {
        "name": "My pose",
        "category": "mine",
        "built_in": False,
    }
    assert row(database, "select name, specification from library_poses where slug = %s", A_POSE) == {
        "name": "Our own",
        "specification": {"lift": 0.5},
    }
    assert value(database, "select enabled from library_poses where slug = %s", LIBRARY[1].slug) is False


def test_processes_that_start_together_prepare_once(empty_database_url):
    with Database(empty_database_url) as database:
        revisions = at_once([lambda: prepare(database)] * 4)

        assert revisions == [newest_revision()] * 4
        assert value(database, "select count(*) from library_poses") == len(LIBRARY)


def test_a_second_process_waits_for_the_first_one_to_have_seeded(empty_database_url):
    upgrade_schema(empty_database_url)
    ended: list[object] = []
    with Database(empty_database_url) as database:

        def seed() -> None:
            with database.transaction() as connection:
                library.seed_reference_data(connection)
            ended.append("well")

        second = threading.Thread(target=seed)
        with database.transaction() as connection:
            library.seed_reference_data(connection)
            second.start()
            second.join(0.3)
        second.join(180)

        assert ended == ["well"]


def test_another_base_url_takes_the_place_of_the_old_one(database):
    prepare_database(database, base_urls={"local": "https://cdn.example/pictures"})

    assert value(database, "select base_url from stores") == "https://cdn.example/pictures"


@pytest.mark.parametrize("slug", ["Upper", "with space", "9starts-with-a-digit", ""])
def test_a_slug_that_could_not_be_part_of_a_key_is_refused(database, slug):
    with pytest.raises(Exception, match="slug"):
        execute(database, "insert into pose_categories (slug, name) values (%s, 'x')", slug)
