"""Runs that lost their work: their rows stay until the orchestrator has marked the runs as failed."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import many
from posegen.database.texts import storable


@dataclass(frozen=True)
class LostRun:
    """A run whose work was taken away. `work`: the table of the work."""

    run_id: str
    work: str
    work_id: UUID
    reason: str


def note_lost_run(connection: Connection, run_id: str, work: str, work_id: UUID, reason: str) -> None:
    """Note a run to be marked as failed, in the transaction that takes its work away."""
    connection.execute(
        "insert into lost_runs (run_id, work, work_id, reason) values (%s, %s, %s, %s) on conflict do nothing",
        [run_id, work, work_id, storable(reason)],
    )


def lost_runs(connection: Connection) -> list[LostRun]:
    """The runs that are not marked as failed yet, the oldest first."""
    statement = "select run_id, work, work_id, reason from lost_runs order by created_at limit 1000"
    return many(connection, LostRun, statement)


def forget_lost_run(connection: Connection, run_id: str) -> None:
    """Delete the note of a run that is marked as failed."""
    connection.execute("delete from lost_runs where run_id = %s", [run_id])
