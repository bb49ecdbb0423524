"""Slots: how many runs may be dispatched or running.

Runs of all kinds of work share them. A run whose pictures a hosted backend makes mostly waits for it, so such runs have
slots of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import column, existing, value
from posegen.work.queue import Queue

# Dagster looks at its sensors every few seconds; a short row of claims ahead keeps the slots busy in between.
CLAIMS_AHEAD = 2


@dataclass(frozen=True)
class _Runs:
    of_all: int
    of_this: int


def lock_claiming(connection: Connection) -> None:
    """Let one claimer at a time count the free slots and fill them; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtext('posegen claims'))")


def free_slots(connection: Connection, queue: Queue, *, most: int, hosted: Collection[str] = ()) -> int:
    """How many runs may be claimed in this queue. A kind of work always has one slot, however busy the others are.

    Args:
        connection: a transaction that holds `lock_claiming`.
        queue: the table to claim from.
        most: runs of all kinds that may be dispatched or running.
        hosted: backends whose runs have slots of their own, and are not counted.
    """
    runs = existing(
        connection,
        _Runs,
        """
        select count(distinct coalesce(batch, id)) as of_all,
               count(distinct coalesce(batch, id)) filter (where work = %s) as of_this
        from work_under_way where backend is null or backend <> all(%s)
        """,
        [queue.table, list(hosted)],
    )
    return max(most - runs.of_all, 1 - runs.of_this, 0)


def free_waiting_slots(connection: Connection, *, most: int, hosted: Collection[str]) -> int:
    """How many runs of hosted backends may be claimed.

    Args:
        connection: a transaction that holds `lock_claiming`.
        most: such runs that may be dispatched or running.
        hosted: the names of these backends.
    """
    statement = "select count(distinct coalesce(batch, id)) from work_under_way where backend = any(%s)"
    return max(most - int(value(connection, statement, [list(hosted)])), 0)


def waiting_runs(connection: Connection, ids: Sequence[UUID], *, hosted: Collection[str]) -> set[UUID]:
    """Those of these rows whose runs have the slots of hosted backends."""
    statement = "select id from work_under_way where id = any(%s) and backend = any(%s)"
    return set(column(connection, statement, [list(ids), list(hosted)]))


def most_claimed(most_running: int) -> int:
    """Runs that may be dispatched or running, where so many run at once."""
    return most_running * (1 + CLAIMS_AHEAD)
