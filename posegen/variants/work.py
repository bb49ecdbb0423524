"""Image requests as a kind of work: claimed in batches, made under leases, completed in one transaction.

The statements live in `rows`; claims, leases and retries are those of `posegen.work`.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from posegen.accounts.credits import balance_of
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Database
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused
from posegen.images.pixels import EncodedImage
from posegen.settings import Settings
from posegen.storage.protocol import ObjectInfo
from posegen.studio import register_charged
from posegen.variants import rows
from posegen.variants.rows import SourcePicture
from posegen.work import slots
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.outcomes import Work
from posegen.work.queue import Claim, Lease, Queue
from posegen.work.rules import RetryRule
from posegen.work.tick import WorkKind

VARIANTS = Work(Queue("image_variants", noun="image request", waiting="submitted", running="running"))
REQUESTS_PER_BATCH = 50
MOST_BATCHES = 2
"""Batches under way at once: requests in bulk must not take every slot from the generations."""


def kind(settings: Settings) -> WorkKind:
    """Image requests, as the tick of a sensor needs them: one run for each batch."""
    return WorkKind(
        "image_requests",
        VARIANTS,
        RetryRule.of(settings),
        stall_seconds=settings.posegen_stall_seconds,
        run_key=lambda claim: str(claim.batch),
        claim=claim_batch,
    )


@again_after_conflict
def claim_batch(database: Database, *, limit: int = REQUESTS_PER_BATCH) -> list[Claim]:
    """Claim waiting requests for one run; none when `MOST_BATCHES` are under way."""
    with database.transaction() as connection:
        slots.lock_claiming(connection)
        if VARIANTS.queue.runs_under_way(connection) >= MOST_BATCHES:
            return []
        waiting = VARIANTS.queue.waiting_ids(connection, limit)
        return VARIANTS.queue.claim(connection, waiting, batch=uuid4())


@again_after_conflict
def claim_request(database: Database, request_id: UUID) -> Claim | None:
    """Claim one request ahead of all others, as a batch; returns None when the request does not wait."""
    with database.transaction() as connection:
        return next(iter(VARIANTS.queue.claim(connection, [request_id], batch=uuid4())), None)


@again_after_conflict
def begin(
    database: Database, batch: UUID, *, run_id: str, lease_seconds: float, worker_home: UUID | None = None
) -> list[Lease]:
    """Start the claimed requests of a batch; returns their leases, none when another run has started them."""
    with database.transaction() as connection:
        return VARIANTS.queue.start(
            connection,
            VARIANTS.queue.claims_in(connection, batch),
            run_id=run_id,
            lease_seconds=lease_seconds,
            worker_home=worker_home,
        )


@again_after_conflict
def user_of(database: Database, lease: Lease) -> UUID:
    """The user of a request. Raises `LeaseLost`, and `RequestRefused` when there is no such user."""
    with database.transaction() as connection:
        progress = VARIANTS.queue.hold(connection, lease)
        if progress is None:
            raise VARIANTS.queue.lost(lease)
        if balance_of(connection, progress.user_id) is None:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, f"There is no user {progress.user_id}: insert the user before the request."
            )
        return progress.user_id


@again_after_conflict
def complete(
    database: Database,
    lease: Lease,
    user_id: UUID,
    stored: tuple[ObjectInfo, ObjectInfo],
    normal: EncodedImage,
    *,
    source: SourcePicture,
    store: str,
) -> None:
    """Register both objects, count them against the quota and complete the request, in one transaction.

    Args:
        database: where the request is.
        lease: the lease on the request.
        user_id: the user who asks.
        stored: the objects of the normal and the high-quality variant.
        normal: the file of the normal variant; both have its width and height.
        source: the picture that they are made of.
        store: the name of the store that has the objects.

    Raises:
        LeaseLost: another worker owns the request.
        RequestRefused: the user has no space left (quota_exceeded), or the picture was hidden or deleted meanwhile
            (invalid_request).
    """
    reached(CommitPoint.BEFORE_COMMIT)
    with database.transaction() as connection:
        if not rows.hold_source(connection, source):
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"The picture {source.key} was hidden or deleted before its variants were made: restore it, and ask "
                "again.",
            )
        ids = [register_charged(connection, store, each, user_id=user_id) for each in stored]
        if not rows.complete(
            connection,
            lease,
            source=source,
            normal_object=ids[0],
            high_quality_object=ids[1],
            width=normal.width,
            height=normal.height,
        ):
            raise VARIANTS.queue.lost(lease)
    reached(CommitPoint.AFTER_COMMIT)
