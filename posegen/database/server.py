"""Which PostgreSQL server is used, and the two databases on it: the application's and Dagster's.

`DATABASE_URL` names a server; without it the embedded one serves. What stands in the databases is none of its business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from posegen.database.embedded import EmbeddedServer, ServerAddress
from posegen.errors import DatabaseUnusable
from posegen.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]

# The oldest version that its makers maintain (14 ended in November 2026).
OLDEST_VERSION = 15
APPLICATION_DATABASE = "posegen"
MAINTENANCE_DATABASES = ("postgres", "template1")
CONNECT_SECONDS = 10
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
        keep_running: to be called from time to time by whoever uses the server for long; starts a dead one again.
    """

    application: str = field(repr=False)
    dagster: str = field(repr=False)
    embedded: bool
    keep_running: Callable[[], object] = field(default=lambda: None, repr=False, compare=False)


@contextmanager
def open_server(settings: Settings) -> Iterator[DatabaseUrls]:
    """Use the server for the length of the block; both databases exist then.

    Raises `DatabaseUnusable` or `EmbeddedServerFailed`.
    """
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
        yield replace(urls, keep_running=server.ensure_running)


def address_url(address: ServerAddress, database: str = APPLICATION_DATABASE) -> str:
    """The URL of a database on the embedded server."""
    login = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
    # The embedded server has no TLS, and a PGSSLMODE in somebody's environment must not ask for it.
    return f"postgresql://{login}@{address.host}:{address.port}/{quote(database, safe='')}?sslmode=disable"


@dataclass(frozen=True)
class ServerUrl:
    """A URL taken apart just far enough to aim it at another database of the same server.

    Attributes:
        login: user, password, host and port as they were written, with special characters percent-encoded.
        options: what follows the question mark, or nothing.
        database: the name in the URL.
        user: who logs in, for messages.
    """

    login: str = field(repr=False)
    options: str = field(repr=False)
    database: str
    user: str

    def on(self, database: str, scheme: str = "postgresql") -> str:
        """The same server, login and options, with another database or driver."""
        return f"{scheme}://{self.login}/{quote(database, safe='')}" + (f"?{self.options}" if self.options else "")


def parse_url(url: str) -> ServerUrl:
    """Check the URL and take it apart; a URL without a database means `posegen`.

    Raises `DatabaseUnusable`, which never quotes the URL: there is a password in it.
    """
    unreadable = DatabaseUnusable(
        "DATABASE_URL cannot be read. It should look like postgresql://user:password@host:5432/posegen, with the "
        "special characters of a password percent-encoded (@ as %40, : as %3A, / as %2F, # as %23, ? as %3F). A Unix "
        "socket is given as postgresql://user:password@/posegen?host=/folder."
    )
    try:
        parts = urlsplit(url)
        database = unquote(parts.path.removeprefix("/")) or APPLICATION_DATABASE
        aimed = ServerUrl(parts.netloc, parts.query, database, user="")
        by_libpq = conninfo_to_dict(aimed.on(database))
        by_sqlalchemy = make_url(aimed.on(database))
    except (ValueError, psycopg.ProgrammingError, ArgumentError):
        raise unreadable from None
    # Dagster's driver and ours each read the URL by their own rules; where they disagree, something is not encoded.
    agreed = (by_sqlalchemy.username, by_sqlalchemy.password) == (by_libpq.get("user"), by_libpq.get("password"))
    known = parts.scheme.partition("+")[0] in ("postgresql", "postgres")
    if not known or not agreed or parts.fragment or "/" in database or "%2f" in parts.netloc.rpartition("@")[2].lower():
        raise unreadable
    return replace(aimed, user=str(by_libpq.get("user") or "your_user"))


def _prepare(url: ServerUrl, dagster_database: str, *, embedded: bool) -> DatabaseUrls:
    if dagster_database == url.database:
        raise DatabaseUnusable(
            f"Dagster needs a database of its own, and both DATABASE_URL and DAGSTER_DATABASE name {url.database!r}. "
            "Set DAGSTER_DATABASE to another name."
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
        check_version(connection.info.server_version)
        _check_database(connection, database, url.user)


def _connect(url: ServerUrl, database: str) -> Connection:
    return psycopg.connect(url.on(database), autocommit=True, connect_timeout=CONNECT_SECONDS)


def _connect_again(url: ServerUrl, database: str) -> Connection:
    try:
        return _connect(url, database)
    except psycopg.OperationalError as refused:
        raise DatabaseUnusable(
            f"The server works, but refuses the user {url.user!r} in the database {database!r}: {_said(refused)}. Have "
            "an administrator let this user in."
        ) from refused


def _create_database(url: ServerUrl, database: str, refused: psycopg.OperationalError) -> None:
    """Create the database if it is what was missing when the server refused us; else say why it refused."""
    with _connect_for_maintenance(url, refused) as connection:
        check_version(connection.info.server_version)
        connection.execute("select pg_advisory_lock(%s)", [_CREATE_LOCK])
        if connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
            return
        name = sql.Identifier(database)
        try:
            connection.execute(sql.SQL("create database {} template template0 encoding 'UTF8'").format(name))
        except psycopg.errors.DuplicateDatabase:
            return
        except psycopg.Error as failed:
            raise DatabaseUnusable(
                f"The database {database!r} does not exist and could not be created: {_said(failed)}. Have an "
                f"administrator run: {_creation(database, url.user)};"
            ) from failed


def _connect_for_maintenance(url: ServerUrl, refused: psycopg.OperationalError) -> Connection:
    for database in MAINTENANCE_DATABASES:
        try:
            return _connect(url, database)
        except psycopg.OperationalError:
            continue
    login_refused = refused.pgconn is not None and (refused.pgconn.used_password or refused.pgconn.needs_password)
    advice = "the user, password and database" if login_refused else "that the server runs, and the host and port"
    raise DatabaseUnusable(
        f"The database cannot be reached: {_said(refused)}. Check {advice} in DATABASE_URL."
    ) from refused


def check_version(version: int) -> None:
    """Refuse a server that is too old. `version`: as the server reports it, such as 140005 for 14.5.

    Raises `DatabaseUnusable`.
    """
    major, minor = divmod(version, 10_000)
    if major < OLDEST_VERSION:
        raise DatabaseUnusable(
            f"The server is PostgreSQL {major}.{minor}, and Posegen needs {OLDEST_VERSION} or newer. Upgrade it, or "
            "point DATABASE_URL to another one."
        )


def _check_database(connection: Connection, database: str, user: str) -> None:
    """Refuse a database that we could not work in. A database that has tables already is taken as it is."""
    found = connection.execute(
        """
        select pg_is_in_recovery(),
               to_regclass('alembic_version') is not null or has_schema_privilege(current_schema(), 'create')
        """
    ).fetchone()
    assert found is not None
    standby, may_create = found
    encoding = connection.info.parameter_status("server_encoding")
    if standby:
        raise DatabaseUnusable(
            f"The server of the database {database!r} is a read-only standby; use its primary server."
        )
    if encoding != "UTF8":
        raise DatabaseUnusable(
            f"The database {database!r} keeps its text as {encoding}, and Posegen needs UTF8. Drop it and create it "
            f"anew: {_creation(database, user)};"
        )
    if not may_create:
        statement = sql.SQL("grant create on schema public to {}").format(sql.Identifier(user)).as_string()
        raise DatabaseUnusable(
            f"The user {user!r} may not create tables in the database {database!r}. Have an administrator run there: "
            f"{statement};"
        )


def _creation(database: str, owner: str) -> str:
    statement = sql.SQL("create database {} owner {} template template0 encoding 'UTF8'")
    return statement.format(sql.Identifier(database), sql.Identifier(owner)).as_string()


def _said(error: psycopg.Error) -> str:
    return " ".join(str(error).split()).rstrip(".")
