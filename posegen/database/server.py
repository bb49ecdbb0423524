"""Which PostgreSQL server is used, and the two databases on it: the application's and Dagster's.

`DATABASE_URL` names a server; without it the embedded one serves. Whether a database can be worked in is decided in
`fitness.py`; what stands in the databases is none of its business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import errors, sql
from psycopg.rows import tuple_row

from posegen.database import fitness, session
from posegen.database.embedded import EmbeddedServer, ServerAddress
from posegen.database.failures import advice_on_refusal, describe
from posegen.database.libpq_environment import drop_libpq_variables, libpq_variables
from posegen.database.server_url import APPLICATION_DATABASE, ServerUrl, parse_url
from posegen.errors import DatabaseUnusable
from posegen.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]

MAINTENANCE_DATABASES = ("postgres", "template1")
# Dagster speaks to PostgreSQL through SQLAlchemy, which would take a bare `postgresql://` for another driver.
DAGSTER_SCHEME = "postgresql+psycopg2"
# Two processes may create the databases at once; the second waits and then finds them.
_CREATE_LOCK = 0x706F7364


@dataclass(frozen=True)
class DatabaseUrls:
    """Where the databases are. `repr` leaves the passwords out.

    Attributes:
        application: `postgresql://...`, for psycopg and `psql`.
        dagster: `postgresql+psycopg2://...`, for SQLAlchemy.
        embedded: whether the server is ours to start and stop.
        ignored: names of libpq's variables that were set and do not count.
        keep_running: to be called now and then during long use; restarts a server that died.
    """

    application: str = field(repr=False)
    dagster: str = field(repr=False)
    embedded: bool
    ignored: Sequence[str] = ()
    keep_running: Callable[[], object] = field(default=lambda: None, repr=False, compare=False)


@contextmanager
def open_server(settings: Settings) -> Iterator[DatabaseUrls]:
    """Use the server for the length of the block; both databases exist then.

    Raises `DatabaseUnusable` or `EmbeddedServerFailed`.
    """
    ignored = drop_libpq_variables(os.environ, embedded=settings.database_url is None)
    if settings.database_url is not None:
        yield _prepare(parse_url(settings.database_url), settings.dagster_database, embedded=False)
        return
    server = EmbeddedServer(settings.posegen_home)
    with server as address:
        try:
            urls = _prepare(parse_url(address_url(address)), settings.dagster_database, embedded=True)
        except DatabaseUnusable:
            # It may have died between its answer and our visit; a live one says the same again.
            address = server.ensure_running()
            urls = _prepare(parse_url(address_url(address)), settings.dagster_database, embedded=True)
        yield replace(urls, ignored=ignored, keep_running=server.ensure_running)


def address_url(address: ServerAddress, database: str = APPLICATION_DATABASE) -> str:
    """The URL of a database on the embedded server."""
    login = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
    # The embedded server has no TLS. Other programs are given this URL, too, and would ask for it where PGSSLMODE does.
    return f"postgresql://{login}@{address.host}:{address.port}/{quote(database, safe='')}?sslmode=disable"


def _prepare(url: ServerUrl, dagster_database: str, *, embedded: bool) -> DatabaseUrls:
    if dagster_database == url.database:
        raise DatabaseUnusable(
            f"Dagster needs a database of its own, and DAGSTER_DATABASE names the application's, {url.database!r}. Set "
            "DAGSTER_DATABASE to another name."
        )
    for database in (url.database, dagster_database):
        _ensure_database(url, database)
    return DatabaseUrls(url.on(url.database), url.on(dagster_database, DAGSTER_SCHEME), embedded)


def _ensure_database(url: ServerUrl, database: str) -> None:
    try:
        connection = _connect(url, database)
    except psycopg.OperationalError as refused:
        _create_database(url, database, refused)
        connection = _connect_again(url, database)
    with connection:
        fitness.check_version(connection.info.server_version)
        fitness.check_pooling(connection, lambda: _connect(url, database))
        fitness.check_database(connection, database, url.user)


def _connect(url: ServerUrl, database: str) -> Connection:
    return session.connect(url.on(database), application="posegen", row_factory=tuple_row)


def _connect_again(url: ServerUrl, database: str) -> Connection:
    try:
        return _connect(url, database)
    except psycopg.OperationalError as refused:
        raise DatabaseUnusable(
            f"The server works, but refuses the user {url.user!r} in the database {database!r}: {_said(refused)}. "
            + advice_on_refusal(refused, otherwise="Have an administrator let this user in.")
        ) from refused


def _create_database(url: ServerUrl, database: str, refused: psycopg.OperationalError) -> None:
    """Create the database if it is what was missing when the server refused us; else say why it refused."""
    with _connect_for_maintenance(url, refused) as connection:
        fitness.check_version(connection.info.server_version)
        connection.execute("select pg_advisory_lock(%s)", [_CREATE_LOCK])
        if connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
            return
        name = sql.Identifier(database)
        try:
            connection.execute(sql.SQL("create database {} template template0 encoding 'UTF8'").format(name))
        except psycopg.errors.DuplicateDatabase:
            return
        except errors.ReadOnlySqlTransaction as read_only:
            raise DatabaseUnusable(describe(read_only)) from read_only
        except psycopg.Error as failed:
            raise DatabaseUnusable(
                f"The database {database!r} does not exist and could not be created: {_said(failed)}. Have an "
                f"administrator run: {fitness.creation(database, url.user)};"
            ) from failed


def _connect_for_maintenance(url: ServerUrl, refused: psycopg.OperationalError) -> Connection:
    for database in MAINTENANCE_DATABASES:
        try:
            return _connect(url, database)
        except psycopg.OperationalError:
            continue
    login_refused = refused.pgconn is not None and (refused.pgconn.used_password or refused.pgconn.needs_password)
    checked = "the user, password and database" if login_refused else "that the server runs, and the host and port"
    advice = advice_on_refusal(
        refused, otherwise=f"Check {checked} in DATABASE_URL.", variables=libpq_variables(os.environ)
    )
    raise DatabaseUnusable(f"The database cannot be reached: {_said(refused)}. {advice}") from refused


def _said(error: psycopg.Error) -> str:
    return " ".join(str(error).split()).rstrip(".")
