"""`docs/reference/designs.md`: its examples run, its tables are the schema's and the program's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from posegen.database.connection import Database
from posegen.designs import service as design_service
from posegen.designs import work as designs
from posegen.designs.making import make_design
from posegen.designs.products import PRODUCTS
from posegen.designs.typesetting.fonts import FONTS
from posegen.error_codes import ErrorCode
from posegen.studio import Studio
from tests.builders import a_user, design, row, rows, start_design
from tests.documents import answer_differs, page
from tests.stores import keys_in

PAGE = page("docs/reference/designs.md")
Connection = psycopg.Connection[dict[str, Any]]
COLUMNS = """
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
       case when a.attnotnull then 'no' else 'yes' end as "null",
       coalesce(regexp_replace(pg_get_expr(d.adbin, d.adrelid), '::[a-z\\[\\] ]+$', ''), '') as "default"
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""


@pytest.fixture
def psql(database: Database) -> Iterator[Connection]:
    """A connection as `psql` has it: every statement is committed at once."""
    with psycopg.connect(database.url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def run(connection: Connection, statements: str) -> list[dict[str, Any]]:
    """Run statements; what the last one answers."""
    cursor = connection.execute(statements.encode())
    while cursor.nextset():
        pass
    return cursor.fetchall() if cursor.description else []


def test_every_example_of_the_page_gives_the_answer_that_the_page_shows(studio: Studio, psql: Connection) -> None:
    answer: list[dict[str, Any]] = []
    checked = 0
    for block in PAGE.blocks():
        if block.language == "text":
            assert not (problem := answer_differs(block.text, answer)), f"{problem}\n{block.text}"
            checked += 1
            continue
        if block.note == "the designs are made":
            for claim in designs.claim_designs(studio.database, most_under_way=100):
                make_design(studio, start_design(studio.database, claim))
        elif block.note == "what was deleted is cleared":
            assert design_service.clear_deleted(studio)
            assert keys_in(studio.store) == []
        answer = run(psql, block.text)
    assert checked == 2


@pytest.mark.parametrize("example", PAGE.rows("judged value"), ids=lambda row: row["error_detail"][:40])
def test_what_cannot_be_made_ends_with_the_detail_of_the_page(
    database: Database, psql: Connection, example: dict[str, str]
) -> None:
    columns = {"user_id": f"'{a_user(database)}'", "text": "'x'", "product_type": "'sticker'"}
    columns[example["judged value"]] = example["for example"]
    names, values = ", ".join(columns), ", ".join(columns.values())
    (made,) = run(psql, f"insert into design_requests ({names}) values ({values}) returning id")
    designs.claim_designs(database, most_under_way=100)

    ended = design(database, made["id"])

    assert (ended["status"], ended["error_code"]) == ("failed", ErrorCode.INVALID_REQUEST)
    wanted = ".*".join(map(re.escape, example["error_detail"].split("…")))
    assert re.fullmatch(wanted, ended["error_detail"], re.S), ended["error_detail"]


@pytest.mark.parametrize("relation", ["design_requests", "design_results"])
def test_a_table_of_columns_is_that_of_the_schema(database: Database, relation: str) -> None:
    documented = PAGE.rows(f"column of {relation}")
    facts = [name for name in ("type", "null", "default") if name in documented[0]]

    found = [
        each | {"type": each["type"].replace("timestamp with time zone", "timestamptz")}
        for each in rows(database, COLUMNS, relation)
    ]

    assert [[each[f"column of {relation}"], *(each[fact] for fact in facts)] for each in documented] == [
        [each["name"], *(each[fact] for fact in facts)] for each in found
    ]


def test_the_states_and_their_steps_are_those_that_the_database_guards(database: Database) -> None:
    documented = {
        (each["status of a design"], following)
        for each in PAGE.rows("status of a design")
        for following in re.findall(r"\w+", each["may become"])
    }
    guard = row(database, "select prosrc from pg_proc where proname = 'guard_design_status'")["prosrc"]

    steps = re.findall(r"\('(\w+)', '(\w+)'\)", guard.replace("'dispatched'", "'draft'"))  # what the view shows
    assert documented == {(before, after) for before, after in steps if before != after}


def test_the_product_types_are_those_of_the_program_and_of_the_table(database: Database) -> None:
    documented = [
        (
            each["product type"],
            each["what"],
            *(float(each[side]) for side in ("width", "height", "bleed")),
            each["ground"],
            each["ink"],
        )
        for each in PAGE.rows("product type")
    ]

    assert documented == [
        (each.name, each.title, each.width, each.height, each.bleed, each.ground, each.ink)
        for each in PRODUCTS.values()
    ]
    stored = rows(database, "select * from product_types order by position")
    assert [tuple(each.values())[:7] for each in stored] == documented


def test_the_fonts_are_those_of_the_program_and_of_the_table(database: Database) -> None:
    documented = [(each["font"], each["what"], each["fallback"]) for each in PAGE.rows("font")]

    assert documented == [(each.name, each.title, each.fallback) for each in FONTS.values()]
    stored = rows(database, "select name, title, fallback from design_fonts order by position")
    assert [tuple(each.values()) for each in stored] == documented
    for table in ("product_types", "design_fonts"):
        for column in rows(database, COLUMNS, table):
            assert f"`{column['name']}`" in PAGE.text


def test_a_role_of_a_backend_can_ask_read_and_delete_and_change_nothing_else(database: Database) -> None:
    user = a_user(database)
    with (
        psycopg.connect(database.url, autocommit=True, row_factory=dict_row) as psql,
        psql.transaction(force_rollback=True),
    ):
        run(psql, "create role stall; grant select, insert, delete on design_requests to stall")
        run(psql, "grant select on design_results to stall; set local role stall")
        (made,) = run(psql, f"insert into design_requests (user_id, text) values ('{user}', 'x') returning id")
        assert run(psql, "select status from design_results") == [{"status": "draft"}]
        for refused in ("select * from designs", "update design_requests set text = 'y'", "delete from objects"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), psql.transaction():
                run(psql, refused)
        run(psql, f"delete from design_requests where id = '{made['id']}'")
        assert run(psql, "select status from design_results") == []
