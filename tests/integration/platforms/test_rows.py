"""The table of platforms: the built-in ones, and those that operators have added in their file."""

from __future__ import annotations

from dataclasses import replace

from posegen.database.connection import Database
from posegen.platforms.platform import PLATFORMS
from posegen.platforms.rows import seed_platforms, stored_platforms
from posegen.upkeep.preparing import prepare_database
from tests.builders import a_request, a_user, execute, result, take_in, value

OWN = replace(PLATFORMS["facebook"], name="own_format", width=1080, height=1350, background="#102030", fit="contain")


def stored(database: Database):
    with database.transaction() as connection:
        return stored_platforms(connection)


def seed(database: Database, own=None) -> None:
    with database.transaction() as connection:
        seed_platforms(connection, own)


def test_the_table_gives_back_what_the_code_says(database):
    assert stored(database) == dict(PLATFORMS)


def test_own_platforms_come_after_the_built_in_ones(database):
    seed(database, [OWN])

    assert stored(database) == {**PLATFORMS, "own_format": OWN}
    assert list(stored(database))[-1] == "own_format"
    assert value(database, "select content_type from platforms where name = 'own_format'") == "image/jpeg"


def test_a_changed_file_changes_the_table(database):
    seed(database, [OWN])
    seed(database, [replace(OWN, height=1440)])

    assert stored(database)["own_format"].height == 1440


def test_what_is_no_more_in_the_file_is_no_platform_any_more(database):
    seed(database, [OWN, replace(OWN, name="other_format")])
    seed(database, [OWN])

    assert "other_format" not in stored(database)
    assert len(stored(database)) == 13


def test_an_empty_file_takes_all_away(database):
    seed(database, [OWN])
    seed(database, [])

    assert stored(database) == dict(PLATFORMS)


def test_a_command_that_knows_no_file_takes_nothing_away(database):
    seed(database, [OWN])
    prepare_database(database, base_urls={"local": "/media"})

    assert "own_format" in stored(database)


def test_what_somebody_wrote_into_a_built_in_row_is_put_right(database):
    execute(database, "update platforms set width = 700, fit = 'cover', built_in = false where name = 'tiktok'")
    seed(database, [])

    assert stored(database) == dict(PLATFORMS)


def test_a_request_for_an_own_platform_is_accepted_and_reserved_for(database):
    seed(database, [OWN])
    user = a_user(database)
    plain, own = a_request(database, user), a_request(database, user, formats=["own_format"])
    take_in(database)

    assert result(database, own)["status"] == "queued"
    reserved = "select storage_reserved from generations where id = %s"
    assert value(database, reserved, own) - value(database, reserved, plain) == OWN.reserve_bytes


def test_a_request_for_a_platform_that_is_not_there_is_refused(database):
    request = a_request(database, a_user(database), formats=["own_format"])
    take_in(database)

    assert "There is no format 'own_format'" in result(database, request)["error_detail"]
