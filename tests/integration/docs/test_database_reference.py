"""`docs/reference/database.md` is the contract for foreign backends: its examples run, its tables are the schema's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.rows import dict_row

from posegen.database.connection import Database
from posegen.error_codes import ErrorCode
from posegen.generations.asking import claims
from posegen.generations.calling.rows import CallState
from posegen.generations.rows.events import EVENTS_CHANNEL
from posegen.images.validation import open_image
from posegen.platforms.platform import PLATFORMS
from posegen.poses.avatar import AVATAR_ATTRIBUTES, Avatar
from posegen.states import GenerationStatus, PoseStatus
from posegen.studio import Studio
from posegen.variants.making import make_variants
from tests.builders import a_batch, a_user, result, rows, started, status, take_in, value, work
from tests.documents import ROOT, answer_differs, names_in, page

PAGE = page("docs/reference/database.md")
Connection = psycopg.Connection[dict[str, Any]]


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


def make_the_pictures(studio: Studio) -> None:
    """Let Posegen do what is waiting."""
    take_in(studio.database)
    for claim in claims.claim_next(studio.database, most_running=1000):
        work(studio, started(studio.database, claim))


# --- examples -----------------------------------------------------------------------------------------------------


@pytest.mark.full_size
def test_every_example_of_the_page_gives_the_answer_that_the_page_shows(studio: Studio, psql: Connection) -> None:
    answer: list[dict[str, Any]] = []
    checked = 0
    for block in PAGE.blocks():
        if block.language == "text" and block.text.startswith("Asynchronous"):
            run(psql, "select record_event('b0000000-0000-4000-8000-000000000001', 'an example')")
            heard = next(psql.notifies(timeout=180, stop_after=1))
            assert heard.channel == EVENTS_CHANNEL
            assert re.fullmatch(r"b0000000-0000-4000-8000-000000000001:\d+", heard.payload)
        elif block.language == "text":
            assert not (problem := answer_differs(block.text, answer)), f"{problem}\n{block.text}"
            checked += 1
        elif block.language == "sql" and block.note != "as owner":
            answer = run_block(studio, psql, block.text, block.note)
    assert checked > 10


def run_block(studio: Studio, psql: Connection, statements: str, note: str) -> list[dict[str, Any]]:
    """Do what the note says, then run the statements."""
    if note.startswith("refused with "):
        state, _, words = note.removeprefix("refused with ").partition(": ")
        with pytest.raises(psycopg.Error, match=re.escape(words)) as refused:
            run(psql, statements)
        assert refused.value.sqlstate == state
        return []
    if note == "the pictures are made":
        make_the_pictures(studio)
    elif note == "the requests are judged":
        take_in(studio.database)
    elif note == "the variants are made":
        batch = a_batch(studio.database)
        make_variants(studio, batch, lambda file, _: open_image(file), run_id="run")
    else:
        assert note in {"", "listen"}, note
    return run(psql, statements)


def test_the_role_of_the_page_can_do_what_the_page_says_and_no_more(studio: Studio, psql: Connection) -> None:
    (grants,) = [block.text for block in PAGE.blocks() if block.note == "as owner"]
    user = a_user(studio.database)
    with psql.transaction(force_rollback=True):
        run(psql, grants)
        run(psql, "set local role shop")
        (someone,) = run(psql, "insert into users (name) values ('Budi') returning id")
        run(psql, f"insert into generation_requests (user_id, poses) values ('{someone['id']}', '{{star-jump}}')")
        call = f"select replayed from submit_generation('{user}', 'key', '{{star-jump}}')"
        assert [run(psql, call), run(psql, call)] == [[{"replayed": False}], [{"replayed": True}]]
        for readable in re.findall(r"\w+", " ".join(re.findall(r"grant select on (.*?) to shop", grants))):
            run(psql, f"select * from {readable} limit 1")
        run(psql, "select set_favourite(gen_random_uuid(), true), record_download(gen_random_uuid(), 'tiktok')")
        run(psql, f"insert into image_requests (user_id, tool, source) values ('{user}', 'editor', 'poses/x.png')")
        assert [each["status"] for each in run(psql, "select status from variant_results")] == ["submitted"]
        run(psql, "listen posegen_events")
        cancel = f"select cancel_generation(generation_id) as done from generation_results where user_id = '{user}'"
        assert run(psql, cancel) == [{"done": True}]
        for refused in (
            f"select grant_credits('{user}', 1, 'mine')",
            "select refund_poses('{}', 'mine')",
            "select record_event(gen_random_uuid(), 'completed')",
            "select * from ledger_entries",
            f"insert into generations (id, user_id, priority) values (gen_random_uuid(), '{user}', 0)",
            f"update accounts set storage_limit = 0 where user_id = '{user}'",
            "update generations set status = 'queued'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), psql.transaction():
                run(psql, refused)


# --- refusals -----------------------------------------------------------------------------------------------------


def insert(user: object, column: str, expression: str) -> str:
    """An INSERT that is good but for one column."""
    columns = {"user_id": f"'{user}'", "poses": "'{star-jump}'", column: expression}
    if column in {"prompt", "categories"}:
        del columns["poses"]
    return f"insert into generation_requests ({', '.join(columns)}) values ({', '.join(columns.values())}) returning id"


def test_every_constraint_is_on_the_page_and_refuses_its_example(database: Database, psql: Connection) -> None:
    documented = PAGE.rows("constraint")
    found = rows(
        database,
        "select conname from pg_constraint where conrelid = 'generation_requests'::regclass and contype = 'c'",
    )
    assert sorted(row["constraint"] for row in documented) == sorted(row["conname"] for row in found)
    user = a_user(database)
    for row in documented:
        column = row["limit"].partition(":")[0]
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            run(psql, insert(user, column, row["refused, for example"]))
        assert refused.value.diag.constraint_name == row["constraint"]
    assert value(database, "select count(*) from generation_requests") == 0


def test_the_other_refusals_have_the_sqlstate_that_the_page_says(database: Database, psql: Connection) -> None:
    user = a_user(database)
    run(psql, insert(user, "id", "'b0000000-0000-4000-8000-000000000001'"))
    table = PAGE.section("Refused at once").partition("Other refusals")[2]
    examples = re.findall(r"^\| (\w{5}) \|.*\| `(\w+) = (.+)` \|$", table, re.M)
    assert len(examples) == 6
    for sqlstate, column, expression in examples:
        with pytest.raises(psycopg.Error) as refused:
            run(psql, insert(user, column, expression))
        assert refused.value.sqlstate == sqlstate, column
    named = set(re.findall(r"`(\w+_pkey|one_request\w+)`", table))
    unique = (
        "select conname from pg_constraint where conrelid = 'generation_requests'::regclass and contype in ('p', 'u')"
    )
    assert named == {row["conname"] for row in rows(database, unique)}


def test_a_request_cannot_be_changed_or_deleted(database: Database, psql: Connection) -> None:
    run(psql, insert(a_user(database), "seed", "1"))
    for statement in ("update generation_requests set seed = 2", "delete from generation_requests"):
        with pytest.raises(psycopg.IntegrityError):
            run(psql, statement)
    assert "UPDATE and DELETE are refused" in PAGE.text


def test_credits_are_granted_as_the_page_says(database: Database, psql: Connection) -> None:
    user = a_user(database, credits=0)
    for arguments, sqlstate in ((f"'{user}', 0", "23514"), ("gen_random_uuid(), 1", "23503")):
        with pytest.raises(psycopg.Error) as refused:
            run(psql, f"select grant_credits({arguments}, 'a gift')")
        assert refused.value.sqlstate == sqlstate
        assert sqlstate in PAGE.section("Users and accounts")


@pytest.mark.parametrize("example", PAGE.rows("judged column"), ids=lambda row: row["error_detail"][:50])
def test_what_intake_refuses_ends_with_the_code_and_the_detail_of_the_page(
    database: Database, psql: Connection, example: dict[str, str]
) -> None:
    (made,) = run(psql, insert(a_user(database), example["judged column"], example["for example"]))
    take_in(database)

    ended = result(database, made["id"])

    assert (ended["status"], ended["error_code"]) == ("failed", example["error_code"])
    wanted = ".*".join(map(re.escape, example["error_detail"].split("…")))
    assert re.fullmatch(wanted, ended["error_detail"]), ended["error_detail"]
    assert (ended["credits_spent"], ended["credits_held"]) == (0, 0)


# --- tables of columns --------------------------------------------------------------------------------------------


COLUMNS: LiteralString = """
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
       case when a.attnotnull then 'no' else 'yes' end as "null",
       coalesce(regexp_replace(pg_get_expr(d.adbin, d.adrelid), '::[a-z\\[\\] ]+$', ''), '') as "default"
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""


def short_type(name: str) -> str:
    """As people write it."""
    return name.replace("timestamp with time zone", "timestamptz")


@pytest.mark.parametrize(
    "relation",
    [
        *("generation_requests", "generation_results", "pose_results", "users", "accounts", "exports", "events"),
        *("library_poses", "image_requests", "variant_results"),
    ],
)
def test_a_table_of_columns_is_that_of_the_schema(database: Database, relation: str) -> None:
    documented = PAGE.rows(f"column of {relation}")
    facts = [name for name in ("type", "null", "default") if name in documented[0]]

    found = [row | {"type": short_type(row["type"])} for row in rows(database, COLUMNS, relation)]

    assert [[row[f"column of {relation}"], *(row[fact] for fact in facts)] for row in documented] == [
        [row["name"], *(row[fact] for fact in facts)] for row in found if row["name"] != "object_id"
    ]


def test_the_default_storage_limit_is_that_of_the_schema(database: Database) -> None:
    limit = next(row["default"] for row in rows(database, COLUMNS, "accounts") if row["name"] == "storage_limit")
    assert f"{int(limit.strip(chr(39)))} (5 GiB)" in PAGE.section("Users and accounts")


def test_the_arguments_of_submit_generation_are_on_the_page(database: Database) -> None:
    found = value(database, "select pg_get_function_arguments(oid) from pg_proc where proname = 'submit_generation'")
    documented = [
        f"{row['argument']} {row['type']}" + (f" DEFAULT {row['default']}" if row["default"] else "")
        for row in PAGE.rows("argument")
    ]
    assert ", ".join(documented) == re.sub(r"::[a-z ]+(\[\])?", "", found)


@pytest.mark.parametrize(
    "name",
    [
        *("grant_credits", "refund_poses", "cancel_generation", "set_favourite", "record_download"),
        *("restore_images", "delete_variants", "delete_upload"),
    ],
)
def test_the_signature_of_a_function_is_on_the_page(database: Database, name: str) -> None:
    found = value(database, "select pg_get_function_arguments(oid) from pg_proc where proname = %s", name)
    signature = re.sub(r"::[a-z]+", "", found).replace("DEFAULT", "default").replace("CURRENT_USER", "current_user")
    assert f"`{name}({signature.replace('NULL', 'null')})`" in PAGE.text


def test_the_columns_of_the_lists_are_on_the_page(database: Database) -> None:
    for table in ("platforms", "avatar_attributes", "error_codes", "pose_categories"):
        section = PAGE.text.partition(f"Table `{table}`")[2].partition("\n### ")[0]
        for column in rows(database, COLUMNS, table):
            assert f"`{column['name']}`" in section, (table, column["name"])


# --- lists --------------------------------------------------------------------------------------------------------


def test_the_formats_are_those_of_the_table_platforms(database: Database) -> None:
    found = rows(database, "select name, width, height from platforms")
    documented = [(row["format"], int(row["width"]), int(row["height"])) for row in PAGE.rows("format")]
    assert sorted(documented) == sorted((row["name"], row["width"], row["height"]) for row in found)
    assert [name for name, _, _ in documented] == list(PLATFORMS)


def test_the_avatar_values_are_those_of_the_table_avatar_attributes(database: Database) -> None:
    found: dict[str, list[str]] = {}
    for row in rows(database, "select attribute, value from avatar_attributes order by attribute, position"):
        found.setdefault(row["attribute"], []).append(row["value"])
    documented = PAGE.rows("attribute")
    assert {row["attribute"]: names_in(row["values"]) for row in documented} == found
    assert [row["attribute"] for row in documented] == list(AVATAR_ATTRIBUTES)
    assert {row["attribute"]: row["default"] for row in documented} == Avatar().to_json()


def test_the_error_codes_are_those_of_the_table_error_codes(database: Database) -> None:
    found = rows(database, "select code, customer_message from error_codes")
    assert {row["code"]: row["customer message"] for row in PAGE.rows("code")} == {
        row["code"]: row["customer_message"] for row in found
    }


def test_the_codes_that_are_not_used_are_not_used() -> None:
    unused = [row["code"] for row in PAGE.rows("code") if row["meets"] == "not used by this version"]
    used = "".join(path.read_text() for path in (ROOT / "posegen").rglob("*.py") if path.name != "error_codes.py")
    assert [code for code in ErrorCode if f"ErrorCode.{code.name}" not in used and f'"{code}"' not in used] == unused


# --- states and events --------------------------------------------------------------------------------------------


def allowed_steps(database: Database, guard: str, states: list[str]) -> set[tuple[str, str]]:
    """The steps that a trigger function lets pass."""
    steps = set()
    with database.transaction() as connection:
        connection.execute("create temp table subject (id uuid default gen_random_uuid(), status text) on commit drop")
        trigger = f"create trigger guard before update on subject for each row execute function {guard}()"
        connection.execute(trigger.encode())
        for old in states:
            for new in states:
                connection.execute("truncate subject")
                connection.execute("insert into subject (status) values (%s)", [old])
                try:
                    with connection.transaction():
                        connection.execute("update subject set status = %s", [new])
                except psycopg.errors.RestrictViolation:
                    continue
                steps.add((old, new))
    return {(old, new) for old, new in steps if old != new}


def documented_steps(first_column: str) -> dict[str, list[str]]:
    """State to the states that may follow it."""
    return {row[first_column]: re.findall(r"\w+", row["may become"]) for row in PAGE.rows(first_column)}


def test_the_states_of_a_generation_and_their_steps_are_those_that_the_database_guards(database: Database) -> None:
    documented = documented_steps("status of a generation")
    assert list(documented) == list(GenerationStatus)
    assert {(old, new) for old, following in documented.items() for new in following} == allowed_steps(
        database, "guard_generation_status", list(GenerationStatus)
    )


def test_the_states_of_a_pose_and_their_steps_pass_the_databases_guard(database: Database) -> None:
    documented = documented_steps("status of a pose")
    assert list(documented) == list(PoseStatus)
    allowed = allowed_steps(database, "guard_pose_status", list(PoseStatus))
    assert {(old, new) for old, following in documented.items() for new in following} <= allowed
    assert {old for old, _ in allowed} == {old for old, following in documented.items() if following}


def recorded_events() -> dict[str, set[str]]:
    """Kind to the facts of the events that the code records under a fixed kind."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "posegen").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "events.record":
                kind = node.args[2]
                kinds = [kind.value] if isinstance(kind, ast.Constant) else ["completed", "partial", "failed"]
                for each in kinds:
                    found.setdefault(str(each), set()).update(keyword.arg or "" for keyword in node.keywords)
    return found


def test_the_events_are_those_that_the_code_records() -> None:
    documented = {row["kind"]: set(re.findall(r"[a-z_]+_?[a-z]+", row["detail"])) for row in PAGE.rows("kind")}
    by_sql = {
        "submitted": set(),
        "dispatched": {"dispatch"},
        "cancelled": {"actor", "open_poses"},
        "refunded": {"poses", "credits", "reason", "actor"},
        "images_deleted": {"poses", "actor", "until"},
        "images_restored": {"poses", "actor"},
    }
    of_a_call = {"pose", "position", "call", "attempt", "backend"}
    by_calls = {
        "call_sent": {*of_a_call, "token"},
        "call_accepted": of_a_call,
        "call_delivered": {*of_a_call, "seconds"},
    }
    ends = {CallState.REJECTED, CallState.REFUSED, CallState.FAILED, CallState.CANCELLED, CallState.UNCERTAIN}
    by_calls |= {f"call_{end}": {*of_a_call, "token", "error_code", "error_detail"} for end in ends}
    by_code = recorded_events() | by_sql | by_calls

    assert documented.keys() == by_code.keys()
    for kind, facts in by_code.items():
        assert facts == documented[kind] - {"at", "intake", "later"}, kind


def test_a_cancelled_generation_has_the_event_of_the_page(database: Database, psql: Connection) -> None:
    (made,) = run(psql, insert(a_user(database), "seed", "1"))
    run(psql, f"select cancel_generation('{made['id']}')")
    _, event = rows(database, "select kind, detail from events order by sequence")
    assert (event["kind"], set(event["detail"])) == ("cancelled", {"actor", "open_poses"})
    assert status(database, made["id"]) == "cancelled"
