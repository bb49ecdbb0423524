"""Outcomes: how a generation ends, and how one that lost its worker goes back into the queue.

Every function reads the row under its lock and decides from that; Dagster's run status is a hint at most.
"""

from __future__ import annotations

from uuid import UUID

from posegen.database import events, exports, generations, poses, recovery
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.database.generations import Lease, Progress
from posegen.error_codes import ErrorCode
from posegen.errors import BackendHeldBack, LeaseLost
from posegen.graphemes import shorten
from posegen.ledger import quota
from posegen.states import GenerationStatus
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.rules import RetryRule
from posegen.work.steps import Apart

# So much later than the breaker allows does a generation come back that has just met it: another one tries first.
BEHIND_OTHERS_SECONDS = 5.0


@again_after_conflict
def finish_generation(database: Database, lease: Lease) -> GenerationStatus:
    """End a generation whose poses and exports are done, and give back what was not used. Raises `LeaseLost`."""
    with database.transaction() as connection:
        if not generations.hold_still(connection, lease):
            raise LeaseLost(f"Generation {lease.generation_id} is no longer ours (token {lease.token}).")
        progress = generations.progress_of(connection, lease.generation_id)
        assert progress is not None, "the row is locked"
        status, code, detail = _verdict(connection, progress)
        reached(CommitPoint.BEFORE_FINISH)
        end(connection, progress, status, code, detail, reason="generation finished")
    reached(CommitPoint.AFTER_FINISH)
    return status


@again_after_conflict
def release_lease(database: Database, lease: Lease, *, reason: str) -> bool:
    """Put a generation back into the queue because its worker is asked to stop; burns no attempt."""
    with database.transaction() as connection:
        progress = _ours(connection, lease)
        if progress is None:
            return False
        reached(CommitPoint.BEFORE_GIVING_BACK)
        generations.requeue(connection, progress, wait_seconds=0)
        events.record(connection, lease.generation_id, "released", reason=reason)
    reached(CommitPoint.AFTER_GIVING_BACK)
    return True


@again_after_conflict
def hold_back(database: Database, lease: Lease, held: BackendHeldBack) -> bool:
    """Put a generation back into the queue until its backend may be tried again; burns no attempt."""
    with database.transaction() as connection:
        progress = _ours(connection, lease)
        if progress is None:
            return False
        wait = held.wait + BEHIND_OTHERS_SECONDS
        generations.requeue(connection, progress, wait_seconds=wait)
        events.record(
            connection,
            lease.generation_id,
            "held_back",
            backend=held.backend,
            reason=shorten(held.reason, 500),
            wait=wait,
        )
        return True


def retry_after_error(
    database: Database, lease: Lease, rule: RetryRule, *, reason: str, code: ErrorCode = ErrorCode.POISONED
) -> bool:
    """Put a generation back after an error that was not a pose's own, or end it with `code` after the last attempt."""
    return _settle(database, lease, rule, reason=reason, lost_lease=False, code=code)


def retry_after_lost_contact(database: Database, lease: Lease, rule: RetryRule, *, reason: str) -> bool:
    """Put a generation back whose worker could not reach the database for a while: no error of the generation's."""
    return _settle(database, lease, rule, reason=reason, lost_lease=True)


@again_after_conflict
def recover_lost_run(
    database: Database,
    generation_id: UUID,
    dispatch: int,
    rule: RetryRule,
    *,
    reason: str,
    run_id: str | None = None,
) -> bool:
    """Put back a generation whose run has ended and left it open: it never began, or ended between two assets.

    One that never began is no error of the generation's: it counts like a lost lease. `run_id`: the run, when it failed
    by an error of its own between its assets.
    """
    with database.transaction() as connection:
        progress = _left_open(connection, generation_id, dispatch, run_id)
        if progress is None:
            return False
        never_began = progress.status is GenerationStatus.DISPATCHED
        retry_or_poison(connection, progress, rule, reason=reason, lost_lease=never_began, at_once=False)
        return True


@again_after_conflict
def release_interrupted_run(database: Database, generation_id: UUID, dispatch: int, *, run_id: str) -> bool:
    """Put back a generation whose run was asked to stop before it began or between two assets; burns no attempt."""
    with database.transaction() as connection:
        progress = _left_open(connection, generation_id, dispatch, run_id)
        if progress is None:
            return False
        generations.requeue(connection, progress, wait_seconds=0)
        events.record(connection, generation_id, "released", reason=f"run {run_id} was asked to stop")
        return True


def sweep_expired_leases(database: Database, rule: RetryRule) -> list[Progress]:
    """Put back every generation whose worker has been silent for longer than its lease; answers what they were.

    One that somebody has locked is left to the next sweep: a worker that hangs must not make the sweep hang.
    Raises `PartlyDone` when some could not be put back, after all others were.
    """
    with database.transaction() as connection:
        expired = recovery.expired_ids(connection)
    apart = Apart()
    swept: list[Progress] = []
    for generation_id in expired:
        with apart.each(), database.transaction() as connection:
            progress = recovery.lock_where(connection, generation_id, recovery.EXPIRED, {})
            if progress is None:
                continue
            take_away(connection, progress, rule, reason="the lease ran out", lost_lease=True)
            swept.append(progress)
    return apart.settle(swept)


def take_away(
    connection: Connection, progress: Progress, rule: RetryRule, *, reason: str, lost_lease: bool
) -> GenerationStatus:
    """Put a generation at work back, out of reach of the run that has it, and see that Dagster is told of that run."""
    if progress.run_id is not None:
        recovery.note_lost_run(connection, progress.run_id, progress.id, reason)
    return retry_or_poison(connection, progress, rule, reason=reason, lost_lease=lost_lease)


@again_after_conflict
def cancel(database: Database, generation_id: UUID, *, actor: str) -> bool:
    """Cancel a generation that has not ended; finished poses stay and stay paid for."""
    with database.transaction() as connection:
        return _cancel(connection, generation_id, actor)


@again_after_conflict
def cancel_run(database: Database, generation_id: UUID, dispatch: int, *, actor: str) -> bool:
    """Cancel a generation whose run was cancelled, unless another run has it by now."""
    with database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id, lock=True)
        if progress is None or progress.dispatch != dispatch:
            return False
        return _cancel(connection, generation_id, actor)


@again_after_conflict
def cancel_work(database: Database, lease: Lease, *, actor: str) -> bool:
    """Cancel the generation that this lease is for; False when somebody else has it by now."""
    with database.transaction() as connection:
        return _ours(connection, lease) is not None and _cancel(connection, lease.generation_id, actor)


def _cancel(connection: Connection, generation_id: UUID, actor: str) -> bool:
    row = connection.execute("select cancel_generation(%s, %s) as done", [generation_id, actor]).fetchone()
    return bool(row and row["done"])


def _ours(connection: Connection, lease: Lease) -> Progress | None:
    """Where the generation stands, locked, as long as the lease is ours."""
    progress = generations.progress_of(connection, lease.generation_id, lock=True)
    if progress is None or (progress.status, progress.token) != (GenerationStatus.RUNNING, lease.token):
        return None
    return progress


def _left_open(connection: Connection, generation_id: UUID, dispatch: int, run_id: str | None) -> Progress | None:
    """Where a generation stands, locked, that waits for this run or is at work under it."""
    progress = generations.progress_of(connection, generation_id, lock=True)
    if progress is None or progress.dispatch != dispatch:
        return None
    never_began = progress.status is GenerationStatus.DISPATCHED
    left_open = progress.status is GenerationStatus.RUNNING and progress.run_id == run_id
    return progress if never_began or left_open else None


@again_after_conflict
def _settle(
    database: Database,
    lease: Lease,
    rule: RetryRule,
    *,
    reason: str,
    lost_lease: bool,
    code: ErrorCode = ErrorCode.POISONED,
) -> bool:
    with database.transaction() as connection:
        progress = _ours(connection, lease)
        if progress is None:
            return False
        retry_or_poison(connection, progress, rule, reason=reason, lost_lease=lost_lease, at_once=False, code=code)
        return True


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


def retry_or_poison(
    connection: Connection,
    progress: Progress,
    rule: RetryRule,
    *,
    reason: str,
    lost_lease: bool,
    at_once: bool = True,
    code: ErrorCode = ErrorCode.POISONED,
) -> GenerationStatus:
    """Put a generation back, or end it after its last attempt; answers its state from now on.

    `at_once`: a worker that was lost is replaced without a pause; one that never came may be missed for a while.
    """
    attempts = progress.attempts + (not lost_lease)
    lost_leases = progress.lost_leases + lost_lease
    if attempts >= rule.most_attempts or lost_leases >= rule.most_lost_leases:
        status = GenerationStatus.PARTIAL if progress.poses_completed else GenerationStatus.FAILED
        detail = f"given up after {attempts} errors and {lost_leases} lost leases; the last: {reason}"
        end(connection, progress, status, code, detail, reason=f"generation given up: {code}")
        return status
    # A platform in trouble loses many runs in a row, and should not give everything up within seconds.
    wait = 0.0 if lost_lease and at_once else rule.wait_before(2 * lost_leases if lost_lease else attempts + 1)
    generations.requeue(
        connection, progress, wait_seconds=wait, attempts=int(not lost_lease), lost_leases=int(lost_lease)
    )
    events.record(
        connection,
        progress.id,
        "requeued",
        reason=shorten(reason, 500),
        attempts=attempts,
        lost_leases=lost_leases,
        wait=wait,
    )
    return GenerationStatus.QUEUED


def end(
    connection: Connection,
    progress: Progress,
    status: GenerationStatus,
    code: str | None,
    detail: str | None,
    *,
    reason: str,
) -> None:
    """End a generation: what is open is cancelled, and its credits and space go back. Its row is locked."""
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
