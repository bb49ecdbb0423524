"""Designs as a kind of work: validated and claimed, rendered under a lease, published or failed.

A design costs no credits. The statements live in `rows`; claims, leases and retries are those of `posegen.work`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from posegen.accounts import credits
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.database.failures import may_pass
from posegen.designs import rows
from posegen.designs.drawing import judge_design
from posegen.error_codes import ErrorCode
from posegen.errors import DesignUnknown, RequestRefused
from posegen.storage.protocol import ObjectInfo
from posegen.studio import register_charged
from posegen.work import slots
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.outcomes import Work, start
from posegen.work.queue import Claim, Lease, Queue
from posegen.work.rules import RetryRule
from posegen.work.steps import Apart

log = structlog.get_logger(__name__)

DESIGNS = Work(Queue("designs", noun="design", waiting="draft", running="rendering"))
_JUDGED_PER_TICK = 200


@dataclass(frozen=True)
class RenderedDesign:
    """A design whose files are stored and verified. `size_used`: points."""

    preview: ObjectInfo
    thumbnail: ObjectInfo
    printed: ObjectInfo | None
    size_used: float
    warnings: Sequence[str]


def design_rule(rule: RetryRule) -> RetryRule:
    """The rule for designs: they are free and take a second, so they have one attempt more than generations."""
    return replace(rule, most_attempts=rule.most_attempts + 1)


def claim_designs(database: Database, *, most_under_way: int, hosted: Collection[str] = ()) -> list[Claim]:
    """Validate and claim drafts, as many as there are free slots. A draft that cannot be made fails with its reason.

    Args:
        database: where the designs are.
        most_under_way: runs of all kinds that may be under way at once.
        hosted: backends whose runs are not counted.

    Raises `PartlyDone` with the claims when some drafts could not be validated now.
    """
    with database.transaction() as connection:
        waiting = DESIGNS.queue.waiting_ids(connection, _JUDGED_PER_TICK)
    apart, claims = Apart(), list[Claim]()
    for design_id in waiting:
        with apart.each():
            judged, is_full = _claim_beside_others(database, design_id, most_under_way, hosted)
            if is_full:
                break
            claims += judged
    return apart.settle(claims)


@again_after_conflict
def _claim_beside_others(
    database: Database, design_id: UUID, most_under_way: int, hosted: Collection[str]
) -> tuple[list[Claim], bool]:
    """The claim of this draft, if it can be made; and whether every slot is taken."""
    with database.transaction() as connection:
        slots.lock_claiming(connection)
        if not slots.free_slots(connection, DESIGNS.queue, most=most_under_way, hosted=hosted):
            return [], True
        return _judge_and_claim(connection, design_id), False


@again_after_conflict
def claim_design(database: Database, design_id: UUID) -> Claim | None:
    """Validate and claim this draft. Returns None when it does not wait, or cannot be made."""
    with database.transaction() as connection:
        return next(iter(_judge_and_claim(connection, design_id)), None)


@again_after_conflict
def start_design(
    database: Database,
    design_id: UUID,
    *,
    dispatch: int | None,
    run_id: str,
    lease_seconds: float,
    worker_home: UUID | None = None,
) -> Lease | None:
    """The lease of a design that is rendered from now on, or None when it has ended.

    Args:
        database: where the design is.
        design_id: the design.
        dispatch: that of the claim that launched the run; a run started by hand has none and claims for itself.
        run_id: the run.
        lease_seconds: how long the worker may be silent.
        worker_home: where the run holds its file lock.

    Raises:
        DesignUnknown: there is no such design.
        ClaimSuperseded: another run owns it.
    """
    with database.transaction() as connection:
        progress = DESIGNS.queue.progress_of(connection, design_id)
        if progress is None:
            raise DesignUnknown(design_id)
        if progress.status in {"published", "failed"}:
            return None
        if dispatch is None:
            dispatch = next((claim.dispatch for claim in DESIGNS.queue.claim(connection, [design_id])), None)
        return start(
            connection,
            DESIGNS,
            progress,
            dispatch=dispatch,
            run_id=run_id,
            lease_seconds=lease_seconds,
            worker_home=worker_home,
        )


@again_after_conflict
def publish(database: Database, lease: Lease, rendered: RenderedDesign, *, store: str) -> None:
    """Register the objects of a design, count them against the quota and publish it, in one transaction.

    Raises:
        LeaseLost: another worker owns the design, or it was deleted.
        RequestRefused: the user has no space left for its files (quota_exceeded).
    """
    reached(CommitPoint.BEFORE_COMMIT)
    with database.transaction() as connection:
        progress = DESIGNS.queue.hold(connection, lease)
        if progress is None:
            raise DESIGNS.queue.lost(lease)
        ids = [
            None if stored is None else register_charged(connection, store, stored, user_id=progress.user_id)
            for stored in (rendered.preview, rendered.thumbnail, rendered.printed)
        ]
        rows.publish(connection, lease, ids, size_used=rendered.size_used, warnings=rendered.warnings)
    reached(CommitPoint.AFTER_COMMIT)


def _judge_and_claim(connection: Connection, design_id: UUID) -> list[Claim]:
    if not DESIGNS.queue.lock_waiting(connection, design_id):
        return []
    try:
        with connection.transaction():
            _judge(connection, design_id)
    except RequestRefused as refusal:
        DESIGNS.queue.fail(connection, design_id, code=refusal.code, detail=refusal.detail)
        return []
    except Exception as defect:
        if may_pass(defect):  # trouble with the server passes, a refusal would stay
            raise
        # A request that cannot be read, or that meets a defect of ours, must not stop the others.
        log.exception("a design was not judged", design=str(design_id))
        detail = f"Intake met a defect: {type(defect).__name__}: {defect}"
        DESIGNS.queue.fail(connection, design_id, code=ErrorCode.POISONED, detail=detail)
        return []
    return DESIGNS.queue.claim(connection, [design_id])


def _judge(connection: Connection, design_id: UUID) -> None:
    """Raises `RequestRefused`, or an error of reading the request."""
    request = rows.request_of(connection, design_id)
    assert request is not None, "its row is locked"
    judge_design(request)
    if credits.balance_of(connection, request.user_id) is None:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, f"There is no user {request.user_id}: insert the user before the request."
        )
