"""Outcomes: how a generation ends, and how one that lost its worker goes back into the queue.

Every function reads the row under its lock and decides from that; Dagster's run status is a hint at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from posegen.database import events, exports, generations, poses
from posegen.database.connection import Connection, Database
from posegen.database.generations import Lease, Progress
from posegen.error_codes import ErrorCode
from posegen.errors import LeaseLost
from posegen.ledger import quota
from posegen.states import GenerationStatus


@dataclass(frozen=True)
class RetryRule:
    """When to give up. `first_wait`: seconds before the second attempt, doubled for each further one."""

    most_attempts: int = 3
    most_lost_leases: int = 5
    first_wait: float = 2.0


def finish_generation(database: Database, lease: Lease) -> GenerationStatus:
    """End a generation whose poses and exports are done, and give back what was not used. Raises `LeaseLost`."""
    with database.transaction() as connection:
        if not generations.hold_still(connection, lease):
            raise LeaseLost(f"Generation {lease.generation_id} is no longer ours (token {lease.token}).")
        progress = generations.progress_of(connection, lease.generation_id)
        assert progress is not None, "the row is locked"
        status, code, detail = _verdict(connection, progress)
        _end(connection, progress, status, code, detail, reason="generation finished")
        return status


def release_lease(database: Database, lease: Lease, *, reason: str) -> bool:
    """Put a generation back into the queue because its worker is asked to stop; burns no attempt."""
    with database.transaction() as connection:
        progress = generations.progress_of(connection, lease.generation_id, lock=True)
        if progress is None or (progress.status, progress.token) != (GenerationStatus.RUNNING, lease.token):
            return False
        generations.requeue(connection, progress, wait_seconds=0)
        events.record(connection, lease.generation_id, "released", reason=reason)
        return True


def retry_after_error(
    database: Database, lease: Lease, rule: RetryRule, *, reason: str, code: ErrorCode = ErrorCode.POISONED
) -> None:
    """Put a generation back after an error that was not a pose's own, or end it with `code` after the last attempt."""
    with database.transaction() as connection:
        progress = generations.progress_of(connection, lease.generation_id, lock=True)
        if progress is not None and (progress.status, progress.token) == (GenerationStatus.RUNNING, lease.token):
            _retry_or_poison(connection, progress, rule, reason=reason, lost_lease=False, code=code)


def recover_lost_run(
    database: Database, generation_id: UUID, dispatch: int, rule: RetryRule, *, reason: str, run_id: str | None = None
) -> bool:
    """Put back a generation whose run has ended and left it open: it never began, or ended between two assets.

    `run_id`: the run, where it may have begun.
    """
    with database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id, lock=True)
        if progress is None or progress.dispatch != dispatch:
            return False
        never_began = progress.status is GenerationStatus.DISPATCHED
        left_open = progress.status is GenerationStatus.RUNNING and progress.run_id == run_id
        if not (never_began or left_open):
            return False
        _retry_or_poison(connection, progress, rule, reason=reason, lost_lease=False)
        return True


def sweep_expired_leases(database: Database, rule: RetryRule) -> list[Progress]:
    """Put back every generation whose worker has been silent for longer than its lease; answers what they were.

    One that somebody has locked is left to the next sweep: a worker that hangs must not make the sweep hang.
    """
    with database.transaction() as connection:
        expired = generations.expired_ids(connection)
    swept = []
    for generation_id in expired:
        with database.transaction() as connection:
            progress = generations.lock_expired(connection, generation_id)
            if progress is None:
                continue
            _retry_or_poison(connection, progress, rule, reason="the lease ran out", lost_lease=True)
            swept.append(progress)
    return swept


def cancel(database: Database, generation_id: UUID, *, actor: str) -> bool:
    """Cancel a generation that has not ended; finished poses stay and stay paid for."""
    with database.transaction() as connection:
        row = connection.execute("select cancel_generation(%s, %s) as done", [generation_id, actor]).fetchone()
        return bool(row and row["done"])


def _verdict(connection: Connection, progress: Progress) -> tuple[GenerationStatus, str | None, str | None]:
    if progress.poses_completed == 0:
        code, detail = poses.first_error(connection, progress.id) or (ErrorCode.BACKEND_REJECTED, "no pose was made")
        return GenerationStatus.FAILED, code, detail
    failed_export = next((row for row in exports.exports_of(connection, progress.id) if row.status == "failed"), None)
    if progress.poses_completed < progress.poses_total:
        return GenerationStatus.PARTIAL, *(poses.first_error(connection, progress.id) or (None, None))
    if failed_export is not None:
        return GenerationStatus.PARTIAL, failed_export.error_code, failed_export.error_detail
    return GenerationStatus.COMPLETED, None, None


def _retry_or_poison(
    connection: Connection,
    progress: Progress,
    rule: RetryRule,
    *,
    reason: str,
    lost_lease: bool,
    code: ErrorCode = ErrorCode.POISONED,
) -> None:
    attempts = progress.attempts + (not lost_lease)
    lost_leases = progress.lost_leases + lost_lease
    if attempts >= rule.most_attempts or lost_leases >= rule.most_lost_leases:
        status = GenerationStatus.PARTIAL if progress.poses_completed else GenerationStatus.FAILED
        detail = f"given up after {attempts} errors and {lost_leases} lost leases; the last: {reason}"
        _end(connection, progress, status, code, detail, reason=f"generation given up: {code}")
        return
    wait = 0.0 if lost_lease else rule.first_wait * 2 ** (attempts - 1)
    generations.requeue(
        connection, progress, wait_seconds=wait, attempts=int(not lost_lease), lost_leases=int(lost_lease)
    )
    events.record(
        connection, progress.id, "requeued", reason=reason[:500], attempts=attempts, lost_leases=lost_leases, wait=wait
    )


def _end(
    connection: Connection,
    progress: Progress,
    status: GenerationStatus,
    code: str | None,
    detail: str | None,
    *,
    reason: str,
) -> None:
    generations.finish(connection, progress, status, code=code, detail=detail)
    connection.execute("select end_open_poses(%s, %s, 'posegen')", [progress.id, reason])
    quota.give_back(connection, progress.id)
    events.record(
        connection,
        progress.id,
        status,
        error_code=code,
        poses_completed=progress.poses_completed,
        poses_failed=progress.poses_failed,
    )
