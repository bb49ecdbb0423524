"""`docs/how-to/add-a-library-pose.md`: what it tells an operator to do gives a pose that can be asked for and drawn."""

from __future__ import annotations

import json

import pytest

from posegen.database.connection import Database
from posegen.errors import InvalidPose
from posegen.generations.asking.judging import Catalogue, Prices
from posegen.poses.prompts import choose_pose
from posegen.poses.specification import PoseSpecification
from posegen.upkeep.preparing import prepare_database
from tests.builders import a_request, a_user, execute, pose_statuses, rows, status, take_in, value
from tests.conftest import BASE_URL
from tests.documents import page

PAGE = page("docs/how-to/add-a-library-pose.md")
STATEMENTS = [block.text for block in PAGE.blocks() if block.language == "sql"]
NEW = ("waving-with-cup", "laughing-jump")


def run(database: Database, statements: list[str]) -> None:
    """Run blocks of the page."""
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_the_poses_can_be_asked_for_from_the_insert_on(database: Database) -> None:
    run(database, STATEMENTS)
    generation = a_request(database, a_user(database), poses=list(NEW))

    take_in(database)

    assert status(database, generation) == "queued"
    assert pose_statuses(database, generation) == ["pending", "pending"]


def test_a_prompt_finds_the_pose_by_its_words(database: Database) -> None:
    run(database, STATEMENTS)
    with database.transaction() as connection:
        catalogue = Catalogue.read(connection, default_backend="mannequin", prices=Prices())
    assert choose_pose("waving good morning with a coffee", list(catalogue.poses.values())).slug == "waving-with-cup"


def test_the_specifications_of_the_page_can_be_drawn(database: Database) -> None:
    run(database, STATEMENTS)
    for stored in rows(database, "select specification from library_poses where slug = any(%s)", list(NEW)):
        PoseSpecification.from_json(stored["specification"])
    changed = value(
        database, "select specification -> 'angles' -> 'right_elbow' from library_poses where slug = %s", NEW[0]
    )
    assert changed == [120, 0, 0]


def test_the_example_is_that_of_the_reference(database: Database) -> None:
    run(database, STATEMENTS[:1])
    (example,) = [block.text for block in page("docs/reference/poses.md").blocks() if block.language == "json"]
    assert value(database, "select specification from library_poses where slug = %s", NEW[0]) == json.loads(example)


def test_what_cannot_be_drawn_is_named_in_the_words_of_the_page() -> None:
    (shown,) = [block.text.strip() for block in PAGE.blocks() if block.language == "text"]
    with pytest.raises(InvalidPose) as refused:
        PoseSpecification.from_json({"angles": {"left_elbow": [160, 0, 0]}})
    assert shown == f"error: {refused.value}"


def test_the_next_start_leaves_operators_poses_and_disabled_ones_alone(database: Database) -> None:
    run(database, STATEMENTS)
    execute(database, "update library_poses set enabled = false where slug = 'star-jump'")
    execute(database, "update library_poses set name = 'Mine' where slug in ('star-jump', 'waving-with-cup')")

    prepare_database(database, base_urls={"local": BASE_URL})

    found = rows(
        database, "select slug, name, enabled from library_poses where name = 'Mine' or not enabled order by slug"
    )
    assert [(row["slug"], row["enabled"]) for row in found] == [("star-jump", False), ("waving-with-cup", True)]
    assert found[0]["name"] != "Mine"


def test_a_category_of_an_operator_can_be_made_as_the_page_says(database: Database) -> None:
    statement = "insert into pose_categories (slug, name) values ('morning', 'Morning')"
    assert statement in PAGE.text
    assert execute(database, statement) == 1
