"""Whether Posegen can work in a database: its version, the way to it, its encoding, and whether it takes writes.

Each check raises `DatabaseUnusable` with what is wrong and what mends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

from posegen.errors import DatabaseUnusable

Connection = psycopg.Connection[tuple[Any, ...]]

# The oldest version that its makers maintain (14 ended in November 2026).
OLDEST_VERSION = 15
_POOLING_ROUNDS = 3
# Where `default_transaction_read_only` comes from, as `pg_settings.source` says, and what takes it back.
_RESETS = {
    "database": "alter database {database} reset default_transaction_read_only",
    "user": "alter role {user} reset default_transaction_read_only",
    "database user": "alter role {user} in database {database} reset default_transaction_read_only",
}


def check_version(version: int) -> None:
    """Refuse a server that is too old. `version`: as the server reports it, such as 140005 for 14.5."""
    major, minor = divmod(version, 10_000)
    if major < OLDEST_VERSION:
        raise DatabaseUnusable(
            f"The server is PostgreSQL {major}.{minor}, and Posegen needs {OLDEST_VERSION} or newer. Upgrade it, or "
            "point DATABASE_URL to another one."
        )


def check_pooling(connection: Connection, open_another: Callable[[], Connection]) -> None:
    """Refuse a pooler that gives each transaction another backend.

    Posegen listens, and has settings and locks that last as long as a session.
    """
    # A pooler makes up the number that clients cancel with, so that on the direct way one statement is enough.
    if connection.info.backend_pid == _backend(connection) == _backend(connection):
        return
    with open_another() as another:
        if not transactions_are_pooled(lambda: _backend(connection), lambda: _backend(another)):
            return
    row = connection.execute(
        "select coalesce(host(inet_server_addr()), 'its Unix socket'), current_setting('port')"
    ).fetchone()
    assert row is not None, "it has no condition"
    address, port = row
    raise DatabaseUnusable(
        f"DATABASE_URL leads to a pooler in transaction mode ({connection.info.host}, port {connection.info.port}), "
        "where LISTEN and session settings do not work. Give it the server's own host and port (behind this pooler the "
        f"server listens at {address}, port {port}), or a pooler in session mode."
    )


def transactions_are_pooled(backend_of_one: Callable[[], int], backend_of_another: Callable[[], int]) -> bool:
    """Whether two sessions that are open at once share a backend, or one of them changes its own.

    Each argument runs a transaction in its session and returns `pg_backend_pid()`.
    """
    ones: set[int] = set()
    others: set[int] = set()
    for _ in range(_POOLING_ROUNDS):
        ones.add(backend_of_one())
        others.add(backend_of_another())
    return len(ones) > 1 or len(others) > 1 or bool(ones & others)


def check_database(connection: Connection, database: str, user: str) -> None:
    """Refuse a database that we could not work in. A database that has tables already is taken as it is."""
    found = connection.execute(
        """
        select pg_is_in_recovery(),
               current_setting('transaction_read_only')::boolean,
               current_setting('session_replication_role'),
               to_regclass('alembic_version') is not null or has_schema_privilege(current_schema(), 'create')
        """
    ).fetchone()
    assert found is not None, "it has no condition"
    standby, read_only, replication_role, may_create = found
    encoding = connection.info.parameter_status("server_encoding")
    if standby:
        raise DatabaseUnusable(
            f"The server of the database {database!r} is a read-only standby; use its primary server."
        )
    if read_only:
        raise DatabaseUnusable(
            f"The database {database!r} takes no writes: default_transaction_read_only is on, as providers set it when "
            f"a disk is full. Mend what it was set for; then {_writable_again(connection, database, user)}"
        )
    if replication_role != "origin":
        raise DatabaseUnusable(
            f"Triggers do not run in the database {database!r}: session_replication_role is {replication_role}, and "
            "balances would not follow their entries. Have an administrator reset it for the role and the database."
        )
    if encoding != "UTF8":
        raise DatabaseUnusable(
            f"The database {database!r} keeps its text as {encoding}, and Posegen needs UTF8. Drop it and create it "
            f"anew: {creation(database, user)};"
        )
    if not may_create:
        statement = sql.SQL("grant create on schema public to {}").format(sql.Identifier(user)).as_string()
        raise DatabaseUnusable(
            f"The user {user!r} may not create tables in the database {database!r}. Have an administrator run there: "
            f"{statement};"
        )


def creation(database: str, owner: str) -> str:
    """The statement that creates a database as Posegen needs it."""
    statement = sql.SQL("create database {} owner {} template template0 encoding 'UTF8'")
    return statement.format(sql.Identifier(database), sql.Identifier(owner)).as_string()


def _backend(connection: Connection) -> int:
    row = connection.execute("select pg_backend_pid()").fetchone()
    assert row is not None, "it has no condition"
    return int(row[0])


def _writable_again(connection: Connection, database: str, user: str) -> str:
    """What switches writes on, as the end of a sentence."""
    row = connection.execute("select source from pg_settings where name = 'default_transaction_read_only'").fetchone()
    source = row[0] if row is not None else ""
    if source == "client":
        return "remove it from PGOPTIONS, or from `options` in DATABASE_URL."
    if source in _RESETS:
        names = {"database": sql.Identifier(database), "user": sql.Identifier(user)}
        reset = sql.SQL(_RESETS[source]).format(**names).as_string()
        # The administrator's own session may begin read-only, too.
        return f"have an administrator run: set default_transaction_read_only = off; {reset};"
    return "have an administrator switch it off in the server's configuration."
