"""What may happen to a design when: judged and claimed, rendered under a lease, published or failed, or tried again.

The small brother of what generations go through. A design is free: no credits move here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog

from posegen.database import designs, objects
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.database.designs import DesignClaim, DesignFiles, DesignLease, DesignProgress
from posegen.database.failures import may_pass
from posegen.error_codes import ErrorCode
from posegen.errors import ClaimSuperseded, DesignUnknown, LeaseLost, RequestRefused
from posegen.images.designs import judge_design
from posegen.ledger import credits, quota
from posegen.storage.protocol import ObjectInfo
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.steps import Apart

log = structlog.get_logger(__name__)

WAITS = (2.0, 4.0, 8.0)
"""Seconds before each further attempt after an error; after the last of them the design fails."""
RUN_SHOULD_HAVE_STARTED_SECONDS = 10.0
_JUDGED_PER_TICK = 200
_SWEPT_PER_TICK = 100


@dataclass(frozen=True)
class RenderedDesign:
    """A design whose files are stored and verified. `size_used`: points."""

    preview: ObjectInfo
    thumbnail: ObjectInfo
    printed: ObjectInfo | None
    size_used: float
    warnings: Sequence[str]


@again_after_conflict
def claim_designs(database: Database, *, most_under_way: int) -> list[DesignClaim]:
    """Judge and claim drafts, as many as there are free slots; one that cannot be made fails here, with its reason.

    Raises `PartlyDone` with the claims when some drafts could not be judged now.
    """
    apart = Apart()
    with database.transaction() as connection:
        designs.lock_claiming(connection)
        free = most_under_way - designs.count_under_way(connection)
        claims: list[DesignClaim] = []
        for design_id in designs.waiting_ids(connection, _JUDGED_PER_TICK) if free > 0 else []:
            if len(claims) >= free:
                break
            with apart.each(), connection.transaction():
                claim = _judge_and_claim(connection, design_id)
                if claim is not None:
                    claims.append(claim)
    return apart.settle(claims)


@again_after_conflict
def claim_design(database: Database, design_id: UUID) -> DesignClaim | None:
    """Judge and claim this draft, if nobody else has: None then, and when it cannot be made."""
    with database.transaction() as connection:
        return _judge_and_claim(connection, design_id)


@again_after_conflict
def claims_to_send_again(database: Database) -> list[DesignClaim]:
    """Claims whose run has not begun in time; sending the same run key again is harmless when the run exists."""
    with database.transaction() as connection:
        return designs.claims_without_run(connection, older_than_seconds=RUN_SHOULD_HAVE_STARTED_SECONDS)


@again_after_conflict
def start_design(
    database: Database, design_id: UUID, *, claim: int | None, run_id: str, lease_seconds: float
) -> DesignLease | None:
    """The lease of a design that is rendered from now on, or None when it has ended.

    `claim`: that which launched the run; a run started by hand has none and claims for itself. Raises `DesignUnknown`,
    and `ClaimSuperseded` when somebody else has the design now.
    """
    with database.transaction() as connection:
        progress = _known(connection, design_id)
        if progress.status in {"published", "failed"}:
            return None
        if claim is None:
            taken = designs.claim(connection, design_id)
            claim = None if taken is None else taken.claim
        lease = None
        if claim is not None:
            lease = designs.start(connection, design_id, claim=claim, run_id=run_id, lease_seconds=lease_seconds)
        if lease is None:
            raise ClaimSuperseded(
                f"Design {design_id} is a {progress.status} under claim {progress.claim}; this run came with claim "
                f"{claim}. Nothing was changed; wait for the other run."
            )
        return lease


@again_after_conflict
def publish(database: Database, lease: DesignLease, rendered: RenderedDesign, *, store: str) -> None:
    """Objects, quota and state in one transaction.

    Raises `LeaseLost` when somebody else has the design or it is gone, `RequestRefused` (quota_exceeded).
    """
    reached(CommitPoint.BEFORE_COMMIT)
    with database.transaction() as connection:
        if not designs.hold_still(connection, lease):
            raise LeaseLost(f"Design {lease.design_id} is no longer ours (claim {lease.claim}): nothing was written.")
        user_id = _known(connection, lease.design_id).user_id
        ids = [
            None if stored is None else _register(connection, store, stored, user_id)
            for stored in (rendered.preview, rendered.thumbnail, rendered.printed)
        ]
        assert ids[0] is not None, "a preview is always there"
        assert ids[1] is not None, "a thumbnail is always there"
        designs.publish(connection, lease, DesignFiles(ids[0], ids[1], ids[2], rendered.size_used, rendered.warnings))
    reached(CommitPoint.AFTER_COMMIT)


@again_after_conflict
def refuse(database: Database, lease: DesignLease, refusal: RequestRefused) -> bool:
    """End a design that cannot be made, whatever is tried; False when it is no longer ours."""
    with _ours(database, lease) as connection:
        if connection is None:
            return False
        designs.fail(connection, lease.design_id, code=refusal.code, detail=refusal.detail)
        return True


@again_after_conflict
def retry_after_error(database: Database, lease: DesignLease, *, code: ErrorCode, reason: str) -> bool:
    """Let a design wait for another attempt, or end it with `code` after the last; False when it is no longer ours."""
    with _ours(database, lease) as connection:
        if connection is None:
            return False
        _retry_or_fail(connection, _known(connection, lease.design_id), code, reason)
        return True


@again_after_conflict
def release(database: Database, lease: DesignLease) -> bool:
    """Put a design back because its worker is asked to stop; burns no attempt."""
    with _ours(database, lease) as connection:
        if connection is None:
            return False
        designs.put_back(connection, lease.design_id, wait_seconds=0, detail=None)
        return True


@again_after_conflict
def recover_lost_run(database: Database, claim: DesignClaim, *, reason: str) -> bool:
    """Put back a draft whose run has ended before it began to work."""
    with database.transaction() as connection:
        progress = designs.progress_of(connection, claim.design_id)
        if progress is None or progress.claimed_at is None or progress.claim != claim.claim:
            return False
        _retry_or_fail(connection, progress, ErrorCode.POISONED, reason)
        return True


@again_after_conflict
def cancel_claim(database: Database, claim: DesignClaim, *, actor: str) -> bool:
    """End a draft whose run somebody has cancelled before it began."""
    with database.transaction() as connection:
        progress = designs.progress_of(connection, claim.design_id)
        if progress is None or progress.claimed_at is None or progress.claim != claim.claim:
            return False
        designs.fail(connection, claim.design_id, code=ErrorCode.CANCELLED, detail=f"cancelled by {actor}")
        return True


@again_after_conflict
def sweep_expired_leases(database: Database, *, most_lost_leases: int) -> list[DesignProgress]:
    """Put back every design whose worker was silent for longer than its lease; returns where they stood.

    Raises `PartlyDone` when some could not be put back, after all others were.
    """
    apart = Apart()
    swept: list[DesignProgress] = []
    with database.transaction() as connection:
        for progress in designs.lock_expired(connection, _SWEPT_PER_TICK):
            with apart.each(), connection.transaction():
                _sweep(connection, progress, most_lost_leases)
                swept.append(progress)
    return apart.settle(swept)


def _sweep(connection: Connection, progress: DesignProgress, most_lost_leases: int) -> None:
    if progress.lost_leases + 1 >= most_lost_leases:
        detail = f"given up after {progress.lost_leases + 1} workers were lost while they rendered it"
        designs.fail(connection, progress.id, code=ErrorCode.POISONED, detail=detail)
    else:
        designs.put_back(connection, progress.id, wait_seconds=0, detail="the lease ran out", lost_leases=1)


def _judge_and_claim(connection: Connection, design_id: UUID) -> DesignClaim | None:
    if not designs.lock_waiting(connection, design_id):
        return None
    try:
        with connection.transaction():
            _judge(connection, design_id)
    except RequestRefused as refusal:
        designs.fail(connection, design_id, code=refusal.code, detail=refusal.detail)
        return None
    except Exception as defect:
        if may_pass(defect):  # trouble with the server passes, a refusal would stay
            raise
        # A request that cannot be read, or that meets a defect of ours, must not stop the others.
        log.exception("a design was not judged", design=str(design_id))
        detail = f"Intake met a defect: {type(defect).__name__}: {defect}"
        designs.fail(connection, design_id, code=ErrorCode.POISONED, detail=detail)
        return None
    return designs.claim(connection, design_id)


def _judge(connection: Connection, design_id: UUID) -> None:
    """Raises `RequestRefused`, and whatever reading the request raises."""
    request = designs.request_of(connection, design_id)
    assert request is not None, "its row is locked"
    judge_design(request)
    if credits.balance_of(connection, request.user_id) is None:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, f"There is no user {request.user_id}: insert the user before the request."
        )


def _retry_or_fail(connection: Connection, progress: DesignProgress, code: ErrorCode, reason: str) -> None:
    if progress.attempts >= len(WAITS):
        detail = f"given up after {progress.attempts + 1} attempts; the last: {reason}"
        designs.fail(connection, progress.id, code=code, detail=detail, attempts=1)
    else:
        wait = WAITS[progress.attempts]
        designs.put_back(connection, progress.id, wait_seconds=wait, detail=reason, attempts=1)


def _register(connection: Connection, store: str, stored: ObjectInfo, user_id: UUID) -> int:
    object_id, is_new = objects.register(connection, store, stored, generation_id=None, user_id=user_id)
    if is_new:
        quota.use(connection, user_id, stored.size)
    return object_id


def _known(connection: Connection, design_id: UUID) -> DesignProgress:
    progress = designs.progress_of(connection, design_id)
    if progress is None:
        raise DesignUnknown(design_id)
    return progress


@contextmanager
def _ours(database: Database, lease: DesignLease) -> Iterator[Connection | None]:
    """A transaction with the design locked, or None in its place when the lease is no longer ours."""
    with database.transaction() as connection:
        yield connection if designs.hold_still(connection, lease) else None
