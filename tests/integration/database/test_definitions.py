"""Views and functions in repeatable files: applied after the migrations, by every program that is new enough."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from posegen.database.migrate import MIGRATIONS, current_revision, newest_revision, upgrade_schema
from posegen.errors import DatabaseUnusable
from tests.migrations import upgrade_to
from tests.schema_file import dump

FIRST_WITH_FILES = "0011"
BEFORE = "0009"


def files() -> list[Path]:
    return sorted((MIGRATIONS / "repeatable").glob("*/*.sql"))


def one(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def applied_in(url: str) -> object:
    """Which transaction wrote the functions."""
    return one(url, "select max(xmin::text::bigint) from pg_proc where pronamespace = 'public'::regnamespace")


# --- what the files say -------------------------------------------------------------------------------------------


def test_every_view_and_every_function_has_a_file_and_the_reverse(upgraded_url):
    made = one(
        upgraded_url,
        """
        select array_agg(file order by file) from (
            select 'functions/' || proname from pg_proc where pronamespace = 'public'::regnamespace
            union select 'views/' || viewname from pg_views where schemaname = 'public') as made (file)
        """,
    )

    assert made == [f"{path.parent.name}/{path.stem}" for path in files()]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_a_file_defines_what_its_name_says_and_closes_it(path: Path):
    text = path.read_text()

    assert re.findall(r"^create .*?(function|view) (\w+)", text, re.M) == [(path.parent.name[:-1], path.stem)]
    assert re.search(rf"^create or replace (function|view) {path.stem}\b", text, re.M), "it can be applied again"
    if path.parent.name == "functions":
        assert f"\nrevoke execute on function {path.stem} from public;\n" in text


def test_no_migration_writes_out_what_has_a_file():
    """It would be undone in the same transaction. A new trigger's function may begin as a stub: `create function`."""
    later = [path for path in (MIGRATIONS / "versions").iterdir() if path.name[:4] >= FIRST_WITH_FILES]
    found = {
        path.name: re.findall(r"create or replace (?:function|view) \w+|create view \w+", path.read_text())
        for path in later
        if path.suffix in {".py", ".sql"}
    }

    assert {name: each for name, each in found.items() if each} == {}, "write these to migrations/repeatable instead"


# --- applying them ------------------------------------------------------------------------------------------------


def test_an_upgraded_database_and_a_fresh_one_are_the_same_with_owners_and_rights(empty_database_url, upgraded_url):
    upgrade_to(empty_database_url, BEFORE)

    upgrade_schema(empty_database_url)

    upgraded, fresh = (
        re.sub(r"^\\(un)?restrict .*$", "", dump(url), flags=re.M) for url in (empty_database_url, upgraded_url)
    )
    assert upgraded == fresh


@pytest.mark.parametrize("start", [None, BEFORE])
def test_a_new_view_may_read_one_that_comes_later_in_the_alphabet(empty_database_url, other_version, start):
    other_version.define("views/a_first", "create or replace view a_first as select id from b_second;")
    other_version.define("views/b_second", "create or replace view b_second as select * from z_last(1);")
    other_version.define(
        "functions/z_last",
        "-- For a_first and b_second.\n"
        "create or replace function z_last(of integer) returns setof users language sql as $$ select * from users $$;\n"
        "comment on function z_last is 'for a_first';",
    )
    if start:
        upgrade_to(empty_database_url, start)

    upgrade_schema(empty_database_url)

    assert one(empty_database_url, "select count(*) from a_first") == 0


def test_definitions_are_applied_once_and_again_after_an_edit_or_a_migration(empty_database_url, other_version):
    upgrade_schema(empty_database_url)
    first = applied_in(empty_database_url)

    upgrade_schema(empty_database_url)
    assert applied_in(empty_database_url) == first

    other_version.edit("views/pose_quality", "p.noise,", "abs(p.noise) as noise,")
    upgrade_schema(empty_database_url)
    second = applied_in(empty_database_url)
    assert second != first

    other_version.migrate("drop view pose_quality")
    upgrade_schema(empty_database_url)
    assert applied_in(empty_database_url) not in {first, second}
    assert one(empty_database_url, "select count(noise) from pose_quality") == 0


def test_a_new_column_of_the_results_is_a_line_in_one_file(empty_database_url, other_version):
    upgrade_schema(empty_database_url)

    other_version.edit(
        "views/pose_results", "p.control_end, p.degraded\n", "p.control_end, p.degraded,\n           p.recipe_hash\n"
    )
    upgrade_schema(empty_database_url)

    assert one(empty_database_url, "select count(recipe_hash) from pose_results") == 0


def test_a_definition_that_fails_leaves_nothing_behind_and_says_why(empty_database_url, other_version):
    other_version.edit("views/space_by_user", "from owned_objects", "from no_such_table")

    with pytest.raises(DatabaseUnusable, match="no_such_table"):
        upgrade_schema(empty_database_url)

    assert current_revision(empty_database_url) is None


# --- versions -----------------------------------------------------------------------------------------------------


def test_a_program_with_older_definitions_is_refused_and_changes_nothing(empty_database_url, other_version):
    other_version.number(8)
    upgrade_schema(empty_database_url)
    before = applied_in(empty_database_url)

    other_version.number(7)
    other_version.edit("views/pose_quality", "p.noise,", "abs(p.noise) as noise,")

    assert current_revision(empty_database_url) == newest_revision().replace(".7", ".8") != newest_revision()
    with pytest.raises(DatabaseUnusable, match=r"edition 8.*has edition 7.*newer"):
        upgrade_schema(empty_database_url)
    assert applied_in(empty_database_url) == before


def test_a_database_from_before_the_definitions_says_its_migration(empty_database_url):
    upgrade_to(empty_database_url, BEFORE)

    assert current_revision(empty_database_url) == BEFORE != newest_revision()


def test_a_database_whose_migrations_alone_were_run_is_not_ready(empty_database_url):
    upgrade_to(empty_database_url, "head")

    assert current_revision(empty_database_url) != newest_revision()
    upgrade_schema(empty_database_url)
    assert current_revision(empty_database_url) == newest_revision()
