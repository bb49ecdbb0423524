"""Grants of operators on views and functions survive a migration that drops these and creates them again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import psycopg
import pytest

from posegen.database.migrate import upgrade_schema
from tests.migrations import upgrade_to

_RIGHTS = """
select has_table_privilege(%(role)s, 'pose_results', 'select'),
       has_table_privilege(%(role)s, 'pose_results', 'select with grant option'),
       has_column_privilege(%(role)s, 'object_urls', 'url', 'select'),
       has_column_privilege(%(role)s, 'object_urls', 'size', 'select'),
       (select bool_and(has_function_privilege(%(role)s, oid, 'execute')) from pg_proc where proname = 'set_favourite'),
       (select bool_or(has_function_privilege(%(role)s, oid, 'execute')) from pg_proc where proname = 'grant_credits')
"""


@pytest.fixture
def role(empty_database_url: str) -> Iterator[str]:
    """A role with a name that has to be quoted, and rights to two views and a function."""
    upgrade_schema(empty_database_url)
    name = f"Web 100% {secrets.token_hex(4)}"
    with psycopg.connect(empty_database_url, autocommit=True) as owner:
        owner.execute(f'create role "{name}"'.encode())
        owner.execute(f'grant select on pose_results to "{name}" with grant option'.encode())
        owner.execute(f'grant select (url) on object_urls to "{name}"'.encode())
        owner.execute(f'grant execute on function set_favourite to "{name}"'.encode())
        owner.execute("grant select on variant_results to public")
        yield name
        owner.execute(f'drop owned by "{name}"'.encode())
        owner.execute(f'drop role "{name}"'.encode())


def rights(url: str, role: str) -> tuple[bool, ...]:
    with psycopg.connect(url) as connection:
        return connection.execute(_RIGHTS, {"role": role}).fetchone() or ()


def test_grants_are_repeated_on_what_was_dropped_and_created_again(empty_database_url, role, other_version):
    before = rights(empty_database_url, role)
    other_version.edit("views/pose_results", "p.generation_id, p.user_id,", "p.user_id, p.generation_id,")
    other_version.edit("views/object_urls", "o.size, o.content_type", "o.content_type, o.size")
    other_version.edit(
        "functions/set_favourite", "favourite boolean) returns", "favourite boolean, by text default '') returns"
    )
    other_version.migrate("drop view object_urls cascade", "drop function set_favourite")

    upgrade_schema(empty_database_url)

    assert rights(empty_database_url, role) == before == (True, True, True, False, True, False)
    with psycopg.connect(empty_database_url) as connection:
        (everybody,) = connection.execute(
            "select has_table_privilege('public', 'variant_results', 'select')"
        ).fetchone()
    assert everybody


def test_a_grant_on_a_column_goes_with_the_column_and_the_others_stay(empty_database_url, role, other_version):
    for view in ("object_urls", "pose_results", "design_results", "variant_results"):
        path = other_version.folder / "repeatable" / "views" / f"{view}.sql"
        path.write_text(re.sub(r"(?<=\.)url\b|\burl(?=,\s+o.size)", "address", path.read_text()))
    other_version.migrate("drop view object_urls cascade")

    upgrade_schema(empty_database_url)

    with psycopg.connect(empty_database_url) as connection:
        columns = connection.execute(
            "select attname, attacl from pg_attribute where attrelid = 'object_urls'::regclass"
        )
        assert dict(columns.fetchall())["address"] is None
        assert connection.execute("select has_table_privilege(%s, 'pose_results', 'select')", [role]).fetchone() == (
            True,
        )


def test_a_grant_on_submit_generation_survives_its_further_arguments(empty_database_url):
    """As an operator of version 0012 granted it: docs/how-to/database-roles.md names no arguments."""
    upgrade_to(empty_database_url, "0012")
    with psycopg.connect(empty_database_url, autocommit=True) as owner:
        name = f"web_{secrets.token_hex(4)}"
        owner.execute(f"create role {name}".encode())
        owner.execute(f"grant execute on function submit_generation to {name} with grant option".encode())

        upgrade_schema(empty_database_url)

        found = owner.execute(
            "select pronargs, has_function_privilege(%s, oid, 'execute with grant option'),"
            " has_function_privilege('public', oid, 'execute') from pg_proc where proname = 'submit_generation'",
            [name],
        ).fetchall()
        owner.execute(f"drop owned by {name}".encode())
        owner.execute(f"drop role {name}".encode())
    assert found == [(23, True, False)]
