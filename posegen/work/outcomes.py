"""What follows from the end of an attempt: the row is put back, given up, or ended by an operator.

Every function reads the row under its lock and decides from that. What Dagster says of a run is a hint at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog

from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.error_codes import ErrorCode
from posegen.errors import ClaimSuperseded, RequestRefused
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.lost_runs import note_lost_run
from posegen.work.queue import DISPATCHED, FREE, Claim, Cost, Lease, Progress, Queue
from posegen.work.rules import RetryRule

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Work:
    """A kind of work: its queue, and what happens to a row that is put back, given up or cancelled.

    A home whose rows need more than their own columns changed (credits, events) overrides the methods.
    """

    queue: Queue

    def put_back(
        self, connection: Connection, progress: Progress, *, wait_seconds: float, reason: str, cost: Cost = FREE
    ) -> None:
        """Let a locked row wait for its next attempt."""
        detail = None if cost == FREE else reason
        self.queue.put_back(connection, progress, wait_seconds=wait_seconds, detail=detail, cost=cost)

    def give_up(
        self, connection: Connection, progress: Progress, *, code: ErrorCode, detail: str, cost: Cost = FREE
    ) -> None:
        """End a locked row that has not ended."""
        self.queue.fail(connection, progress.id, code=code, detail=detail, cost=cost)

    def cancel(self, connection: Connection, progress: Progress, *, actor: str) -> bool:
        """End a locked row whose run was cancelled; False when there is nothing left to cancel."""
        if progress.status != DISPATCHED:
            return False
        self.give_up(connection, progress, code=ErrorCode.CANCELLED, detail=f"cancelled by {actor}")
        return True


def start(
    connection: Connection,
    work: Work,
    progress: Progress,
    *,
    dispatch: int | None,
    run_id: str,
    lease_seconds: float,
    worker_home: UUID | None = None,
) -> Lease:
    """The lease of a locked row that begins to run.

    Args:
        connection: an open transaction.
        work: the kind of work.
        progress: where the locked row stands.
        dispatch: that of the claim that launched the run; None where it came with none.
        run_id: the run.
        lease_seconds: how long the worker may be silent.
        worker_home: where the run holds its file lock.

    Raises:
        ClaimSuperseded: another run owns the row.
    """
    claim = Claim(progress.id, dispatch or 0, progress.user_id)
    leases = work.queue.start(connection, [claim], run_id=run_id, lease_seconds=lease_seconds, worker_home=worker_home)
    if not leases:
        raise ClaimSuperseded(
            f"The {work.queue.noun} {progress.id} is {progress.status} under dispatch {progress.dispatch}; this run "
            f"came with dispatch {dispatch}. Nothing was changed; wait for the other run."
        )
    return leases[0]


def retry_or_give_up(
    connection: Connection,
    work: Work,
    progress: Progress,
    rule: RetryRule,
    *,
    reason: str,
    lost_lease: bool = False,
    at_once: bool = False,
    code: ErrorCode = ErrorCode.POISONED,
) -> bool:
    """Put a locked row back, or end it after its last attempt; returns whether it goes on.

    Args:
        connection: an open transaction.
        work: the kind of work.
        progress: where the locked row stands.
        rule: how often it may be tried.
        reason: what ended this attempt.
        lost_lease: whether its worker was lost, which is no error of the work's own.
        at_once: replace a lost worker without a pause; one that never came may be missed for a while.
        code: the error code of a row that is given up.
    """
    cost = Cost(lost_leases=1) if lost_lease else Cost(attempts=1)
    attempts, lost_leases = progress.attempts + cost.attempts, progress.lost_leases + cost.lost_leases
    if attempts >= rule.most_attempts or lost_leases >= rule.most_lost_leases:
        detail = f"given up after {attempts} errors and {lost_leases} lost leases; the last: {reason}"
        work.give_up(connection, progress, code=code, detail=detail, cost=cost)
        return False
    # A platform in trouble loses many runs in a row, and should not give everything up within seconds.
    wait = 0.0 if lost_lease and at_once else rule.wait_before(2 * lost_leases if lost_lease else attempts + 1)
    work.put_back(connection, progress, wait_seconds=wait, reason=reason, cost=cost)
    return True


@again_after_conflict
def retry_after_error(
    database: Database, work: Work, lease: Lease, rule: RetryRule, *, reason: str, code: ErrorCode = ErrorCode.POISONED
) -> bool | None:
    """Put a row back after an error of its own, or end it with `code` after the last attempt.

    Returns whether it goes on, or None when the lease is lost: then nothing is written.
    """
    with database.transaction() as connection:
        progress = work.queue.hold(connection, lease)
        if progress is None:
            return None
        return retry_or_give_up(connection, work, progress, rule, reason=reason, code=code)


@again_after_conflict
def retry_after_lost_contact(
    database: Database, work: Work, lease: Lease, rule: RetryRule, *, reason: str
) -> bool | None:
    """Put a row back whose worker could not reach the database: no error of the work's own. Returns as above."""
    with database.transaction() as connection:
        progress = work.queue.hold(connection, lease)
        if progress is None:
            return None
        return retry_or_give_up(connection, work, progress, rule, reason=reason, lost_lease=True)


@again_after_conflict
def refuse(database: Database, work: Work, lease: Lease, refusal: RequestRefused) -> bool:
    """End a row that no further attempt can make; returns False when the lease is lost."""
    with database.transaction() as connection:
        progress = work.queue.hold(connection, lease)
        if progress is None:
            return False
        work.give_up(connection, progress, code=refusal.code, detail=refusal.detail, cost=Cost(attempts=1))
        return True


@again_after_conflict
def release(database: Database, work: Work, lease: Lease, *, reason: str) -> bool:
    """Put a row back at the cost of no attempt; returns False when the lease is lost."""
    with database.transaction() as connection:
        progress = work.queue.hold(connection, lease)
        if progress is None:
            return False
        reached(CommitPoint.BEFORE_GIVING_BACK)
        work.put_back(connection, progress, wait_seconds=0, reason=reason)
    reached(CommitPoint.AFTER_GIVING_BACK)
    return True


@again_after_conflict
def cancel(database: Database, work: Work, lease: Lease, *, actor: str) -> bool:
    """Cancel the row that this lease is for; returns False when the lease is lost."""
    with database.transaction() as connection:
        progress = work.queue.hold(connection, lease)
        return progress is not None and work.cancel(connection, progress, actor=actor)


# --- runs that ended and left their rows open -------------------------------------------------------------------------


@again_after_conflict
def recover_run(
    database: Database, work: Work, claim: Claim, rule: RetryRule, *, reason: str, run_id: str | None = None
) -> bool:
    """Put back a row whose run has ended and left it open: it never began, or ended between two assets.

    One that never began is no error of the work's own: it counts like a lost lease.

    Args:
        database: where the row is.
        work: the kind of work.
        claim: what the run was launched for.
        rule: how often the row may be tried.
        reason: what ended the run.
        run_id: the run, when it failed by an error of its own between its assets.
    """
    with database.transaction() as connection:
        progress = _left_open(connection, work, claim, run_id)
        if progress is None:
            return False
        lost = progress.status == DISPATCHED
        retry_or_give_up(connection, work, progress, rule, reason=reason, lost_lease=lost)
        return True


@again_after_conflict
def release_run(database: Database, work: Work, claim: Claim, *, run_id: str) -> bool:
    """Put back a row whose run was asked to stop before it began or between two assets, at the cost of no attempt."""
    with database.transaction() as connection:
        progress = _left_open(connection, work, claim, run_id)
        if progress is None:
            return False
        work.put_back(connection, progress, wait_seconds=0, reason=f"run {run_id} was asked to stop")
        return True


@again_after_conflict
def cancel_run(database: Database, work: Work, claim: Claim, *, actor: str) -> bool:
    """End a row whose run was cancelled, unless it was claimed for another run since."""
    with database.transaction() as connection:
        progress = work.queue.progress_of(connection, claim.id)
        if progress is None or progress.dispatch != claim.dispatch:
            return False
        return work.cancel(connection, progress, actor=actor)


def take_away(
    connection: Connection, work: Work, progress: Progress, rule: RetryRule, *, reason: str, lost_lease: bool
) -> bool:
    """Put a locked running row back, out of reach of its run, and note that run as lost; returns whether it goes on."""
    if progress.run_id is not None:
        note_lost_run(connection, progress.run_id, work.queue.table, progress.id, reason)
    return retry_or_give_up(connection, work, progress, rule, reason=reason, lost_lease=lost_lease, at_once=True)


def _left_open(connection: Connection, work: Work, claim: Claim, run_id: str | None) -> Progress | None:
    """Where a row stands, locked, that waits for this run or is at work under it."""
    progress = work.queue.progress_of(connection, claim.id)
    if progress is None or progress.dispatch != claim.dispatch:
        return None
    is_running = progress.status == work.queue.running and progress.run_id == run_id
    return progress if progress.status == DISPATCHED or is_running else None
