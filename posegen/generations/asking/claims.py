"""Claims: which generations may start now, and the step from a claim to the lease of a running one.

What every kind of work has in common is in `posegen.work`; what happens under the lease is in `making.work`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from posegen.backends import breaker_rows as breakers
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.database.rows import column, many, one, value
from posegen.errors import ClaimSuperseded, GenerationCancelled, GenerationUnknown
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.rows import events, generations
from posegen.states import GenerationStatus
from posegen.work import slots
from posegen.work.outcomes import start
from posegen.work.queue import Claim, Lease


@again_after_conflict
def claim_next(
    database: Database,
    *,
    most_running: int,
    most_running_per_user: int = 0,
    most_waiting: int = 0,
    hosted: Collection[str] = (),
    undescribed: Collection[str] = (),
) -> list[Claim]:
    """Claim queued generations in fair order, as many as there are free slots.

    Generations of a backend whose breaker is open wait; when its pause is over, one of them is claimed as a probe.

    Args:
        database: where the generations are.
        most_running: runs that may be under way at once, but for those of hosted backends.
        most_running_per_user: all runs of one user, whose other generations wait; 0 for no limit.
        most_waiting: runs of hosted backends that may be under way at once.
        hosted: the names of these backends.
        undescribed: backends whose generations wait, because the operator's file does not describe them now; the clock
            of their time limits stands still meanwhile.
    """
    with database.transaction() as connection:
        if not any_waiting(connection):
            return []
        breakers.note_undescribed(connection, undescribed)
        slots.lock_claiming(connection)
        here = slots.free_slots(connection, GENERATIONS.queue, most=most_running, hosted=hosted)
        waiting = slots.free_waiting_slots(connection, most=most_waiting, hosted=hosted) if hosted else 0
        under_way = under_way_by_user(connection) if here or waiting else Counter[UUID]()
        lanes = [(here, Lane(hosted, inside=False)), (waiting, Lane(hosted, inside=True))]
        return [
            claim
            for free, lane in lanes
            if free
            for claim in _claim(connection, lane, free, under_way, most_running_per_user, undescribed)
        ]


def _claim(
    connection: Connection,
    lane: Lane,
    free: int,
    under_way: Counter[UUID],
    most_per_user: int,
    undescribed: Collection[str],
) -> list[Claim]:
    not_backends = list(undescribed)
    held_back = [
        row for row in breakers.open_breakers(connection) if lane.has(row.backend) and row.backend not in not_backends
    ]
    claims: list[Claim] = []
    if any_to_collect(connection):
        # What a provider has made is read before it expires there, and costs it nothing: no breaker holds that back.
        claims = claim_queued(connection, free, lane, collecting=True, not_backends=not_backends)
    for row in held_back:
        # One that is under way already finds out for all.
        if row.may_be_tried and len(claims) < free and not any_under_way(connection, row.backend):
            claims += claim_queued(connection, 1, lane, only_backend=row.backend)
    not_backends += [row.backend for row in held_back]
    under_way.update(claim.user_id for claim in claims)
    if not most_per_user:
        return claims + claim_queued(connection, free - len(claims), lane, not_backends=not_backends)
    while len(claims) < free:
        full = [user for user, number in under_way.items() if number >= most_per_user]
        room = {user: most_per_user - number for user, number in under_way.items()}
        wanted = min([free - len(claims), most_per_user, *(left for left in room.values() if left > 0)])
        more = claim_queued(connection, wanted, lane, not_backends=not_backends, not_users=full)
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
            claim = claim_one(connection, generation_id)
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


# --- statements -------------------------------------------------------------------------------------------------------


_COLLECTING: LiteralString = "from backend_calls c where c.purpose = 'pose' and c.state in ('accepted', 'delivered')"


def any_waiting(connection: Connection) -> bool:
    """Whether a generation may be claimed: a look that costs next to nothing."""
    statement = "select exists (select from generations where status = 'queued' and not_before <= now())"
    return bool(value(connection, statement))


def under_way_by_user(connection: Connection) -> Counter[UUID]:
    """How many generations are dispatched or running, by user."""
    return Counter(column(connection, "select user_id from generations where status in ('dispatched', 'running')"))


def any_under_way(connection: Connection, backend: str) -> bool:
    """Whether a generation of this backend is dispatched or running."""
    under_way = "select from generations where status in ('dispatched', 'running') and backend = %s"
    return bool(value(connection, f"select exists ({under_way})", [backend]))


def any_to_collect(connection: Connection) -> bool:
    """Whether a call for a pose is accepted or delivered."""
    return bool(value(connection, f"select exists (select {_COLLECTING})"))


@dataclass(frozen=True)
class Lane:
    """The generations that share slots: those of the hosted backends (`inside`), or all others."""

    hosted: Collection[str] = ()
    inside: bool = False

    def has(self, backend: str) -> bool:
        """Whether the generations of this backend are in it."""
        return (backend in self.hosted) is self.inside


def claim_queued(
    connection: Connection,
    limit: int,
    lane: Lane = Lane(),
    *,
    collecting: bool = False,
    only_backend: str | None = None,
    not_backends: Sequence[str] = (),
    not_users: Sequence[UUID] = (),
) -> list[Claim]:
    """Dispatch the next generations in fair order: priority, then users in turn, then age.

    Whose turn it is, and who may not go, is decided in the index alone; only those who go are visited.
    `collecting`: only those with a call that a hosted backend has accepted.
    """
    return many(
        connection,
        Claim,
        f"""
        with first as materialized (
            select id from generations where status = 'queued' and not_before <= now()
                and (backend = any(%(hosted)s)) = %(inside)s
                and user_id <> all(%(not_users)s) and backend <> all(%(not_backends)s)
                and (%(only_backend)s::text is null or backend = %(only_backend)s)
                {f"and exists (select {_COLLECTING} and c.generation_id = generations.id)" if collecting else ""}
            order by priority desc, turn, submitted_at, id limit %(limit)s
        ), next as (
            select g.id from first join generations g on g.id = first.id
            where g.status = 'queued' for update of g skip locked
        ), claimed as (
            update generations g set status = 'dispatched', dispatch = dispatch + 1, dispatched_at = now(),
                last_event = last_event + 1
            from next where g.id = next.id
            returning g.id, g.dispatch, g.user_id, g.turn, g.priority,
                      g.submitted_at, g.last_event
        ), told as (
            insert into events (generation_id, sequence, kind, detail)
            select id, last_event, 'dispatched', jsonb_build_object('dispatch', dispatch) from claimed
        ), clock as (
            update queue_clock c set turn = greatest(c.turn, newest.turn)
            from (select priority, max(turn) as turn from claimed group by priority) newest
            where c.priority = newest.priority
        )
        select id, dispatch, user_id from claimed
        order by priority desc, turn, submitted_at, id
        """,
        {
            "limit": limit,
            "hosted": list(lane.hosted),
            "inside": lane.inside,
            "only_backend": only_backend,
            "not_backends": list(not_backends),
            "not_users": list(not_users),
        },
    )


def claim_one(connection: Connection, generation_id: UUID) -> Claim | None:
    """Dispatch this generation if it is queued, whatever its place in the order: an operator asked for it by hand."""
    statement = """
        with claimed as (
            update generations set status = 'dispatched', dispatch = dispatch + 1, dispatched_at = now(),
                last_event = last_event + 1
            where id = %s and status = 'queued'
            returning id, dispatch, user_id, last_event
        ), told as (
            insert into events (generation_id, sequence, kind, detail)
            select id, last_event, 'dispatched', jsonb_build_object('dispatch', dispatch) from claimed
        )
        select id, dispatch, user_id from claimed
    """
    return one(connection, Claim, statement, [generation_id])
