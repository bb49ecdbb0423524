"""Bringing the application's database to the newest schema.

The migrations lie in `migrations/versions`, views and functions in `migrations/repeatable`, all as SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from psycopg import sql
from psycopg.rows import tuple_row

from posegen.database import definitions, grants, session
from posegen.database.failures import describe
from posegen.database.session import CONNECT_OPTIONS
from posegen.errors import DatabaseUnusable

MIGRATIONS = Path(__file__).parent / "migrations"
# Two processes may start at once; the second waits for the first and then finds nothing to do.
_UPGRADE_LOCK = 0x706F7365
LOCK_TIMEOUT = "60s"


def upgrade_schema(url: str) -> str:
    """Run the missing migrations, bring views and functions up to date, and return the revision that holds now.

    Processes take turns. Raises `DatabaseUnusable` for a revision that this version does not know, and for what the
    server refuses.
    """
    try:
        _upgrade(url)
    except sqlalchemy.exc.DBAPIError as refused:
        raise DatabaseUnusable(f"The schema of the database is not upgraded. {_described(refused)}") from refused
    return newest_revision()


def _upgrade(url: str) -> None:
    config = Config()
    # A percent sign in the path would be taken for the beginning of a variable.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _connect(url) as connection, connection.begin():
        connection.execute(sqlalchemy.text("select pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        config.attributes["connection"] = connection
        # A session that waits for a table's lock blocks every session behind it.
        connection.execute(sqlalchemy.text("select set_config('lock_timeout', :time, true)"), {"time": LOCK_TIMEOUT})
        granted = grants.granted(connection)
        try:
            command.upgrade(config, "head")
        except CommandError as unknown:
            raise DatabaseUnusable(
                f"The database was made by another version of Posegen: {unknown}. Use the version that made it, or a "
                "newer one."
            ) from unknown
        definitions.apply_definitions(connection, _repeatable(), _newest_migration())
        grants.restore(connection, granted)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as refused:
        raise DatabaseUnusable(f"The revision of the database cannot be read. {describe(refused)}") from refused


@_readable()
def current_revision(url: str) -> str | None:
    """`revision_in` the database at `url`, read in a connection of its own."""
    with session.connect(url, application="posegen migrations", row_factory=tuple_row) as connection:
        return revision_in(connection)


@_readable()
def revision_in(connection: psycopg.Connection[Any]) -> str | None:
    """The revision of the database, or None when it has no schema yet.

    Raises `DatabaseUnusable` when the user may not read it.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        migration = _only_value(cursor, "alembic_version", "version_num")
        edition = _only_value(cursor, "definitions_version", "edition")
    return None if migration is None else _named(migration, edition)


def newest_revision() -> str:
    """The revision that this version of Posegen needs."""
    return _named(_newest_migration(), definitions.edition(_repeatable()))


def _named(migration: str, edition: int | None) -> str:
    """Such as 0011.3: the newest migration, and the edition of views and functions."""
    return migration if edition is None else f"{migration}.{edition}"


def _newest_migration() -> str:
    """By the names of the files, `NNNN_what_it_does.py`: Alembic would import them all, for every command."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _repeatable() -> Path:
    return MIGRATIONS / "repeatable"


def _only_value(cursor: psycopg.Cursor[tuple[Any, ...]], table: str, column: str) -> Any:
    """The value in a table of at most one row; None where the database has no such table or the table no row."""
    if cursor.execute("select to_regclass(%s)", [table]).fetchone() == (None,):
        return None
    row = cursor.execute(sql.SQL("select {} from {}").format(sql.Identifier(column), sql.Identifier(table))).fetchone()
    return None if row is None else row[0]


def _connect(url: str) -> sqlalchemy.Connection:
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=sqlalchemy.NullPool,
        connect_args={"application_name": "posegen migrations", **CONNECT_OPTIONS},
    )
    # Before SQLAlchemy looks at the session for itself.
    sqlalchemy.event.listen(engine, "connect", lambda opened, _: session.configure(opened), insert=True)
    return engine.connect()


def _described(refused: sqlalchemy.exc.DBAPIError) -> str:
    return describe(refused.orig) if isinstance(refused.orig, Exception) else str(refused)
