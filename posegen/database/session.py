"""What every session of Posegen needs from PostgreSQL, whichever driver opens it: psycopg, or psycopg2 for Dagster.

A server, a database, a role, `PGOPTIONS` or a URL may give a session other settings. Posegen reads and writes times,
numbers and text, and its statements are written for READ COMMITTED: each session therefore says what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import psycopg
from psycopg.rows import RowFactory

CONNECT_SECONDS = 10
LIVENESS: Mapping[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""For libpq: a server that is gone without a word is noticed within 30 s, where Linux alone waits for up to 2 hours."""

CONNECT_OPTIONS: Mapping[str, Any] = {
    # Part of the startup packet: with another encoding a driver may fail before its first statement. No other setting
    # is, because poolers refuse a connection that comes with parameters they do not know (`options`).
    "client_encoding": "UTF8",
    "connect_timeout": CONNECT_SECONDS,
    **LIVENESS,
}

SESSION_SETTINGS: Mapping[str, str] = {
    # How values are written and read.
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    # What statements mean.
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "row_security": "on",
    "search_path": "public",
    "default_table_access_method": "heap",
    "restrict_nonsystem_relation_kind": "",
    # How transactions run.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # When the server ends something. A transaction that is silent for longer than this belongs to a process that was
    # stopped in the middle of it, and holds locks.
    "idle_in_transaction_session_timeout": "30s",
    "idle_session_timeout": "0",
    "lock_timeout": "0",
    "statement_timeout": "0",
    "transaction_timeout": "0",
}
"""Settings that any user may change. `default_transaction_read_only` is not among them: a provider that switches it on,
for example because the disk is full, means it. `posegen.database.server` refuses such a database."""


class _Cursor(Protocol):
    def execute(self, statement: Any, /) -> Any: ...
    def close(self) -> Any: ...


class _Connection(Protocol):
    """What psycopg and psycopg2 have in common."""

    autocommit: bool

    def cursor(self) -> _Cursor: ...


def connect(
    url: str,
    *,
    application: str,
    row_factory: RowFactory[Any],
    autocommit: bool = True,
    connect_seconds: int = CONNECT_SECONDS,
    **settings: str,
) -> psycopg.Connection[Any]:
    """A connection of its own, ready for use; `settings` differ from `SESSION_SETTINGS`."""
    options = {**CONNECT_OPTIONS, "application_name": application, "connect_timeout": connect_seconds}
    connection = psycopg.connect(url, autocommit=autocommit, row_factory=row_factory, **options)
    try:
        configure(connection, **settings)
    except BaseException:
        connection.close()
        raise
    return connection


def configure(connection: _Connection, **settings: str | None) -> None:
    """Give a new connection its settings, in one statement.

    `settings` differ from `SESSION_SETTINGS`; None leaves one as the connection has it.
    """
    # In a transaction the settings would be gone with it, and a timeout of the server could come before them.
    autocommit, connection.autocommit = connection.autocommit, True
    wanted = {name: value for name, value in {**SESSION_SETTINGS, **settings}.items() if value is not None}
    cursor = connection.cursor()
    cursor.execute(_statement(wanted))
    cursor.close()
    connection.autocommit = autocommit


def _statement(settings: Mapping[str, str]) -> str:
    """Leaves out what is set already, and what the server is too old to know."""
    wanted = ", ".join(f"('{name}', '{value}')" for name, value in settings.items())
    return (
        f"select count(set_config(name, value, false)) from (values {wanted}) as wanted (name, value)"
        " where current_setting(name, true) <> value"
    )
