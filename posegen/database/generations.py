"""Statements about generations: the lease, progress, the end. One row is one customer request. See also `queue.py`.

Functions take an open transaction; which of them belong together is decided in `posegen.lifecycle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg.rows import class_row

from posegen.database.connection import Connection
from posegen.database.texts import storable
from posegen.states import GenerationStatus

PROGRESS: LiteralString = """
select id, user_id, status, dispatch, token, run_id, attempts, lost_leases, poses_total, poses_completed, poses_failed,
       formats, fit
from generations g
"""


@dataclass(frozen=True)
class Claim:
    """The right to start one run for a generation. `dispatch` tells this claim from earlier ones."""

    generation_id: UUID
    dispatch: int
    user_id: UUID
    poses_total: int


@dataclass(frozen=True)
class Lease:
    """The right to write to a generation, as long as nobody else was given a higher token."""

    generation_id: UUID
    token: int


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


def start(
    connection: Connection,
    generation_id: UUID,
    *,
    dispatch: int,
    run_id: str,
    lease_seconds: float,
    worker_home: UUID | None,
) -> Lease | None:
    """Turn a dispatched generation into a running one under a new token; None when this claim no longer holds."""
    with connection.cursor(row_factory=class_row(Lease)) as cursor:
        return cursor.execute(
            """
            update generations set status = 'running', token = token + 1, run_id = %s, worker_home = %s,
                progressed_at = now(), started_at = coalesce(started_at, now()),
                lease_expires_at = now() + make_interval(secs => %s)
            where id = %s and status = 'dispatched' and dispatch = %s
            returning id as generation_id, token
            """,
            [run_id, worker_home, lease_seconds, generation_id, dispatch],
        ).fetchone()


def renew(connection: Connection, lease: Lease, *, lease_seconds: float) -> bool:
    """Prolong the lease; False when it is no longer ours."""
    return _touch(
        connection,
        "update generations set lease_expires_at = now() + make_interval(secs => %(seconds)s)",
        lease,
        {"seconds": lease_seconds},
    )


def hold_still(connection: Connection, lease: Lease) -> bool:
    """Lock the generation for this transaction if the lease is still ours: the fence before every write."""
    return _touch(connection, "update generations set progressed_at = now()", lease, {})


def count_pose(connection: Connection, lease: Lease, *, completed: int = 0, failed: int = 0) -> bool:
    """Count poses that ended; False when the lease is no longer ours."""
    return _touch(
        connection,
        """
        update generations set progressed_at = now(), poses_completed = poses_completed + %(completed)s,
            poses_failed = poses_failed + %(failed)s
        """,
        lease,
        {"completed": completed, "failed": failed},
    )


def requeue(
    connection: Connection, progress: Progress, *, wait_seconds: float, attempts: int = 0, lost_leases: int = 0
) -> bool:
    """Put a generation that is under way back into the queue, out of reach of the worker that had it."""
    return (
        connection.execute(
            """
            update generations set status = 'queued', token = token + 1, lease_expires_at = null,
                not_before = now() + make_interval(secs => %s),
                attempts = attempts + %s, lost_leases = lost_leases + %s
            where id = %s and status = %s and token = %s and dispatch = %s
            """,
            [
                wait_seconds,
                attempts,
                lost_leases,
                progress.id,
                progress.status,
                progress.token,
                progress.dispatch,
            ],
        ).rowcount
        == 1
    )


def finish(
    connection: Connection, progress: Progress, status: GenerationStatus, *, code: str | None, detail: str | None
) -> bool:
    """End a generation that is under way; False when it has moved on since `progress` was read."""
    return (
        connection.execute(
            """
            update generations set status = %s, token = token + 1, lease_expires_at = null, finished_at = now(),
                error_code = %s, error_detail = %s
            where id = %s and status = %s and token = %s and dispatch = %s
            """,
            [
                status,
                code,
                detail and storable(detail),
                progress.id,
                progress.status,
                progress.token,
                progress.dispatch,
            ],
        ).rowcount
        == 1
    )


def progress_of(connection: Connection, generation_id: UUID, *, lock: bool = False) -> Progress | None:
    """Where this generation stands, locked for the transaction when asked for."""
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        statement: LiteralString = PROGRESS + " where id = %s"
        return cursor.execute(statement + (" for update" if lock else ""), [generation_id]).fetchone()


def put_contact_sheet(connection: Connection, generation_id: UUID, object_id: int) -> None:
    """Let this object be the contact sheet of a generation, which the caller has locked."""
    connection.execute("update generations set contact_sheet_object = %s where id = %s", [object_id, generation_id])


def _touch(connection: Connection, update: LiteralString, lease: Lease, values: dict[str, Any]) -> bool:
    guarded: LiteralString = update + " where id = %(id)s and token = %(token)s and status = 'running'"
    return connection.execute(guarded, {**values, "id": lease.generation_id, "token": lease.token}).rowcount == 1
