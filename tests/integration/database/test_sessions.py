"""What a session is like, whatever a server, a database, a role, the environment or the URL would have it be."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg import pq, sql
from psycopg.rows import tuple_row
from sqlalchemy import text

from posegen.database import migrate, session
from posegen.database.connection import Database
from posegen.database.libpq_environment import drop_libpq_variables, libpq_variables
from posegen.database.server import DAGSTER_SCHEME, DatabaseUrls, open_server
from posegen.database.server_url import parse_url
from posegen.database.session import SESSION_SETTINGS
from posegen.errors import DatabaseUnusable
from posegen.settings import Settings
from posegen.upkeep.metrics import read_numbers
from resources.dagster_storage import pooled_engine
from tests.servers import fresh_database
from tests.settings_matrix import LIBPQ

# Each of them is another one than Posegen needs.
OTHERS = {
    "client_encoding": ["LATIN1", "WIN1252", "SQL_ASCII", "EUC_TW", "EUC_JP"],
    "DateStyle": ["SQL, DMY", "German, YMD", "Postgres, MDY", "ISO, YMD"],
    "IntervalStyle": ["iso_8601", "sql_standard", "postgres_verbose"],
    "TimeZone": ["Asia/Jakarta", "America/St_Johns", "Pacific/Chatham", "-3"],
    "bytea_output": ["escape"],
    "extra_float_digits": ["-15", "0", "3"],
    "standard_conforming_strings": ["off"],
    "array_nulls": ["off"],
    "transform_null_equals": ["on"],
    "quote_all_identifiers": ["on"],
    "row_security": ["off"],
    "search_path": ["nowhere", '"$user", public', ""],
    "restrict_nonsystem_relation_kind": ["view"],
    "default_transaction_isolation": ["serializable", "repeatable read", "read uncommitted"],
    "default_transaction_deferrable": ["on"],
    "idle_in_transaction_session_timeout": ["1min", "0"],
    "idle_session_timeout": ["1min"],
    "lock_timeout": ["1ms"],
    "statement_timeout": ["1min"],
    "transaction_timeout": ["1min"],
}
SOME = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in OTHERS.items()})


@pytest.fixture(scope="module")
def url(postgres: DatabaseUrls) -> Iterator[str]:
    """A database of this module; what is set on it is taken back."""
    with fresh_database(postgres) as url:
        yield url


@contextmanager
def coming_under(url: str, of_database: dict[str, str], of_role: dict[str, str]) -> Iterator[str]:
    """The URL of a user whose sessions begin with these settings."""
    role, database = f"test_session_{secrets.token_hex(4)}", parse_url(url).database
    name = sql.Identifier(role)
    with psycopg.connect(url, autocommit=True) as administrator:
        administrator.execute(sql.SQL("create role {} login superuser password 'secret'").format(name))
        for kind, target, settings in (("database", database, of_database), ("role", role, of_role)):
            for setting, value in settings.items():
                administrator.execute(
                    sql.SQL(f"alter {kind} {{}} set {setting} = {{}}").format(
                        sql.Identifier(target), sql.Literal(value)
                    )
                )
        try:
            yield f"postgresql://{role}:secret@{parse_url(url).login.rpartition('@')[2]}/{database}"
        finally:
            administrator.execute(sql.SQL("alter database {} reset all").format(sql.Identifier(database)))
            administrator.execute(sql.SQL("drop role {}").format(name))


def current(connection: Any, **but: str) -> dict[str, str]:
    """What is otherwise than it has to be."""
    wanted = {**SESSION_SETTINGS, **but}
    found = {name: connection.execute(f"show {name}").fetchone()[0] for name in wanted if known(connection, name)}
    return {name: value for name, value in found.items() if value != wanted[name]}


def known(connection: Any, name: str) -> bool:
    return connection.execute("select current_setting(%s, true) is not null", [name]).fetchone()[0]


@given(of_database=SOME, of_role=SOME)
@hypothesis_settings(max_examples=15, deadline=None)
def test_a_session_is_as_it_has_to_be_whatever_it_comes_under(url, of_database, of_role) -> None:
    with (
        coming_under(url, of_database, of_role) as login,
        session.connect(login, application="test", row_factory=tuple_row) as connection,
    ):
        assert current(connection) == {}


def everything_else() -> dict[str, str]:
    return {name: values[0] for name, values in OTHERS.items()}


@pytest.fixture(scope="module")
def odd_login(url: str) -> Iterator[str]:
    """A user whose sessions begin with every setting otherwise."""
    with coming_under(url, {}, everything_else()) as login:
        yield login


def test_every_way_to_the_database_says_what_it_needs(odd_login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database(odd_login, idle_seconds=7) as database:
        with database.transaction() as connection:
            connection.row_factory = tuple_row  # type: ignore[assignment]
            assert current(connection, idle_in_transaction_session_timeout="7s") == {}
            assert connection.execute("show transaction_isolation").fetchone() == ("read committed",)
        with database.listening("news") as listener:
            listener._connection.row_factory = tuple_row
            assert current(listener._connection) == {}

    seen: list[dict[str, str]] = []

    def look(connection: Any) -> None:
        connection.row_factory = tuple_row
        seen.append(current(connection, statement_timeout="5s"))

    monkeypatch.setattr("posegen.upkeep.metrics.numbers", look)
    read_numbers(odd_login)
    assert seen == [{}]


def test_the_migrations_session_says_what_it_needs(odd_login: str) -> None:
    with migrate._connect(odd_login) as connection:
        found = {name: connection.execute(text(f"show {name}")).scalar_one() for name in SESSION_SETTINGS}
    assert found == dict(SESSION_SETTINGS)


def test_dagsters_sessions_say_what_they_need(odd_login: str) -> None:
    """But for one setting, which psycopg2 goes by from the beginning of a connection."""
    parsed = parse_url(odd_login)
    engine = pooled_engine(parsed.on(parsed.database, DAGSTER_SCHEME))
    with engine.connect() as connection:
        found = {name: connection.execute(text(f"show {name}")).scalar_one() for name in SESSION_SETTINGS}
        kept = connection.execute(text("select :back, :null"), {"back": "a\\b'c\\n", "null": ["NULL", None]}).one()
    engine.dispose()
    assert {**found, "standard_conforming_strings": "on"} == dict(SESSION_SETTINGS)
    assert engine.dialect.default_schema_name == "public"
    assert tuple(kept) == ("a\\b'c\\n", ["NULL", None])


def test_a_setting_that_the_server_does_not_know_is_passed_over(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SESSION_SETTINGS", {**SESSION_SETTINGS, "from_the_future": "on"})

    with session.connect(url, application="test", row_factory=tuple_row) as connection:
        assert connection.execute("show timezone").fetchone() == ("UTC",)


# --- the environment ----------------------------------------------------------------------------------------------


def test_every_variable_that_libpq_knows_is_dropped_for_the_embedded_server() -> None:
    by_libpq = {option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    environment = dict.fromkeys({*by_libpq, *LIBPQ, "PGSYSCONFDIR", "PGLOCALEDIR", "PGREALM"}, "x")

    dropped = drop_libpq_variables(environment, embedded=True)

    assert environment == {}
    assert by_libpq | LIBPQ.keys() <= set(dropped)


def test_a_url_may_leave_all_but_session_settings_to_the_environment() -> None:
    environment = {**dict.fromkeys(LIBPQ, "x"), "PATH": "/bin", "PGTZ": "Asia/Jakarta"}

    assert drop_libpq_variables(environment, embedded=False) == ["PGCLIENTENCODING", "PGDATESTYLE", "PGTZ"]
    assert environment.keys() == LIBPQ.keys() - {"PGCLIENTENCODING", "PGDATESTYLE", "PGTZ"} | {"PATH"}


@pytest.mark.parametrize("embedded", [True, False])
def test_variables_of_others_are_left_alone(embedded: bool) -> None:
    environment = {"PATH": "/bin", "PG": "1", "MYPGHOST": "h", "Pgdata": "x", "PGADMIN4": "y", "HOME": "/"}

    assert drop_libpq_variables(environment, embedded=embedded) == []
    assert len(environment) == 6
    assert libpq_variables(environment) == []


def test_a_refused_connection_names_the_variables_that_are_read_too(postgres: DatabaseUrls) -> None:
    environment = {"PGHOSTADDR": "127.0.0.1", "PGPORT": "1", "PGTZ": "nonsense"}
    wanted = Settings(posegen_home=Path("/nonexistent"), database_url="postgresql://u:very%20secret@db.example/shop")
    with (
        patch.dict(os.environ, environment),
        pytest.raises(DatabaseUnusable, match=r"Also read: .*PGHOSTADDR, .*PGPORT") as refused,
        open_server(wanted),
    ):
        pass
    assert "secret" not in str(refused.value)
    assert "PGTZ" not in str(refused.value)
