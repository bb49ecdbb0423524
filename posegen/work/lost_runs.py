"""Runs that lost their work, whatever their process may think: remembered until Dagster was told of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from posegen.database.connection import Connection
from posegen.database.texts import storable


@dataclass(frozen=True)
class LostRun:
    """A run whose work was taken away. `work`: the table of the work."""

    run_id: str
    work: str
    work_id: UUID
    reason: str


def note_lost_run(connection: Connection, run_id: str, work: str, work_id: UUID, reason: str) -> None:
    """Remember a run that Dagster has to be told of, in the transaction that took its work away."""
    connection.execute(
        "insert into lost_runs (run_id, work, work_id, reason) values (%s, %s, %s, %s) on conflict do nothing",
        [run_id, work, work_id, storable(reason)],
    )


def lost_runs(connection: Connection) -> list[LostRun]:
    """The runs that Dagster was not told of yet, the oldest first."""
    with connection.cursor(row_factory=class_row(LostRun)) as cursor:
        return cursor.execute(
            "select run_id, work, work_id, reason from lost_runs order by created_at limit 1000"
        ).fetchall()


def forget_lost_run(connection: Connection, run_id: str) -> None:
    """Dagster was told of this run."""
    connection.execute("delete from lost_runs where run_id = %s", [run_id])
