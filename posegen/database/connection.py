"""Connections to the application's database: a small pool, transactions, and a connection that listens.

The statements themselves live beside this module, one file for each aggregate.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from posegen.database import session
from posegen.database.json_documents import read_json
from posegen.database.session import CONNECT_OPTIONS, CONNECT_SECONDS
from posegen.errors import DatabaseUnusable

Connection = psycopg.Connection[DictRow]
UNCHECKED_SECONDS = 1.0
"""A connection that was used within this time is lent without a round trip, unless the server has said something."""


class _Pooled(psycopg.Connection[DictRow]):
    """A connection of the pool. `used_at`: when it was given back last, by `time.monotonic()`."""

    used_at = float("-inf")


class Database:
    """The application's database as the rest of Posegen sees it.

    Args:
        url: `postgresql://user:password@host:port/database`.
        most_connections: upper bound of the pool; threads beyond it wait.
        idle_seconds: a transaction that is silent for longer is ended by the server. A worker that was stopped in the
            middle of one would hold its locks for as long as it is stopped.
        lock_seconds: a statement that waits longer for a lock raises `LockNotAvailable`; 0 for no limit.
    """

    def __init__(
        self, url: str, *, most_connections: int = 8, idle_seconds: float = 30, lock_seconds: float = 0
    ) -> None:
        self.url = url
        self._lock_seconds = lock_seconds
        self._idle_seconds = idle_seconds
        self._pool: ConnectionPool[_Pooled] = ConnectionPool(
            url,
            connection_class=_Pooled,
            min_size=0,
            max_size=most_connections,
            open=False,
            check=_check,
            configure=self._configure,
            # `transaction` begins its transactions itself; what `reading` lends has none.
            kwargs={"row_factory": dict_row, "autocommit": True, "application_name": "posegen", **CONNECT_OPTIONS},
            timeout=CONNECT_SECONDS * 2,
            reconnect_timeout=CONNECT_SECONDS,
        )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back when it raises.

        Raises `DatabaseUnusable` when no connection can be had.
        """
        with self._begun() as borrowed:
            yield borrowed

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        """A connection whose transaction has begun: nothing is lost when a BEGIN is sent again over another one.

        A server that has just ended its sessions leaves connections that no check has noticed yet, at most as many as
        the pool has.
        """
        with ExitStack() as held:
            for tries_left in reversed(range(self._pool.max_size + 1)):
                with ExitStack() as tried:
                    borrowed = tried.enter_context(self.reading())
                    try:
                        tried.enter_context(borrowed.transaction())
                    except psycopg.OperationalError:
                        if not tries_left:
                            raise
                        borrowed.close()
                        continue
                    held.push(tried.pop_all())
                    break
            yield borrowed

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for statements that only read, each on its own: two round trips less than `transaction`.

        Under READ COMMITTED each statement has a snapshot of its own in a transaction, too.

        Raises `DatabaseUnusable` when no connection can be had.
        """
        self._pool.open()
        try:
            borrowed = self._pool.getconn()
        except PoolTimeout as late:
            raise DatabaseUnusable(f"No connection to the database could be had: {late}") from late
        try:
            yield borrowed
        finally:
            borrowed.used_at = time.monotonic()
            self._pool.putconn(borrowed)

    @contextmanager
    def as_one_transaction(self) -> Iterator[Database]:
        """A database whose transactions are parts of one, which is committed at the end of the block.

        So several services are called that open a transaction each, and all of it is stored or nothing. Where a part
        raises, only that part is rolled back, unless the error leaves the block.
        """
        with self.transaction() as connection:
            yield _Part(self.url, connection)

    @contextmanager
    def listening(self, *channels: str) -> Iterator[Listener]:
        """A connection of its own that receives what is notified on these channels."""
        with session.connect(self.url, application="posegen listener", row_factory=dict_row) as connection:
            for channel in channels:
                connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel)))
            yield Listener(connection)

    def _configure(self, connection: Connection) -> None:
        set_json_loads(read_json, connection)
        session.configure(
            connection,
            idle_in_transaction_session_timeout=f"{self._idle_seconds * 1000:.0f}",
            lock_timeout=f"{self._lock_seconds * 1000:.0f}",
        )

    def close(self) -> None:
        """Give every connection back to the server."""
        self._pool.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Part(Database):
    """The database within a transaction of its connection."""

    def __init__(self, url: str, connection: Connection) -> None:
        self.url = url  # and no pool
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A savepoint within the transaction."""
        with self._connection.transaction():
            yield self._connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The transaction itself: a statement that fails ends all of it."""
        yield self._connection


def _check(connection: _Pooled) -> None:
    """Raise when the server has closed a connection, such as at a restart, so that the pool replaces it."""
    is_fresh = time.monotonic() - connection.used_at < UNCHECKED_SECONDS
    if not is_fresh or _has_arrived(connection):
        ConnectionPool.check_connection(connection)


def _has_arrived(connection: _Pooled) -> bool:
    """Whether the server has sent something between statements, or has closed the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Listener:
    """Receives notifications on its channels."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def wait(self, seconds: float, *, burst_seconds: float = 0.02) -> list[str]:
        """The payloads of what arrives within `seconds`, together with what follows close behind it.

        Returns as soon as something arrived and nothing followed for `burst_seconds`; an empty list means silence.
        """
        deadline = time.monotonic() + seconds
        heard = [notify.payload for notify in self._connection.notifies(timeout=seconds, stop_after=1)]
        while heard and time.monotonic() < deadline:
            more = [notify.payload for notify in self._connection.notifies(timeout=burst_seconds, stop_after=1)]
            if not more:
                break
            heard += more
        return heard
