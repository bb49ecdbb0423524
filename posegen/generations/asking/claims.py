"""Claims: which generations may start now, and the step from a claim to the lease of a running one."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from posegen.backends import breaker_rows as breakers
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.errors import ClaimSuperseded, GenerationCancelled, GenerationUnknown
from posegen.generations.asking import queue
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.rows import events, generations
from posegen.states import GenerationStatus
from posegen.work import slots
from posegen.work.outcomes import start
from posegen.work.queue import Claim, Lease


@again_after_conflict
def claim_next(database: Database, *, most_running: int, most_running_per_user: int = 0) -> list[Claim]:
    """Claim queued generations in fair order, as many as there are free slots.

    `most_running_per_user`: what one user has beyond that waits, and others go first; 0 for no limit. What needs a
    backend that is left alone waits; when its time is over, one generation of it is claimed to try.
    """
    with database.transaction() as connection:
        if not queue.any_waiting(connection):
            return []
        slots.lock_claiming(connection)
        free = slots.free_slots(connection, GENERATIONS.queue, most=most_running)
        if not free:
            return []
        under_way = queue.under_way_by_user(connection)
        return _claim(connection, free, under_way, most_running_per_user)


def _claim(connection: Connection, free: int, under_way: Counter[UUID], most_per_user: int) -> list[Claim]:
    held_back = breakers.open_breakers(connection)
    claims: list[Claim] = []
    for row in held_back:
        # One that is under way already finds out for all.
        if row.may_be_tried and len(claims) < free and not queue.any_under_way(connection, row.backend):
            claims += queue.claim_queued(connection, 1, only_backend=row.backend)
    not_backends = [row.backend for row in held_back]
    under_way.update(claim.user_id for claim in claims)
    if not most_per_user:
        return claims + queue.claim_queued(connection, free - len(claims), not_backends=not_backends)
    while len(claims) < free:
        full = [user for user, number in under_way.items() if number >= most_per_user]
        room = {user: most_per_user - number for user, number in under_way.items()}
        wanted = min([free - len(claims), most_per_user, *(left for left in room.values() if left > 0)])
        more = queue.claim_queued(connection, wanted, not_backends=not_backends, not_users=full)
        if not more:
            break
        claims += more
        under_way.update(claim.user_id for claim in more)
    return claims


@again_after_conflict
def start_work(
    database: Database,
    generation_id: UUID,
    *,
    dispatch: int | None,
    run_id: str,
    lease_seconds: float,
    worker_home: UUID | None = None,
) -> Lease | None:
    """The lease of a generation that begins to run, or None when it has ended and nothing is left to make.

    `dispatch` is that of the claim that launched the run; a run started by hand has none and claims for itself.
    `worker_home`: where the run holds its file lock.
    Raises `ClaimSuperseded` when another run owns the generation, `GenerationCancelled` when it was cancelled
    before its run began, `GenerationUnknown` when there is none.
    """
    with database.transaction() as connection:
        progress = GENERATIONS.queue.progress_of(connection, generation_id)
        if progress is None:
            raise GenerationUnknown(generation_id)
        status = GenerationStatus(progress.status)
        if status is GenerationStatus.CANCELLED and dispatch is not None:
            raise GenerationCancelled(generation_id)
        if status.is_terminal:
            return None
        if dispatch is None and status is GenerationStatus.QUEUED:
            claim = queue.claim_one(connection, generation_id)
            assert claim is not None, "the row is locked"
            dispatch = claim.dispatch
        lease = start(
            connection,
            GENERATIONS,
            progress,
            dispatch=dispatch,
            run_id=run_id,
            lease_seconds=lease_seconds,
            worker_home=worker_home,
        )
        events.record(connection, generation_id, "started", run=run_id, token=lease.token, dispatch=dispatch)
        return lease


@again_after_conflict
def resume_work(database: Database, generation_id: UUID, *, run_id: str) -> Lease | None:
    """The lease that this run took earlier, or None when the generation has ended.

    Raises `ClaimSuperseded` when the generation is not at work under this run, `GenerationCancelled` when it was
    cancelled while it was, `GenerationUnknown` when there is none.
    """
    with database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id)
    if progress is None:
        raise GenerationUnknown(generation_id)
    if progress.status is GenerationStatus.CANCELLED and progress.run_id == run_id:
        raise GenerationCancelled(generation_id)
    if progress.status.is_terminal:
        return None
    if progress.status is not GenerationStatus.RUNNING or progress.run_id != run_id:
        raise ClaimSuperseded(
            f"Generation {generation_id} is {progress.status} under run {progress.run_id}, not under run {run_id}. "
            "Nothing was changed; wait until it has ended."
        )
    return Lease(generation_id, progress.token)
