"""Slots: how many runs of all kinds of work together may be dispatched or running."""

from __future__ import annotations

from dataclasses import dataclass

from posegen.database.connection import Connection
from posegen.database.rows import existing
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


def free_slots(connection: Connection, queue: Queue, *, most: int) -> int:
    """How many runs may be claimed in this queue. A kind of work always has one slot, however busy the others are.

    Args:
        connection: a transaction that holds `lock_claiming`.
        queue: the table to claim from.
        most: runs of all kinds that may be dispatched or running.
    """
    runs = existing(
        connection,
        _Runs,
        """
        select count(distinct coalesce(batch, id)) as of_all,
               count(distinct coalesce(batch, id)) filter (where work = %s) as of_this
        from work_under_way
        """,
        [queue.table],
    )
    return max(most - runs.of_all, 1 - runs.of_this, 0)


def most_claimed(most_running: int) -> int:
    """Runs that may be dispatched or running, where so many run at once."""
    return most_running * (1 + CLAIMS_AHEAD)
