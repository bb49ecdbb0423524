"""Statements about generations: where one stands, its counts, its end. One row is one customer request.

Functions take an open transaction and decide nothing. Claims and leases are in `posegen.work.queue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, LiteralString
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import changed, one
from posegen.database.texts import storable
from posegen.errors import GenerationUnknown
from posegen.states import GenerationStatus
from posegen.work.queue import Cost, Lease

_PROGRESS: LiteralString = """
select id, user_id, status, dispatch, token, run_id, attempts, lost_leases, poses_total, poses_completed, poses_failed,
       formats, fit
from generations g
"""


@dataclass(frozen=True)
class Progress:
    """Where a generation stands."""

    id: UUID
    user_id: UUID
    status: GenerationStatus
    dispatch: int
    token: int
    run_id: str | None
    attempts: int
    lost_leases: int
    poses_total: int
    poses_completed: int
    poses_failed: int
    formats: list[str]
    fit: Literal["contain", "cover"] | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", GenerationStatus(self.status))


def refuse(connection: Connection, generation_id: UUID, *, code: str, detail: str) -> None:
    """End a submitted generation as failed."""
    connection.execute(
        """
        update generations set status = 'failed', error_code = %s, error_detail = %s, finished_at = now()
        where id = %s and status = 'submitted'
        """,
        [code, storable(detail), generation_id],
    )


def count_pose(connection: Connection, lease: Lease, *, completed: int = 0, failed: int = 0) -> bool:
    """Count poses that ended; returns False when the lease is lost."""
    statement = """
        update generations set progressed_at = now(), poses_completed = poses_completed + %s,
            poses_failed = poses_failed + %s
        where id = %s and token = %s and status = 'running'
    """
    return changed(connection, statement, [completed, failed, lease.id, lease.token]) == 1


def finish(
    connection: Connection,
    generation_id: UUID,
    status: GenerationStatus,
    *,
    code: str | None,
    detail: str | None,
    cost: Cost,
) -> None:
    """End a locked generation that has not ended."""
    connection.execute(
        """
        update generations set status = %s, token = token + 1, lease_expires_at = null, finished_at = now(),
            error_code = %s, error_detail = %s, attempts = attempts + %s, lost_leases = lost_leases + %s
        where id = %s
        """,
        [status, code, detail and storable(detail), cost.attempts, cost.lost_leases, generation_id],
    )


def progress_of(connection: Connection, generation_id: UUID, *, lock: bool = False) -> Progress:
    """Where this generation stands. `lock`: until the transaction ends. Raises `GenerationUnknown`."""
    statement: LiteralString = f"{_PROGRESS} where id = %s {'for update' if lock else ''}"
    progress = one(connection, Progress, statement, [generation_id])
    if progress is None:
        raise GenerationUnknown(generation_id)
    return progress


def put_contact_sheet(connection: Connection, generation_id: UUID, object_id: int) -> None:
    """Set the contact sheet of a generation, which the caller has locked."""
    connection.execute("update generations set contact_sheet_object = %s where id = %s", [object_id, generation_id])
