"""Image requests on their way: who may make them, when they are tried again, and when they are given up.

Every decision is one transaction on rows that are locked; what the rows say is in `posegen.database.variants`.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from posegen.database import objects, variant_sources, variants
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Database
from posegen.database.variant_sources import SourcePicture
from posegen.database.variants import ImageRequest
from posegen.error_codes import ErrorCode
from posegen.errors import LeaseLost, RequestRefused
from posegen.images.pixels import EncodedImage
from posegen.ledger import quota
from posegen.ledger.credits import balance_of
from posegen.storage.protocol import ObjectInfo
from posegen.work.rules import RetryRule

REQUESTS_PER_CLAIM = 50
MOST_CLAIMS = 2
"""Claims under way at once: what is asked for in bulk must not take every slot from the generations."""
RUN_SHOULD_HAVE_STARTED_SECONDS = 10


@again_after_conflict
def claim_waiting(database: Database, *, limit: int = REQUESTS_PER_CLAIM) -> UUID | None:
    """Claim what waits, for one run; None when nothing does or enough is under way."""
    claim = uuid4()
    with database.transaction() as connection:
        variants.lock_claiming(connection)
        if variants.count_claims(connection) >= MOST_CLAIMS:
            return None
        return claim if variants.claim_waiting(connection, claim, limit) else None


@again_after_conflict
def claim_request(database: Database, request_id: UUID) -> UUID | None:
    """Claim one request, whatever else waits; None when somebody has it already."""
    claim = uuid4()
    with database.transaction() as connection:
        return claim if variants.claim_one(connection, claim, request_id) else None


@again_after_conflict
def claims_to_send_again(database: Database) -> list[UUID]:
    """Claims whose run has not begun in time; sending the same run key again is harmless when the run exists."""
    with database.transaction() as connection:
        return variants.claims_without_run(connection, older_than_seconds=RUN_SHOULD_HAVE_STARTED_SECONDS)


@again_after_conflict
def begin(database: Database, claim: UUID, *, lease_seconds: float) -> list[ImageRequest]:
    """Start to work on a claim; nothing is left of it when it was swept or another run came first."""
    with database.transaction() as connection:
        return variants.begin(connection, claim, lease_seconds=lease_seconds)


@again_after_conflict
def keep(database: Database, claim: UUID, request: ImageRequest, *, lease_seconds: float) -> None:
    """Prolong the lease before the next request is made. Raises `LeaseLost` when it is no longer ours."""
    with database.transaction() as connection:
        if not variants.renew(connection, claim, request.id, lease_seconds=lease_seconds):
            raise _lost(request)


@again_after_conflict
def release(database: Database, claim: UUID) -> int:
    """Give back what is left of a claim, at no attempt; answers how many requests."""
    with database.transaction() as connection:
        return variants.release(connection, claim)


@again_after_conflict
def sweep_lost(database: Database, rule: RetryRule) -> int:
    """Put back what lost its worker; answers how many requests."""
    with database.transaction() as connection:
        return variants.sweep_expired(connection, most_lost_leases=rule.most_lost_leases)


@again_after_conflict
def lose_claim(database: Database, claim: UUID, rule: RetryRule) -> int:
    """Put back a claim whose run has ended before it began; answers how many requests."""
    with database.transaction() as connection:
        return variants.lose_claim(connection, claim, most_lost_leases=rule.most_lost_leases)


@again_after_conflict
def check_user(database: Database, request: ImageRequest) -> None:
    """Raises `RequestRefused` when there is no such user."""
    with database.transaction() as connection:
        if balance_of(connection, request.user_id) is None:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, f"There is no user {request.user_id}: insert the user before the request."
            )


@again_after_conflict
def complete(
    database: Database,
    claim: UUID,
    request: ImageRequest,
    stored: tuple[ObjectInfo, ObjectInfo],
    normal: EncodedImage,
    *,
    source: SourcePicture,
    store: str,
) -> None:
    """Both objects, the user's space and the end of the request in one transaction.

    `stored`: normal and high quality. Raises `LeaseLost`, and `RequestRefused`: quota_exceeded, or invalid_request when
    the picture was hidden or deleted meanwhile.
    """
    with database.transaction() as connection:
        if not variant_sources.hold_source(connection, source):
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"The picture {source.key} was hidden or deleted before its variants were made: restore it, and ask "
                "again.",
            )
        ids = []
        for each in stored:
            object_id, is_new = objects.register(connection, store, each, generation_id=None, user_id=request.user_id)
            if is_new:
                quota.use(connection, request.user_id, each.size)
            ids.append(object_id)
        if not variants.complete(
            connection,
            claim,
            request.id,
            source=source,
            normal_object=ids[0],
            high_quality_object=ids[1],
            width=normal.width,
            height=normal.height,
        ):
            raise _lost(request)


@again_after_conflict
def fail(database: Database, claim: UUID, request: ImageRequest, code: ErrorCode, detail: str) -> None:
    """End a request that can never be made. Raises `LeaseLost`."""
    with database.transaction() as connection:
        if not variants.fail(connection, claim, request.id, code=code, detail=detail):
            raise _lost(request)


@again_after_conflict
def try_again(
    database: Database, claim: UUID, request: ImageRequest, rule: RetryRule, code: ErrorCode, detail: str
) -> bool:
    """Let a request wait for its next attempt; False when this was the last one and it has failed with `code`.

    Raises `LeaseLost`.
    """
    attempts = request.attempts + 1
    if attempts >= rule.most_attempts:
        fail(database, claim, request, code, f"given up after {attempts} attempts; the last: {detail}")
        return False
    with database.transaction() as connection:
        if not variants.put_back(
            connection, claim, request.id, detail=detail, wait_seconds=rule.wait_before(attempts + 1)
        ):
            raise _lost(request)
    return True


def _lost(request: ImageRequest) -> LeaseLost:
    return LeaseLost(f"Image request {request.id} is no longer ours: nothing was written.")
