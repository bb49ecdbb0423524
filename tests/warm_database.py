"""A `Database` that one test after the other uses: its sessions are cleaned between them, not opened anew.

A new session costs the server 14 ms of CPU until it has read the schema and planned its first statements.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from posegen.database.connection import Connection, Database
from tests.resets import reset

MOST_CONNECTIONS = 20
# What is beyond that was opened by a test with threads, and is seldom wanted by the next.
MOST_KEPT = 2


class WarmDatabase:
    """Hands out the database at `url`, reset to how `kept_as_it_is` remembers it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._kept: Database | None = None
        self._sessions: list[int] = []

    @contextmanager
    def for_a_test(self) -> Iterator[Database]:
        """The database, as if no other test had ever used it."""
        reset(self._url, spared=self._sessions)
        database = self._kept or Database(self._url, most_connections=MOST_CONNECTIONS)
        self._kept = None
        try:
            yield database
        finally:
            try:
                self._sessions = _cleaned_sessions(database)
                self._kept = database
            except (psycopg.Error, _NotWorthKeepingError):
                self._sessions = []
                database.close()

    def close(self) -> None:
        """End the sessions."""
        if self._kept is not None:
            self._kept.close()


class _NotWorthKeepingError(Exception):
    """The test has closed the database, has a connection in use, or has opened many."""


def _cleaned_sessions(database: Database) -> list[int]:
    """The sessions of the pool, none of which has a setting, a lock or a statement left of the test."""
    pool = database._pool
    stats = pool.get_stats()
    size = stats.get("pool_size", 0)
    if pool.closed or size > MOST_KEPT or stats.get("pool_available", 0) != size:
        raise _NotWorthKeepingError
    with ExitStack() as borrowed:
        connections = [borrowed.enter_context(pool.connection()) for _ in range(size)]
        for connection in connections:
            _clean(database, connection)
        return [connection.info.backend_pid for connection in connections]


def _clean(database: Database, connection: Connection) -> None:
    connection._prepared.clear()  # psycopg itself notices only the first `discard all` of a connection
    connection.execute("discard all")
    database._configure(connection)
