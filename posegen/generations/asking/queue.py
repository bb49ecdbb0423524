"""Statements about the queue: what was submitted, what waits, and whose turn it is.

Functions take an open transaction; which of them belong together is decided in `posegen.generations`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.json_documents import UnreadableJson
from posegen.database.rows import column, existing, many, one, value
from posegen.work.queue import Claim


@dataclass(frozen=True)
class Waiting:
    """A generation that is not judged yet, and its user."""

    id: UUID
    user_id: UUID


@dataclass(frozen=True)
class Submission:
    """A request as it lies in the database, not yet judged."""

    id: UUID
    user_id: UUID
    poses: list[str]
    categories: list[str]
    prompt: str | None
    avatar: dict[str, Any] | UnreadableJson
    variations: int
    seed: int | None
    formats: list[str]
    backend: str | None
    control_weight: float


def submitted(connection: Connection, limit: int) -> list[Waiting]:
    """Generations not judged yet and their users, the oldest of each first: no user waits for another's flood."""
    statement = """
        select id, user_id from (
            select id, user_id, submitted_at, row_number() over (partition by user_id order by submitted_at, id) as nth
            from generations where status = 'submitted'
        ) waiting
        order by nth, submitted_at, id limit %s
    """
    return many(connection, Waiting, statement, [limit])


def lock_submitted(connection: Connection, generation_id: UUID) -> bool:
    """Lock a generation that is still submitted and that no other process judges; its request is not read."""
    statement = "select true from generations where id = %s and status = 'submitted' for update skip locked"
    return bool(value(connection, statement, [generation_id]))


def submission_of(connection: Connection, generation_id: UUID) -> Submission:
    """The request behind a generation. What a client has sent may make this raise."""
    statement = """
        select id, user_id, poses, categories, prompt, avatar, variations, seed, formats, backend, control_weight
        from generation_requests where id = %s
    """
    return existing(connection, Submission, statement, [generation_id])


def enqueue(connection: Connection, submission: Submission, *, poses: int, backend: str, reserved: int) -> None:
    """Put an accepted generation into the queue, at its user's next turn."""
    connection.execute(
        """
        with next as (
            insert into user_turns (user_id, priority, turn)
            select %(user)s, c.priority, c.turn + 1
            from generations g join queue_clock c on c.priority = g.priority where g.id = %(id)s
            on conflict (user_id, priority) do update set turn = greatest(user_turns.turn + 1, excluded.turn)
            returning turn
        )
        update generations set status = 'queued', queued_at = now(), poses_total = %(poses)s, backend = %(backend)s,
            storage_reserved = %(reserved)s, turn = next.turn
        from next where id = %(id)s
        """,
        {
            "user": submission.user_id,
            "poses": poses,
            "backend": backend,
            "reserved": reserved,
            "id": submission.id,
        },
    )


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


def count_queued(connection: Connection, *, most: int, user_id: UUID | None = None) -> int:
    """How many generations wait, of this user or of all; counting stops at `most`."""
    of_whom = "" if user_id is None else "and user_id = %(user)s"
    waiting = f"select from generations where status = 'queued' {of_whom} limit %(most)s"
    return int(value(connection, f"select count(*) from ({waiting}) waiting", {"user": user_id, "most": most}))


def poses_accepted(connection: Connection, user_id: UUID, *, seconds: float) -> int:
    """How many poses of this user were accepted in the last `seconds`."""
    statement = """
        select coalesce(sum(poses_total), 0) from generations
        where user_id = %s and queued_at > now() - make_interval(secs => %s)
    """
    accepted = value(connection, statement, [user_id, seconds])
    return int(accepted)


def claim_queued(
    connection: Connection,
    limit: int,
    *,
    only_backend: str | None = None,
    not_backends: Sequence[str] = (),
    not_users: Sequence[UUID] = (),
) -> list[Claim]:
    """Dispatch the next generations in fair order: priority, then users in turn, then age.

    Whose turn it is, and who may not go, is decided in the index alone; only those who go are visited.
    """
    return many(
        connection,
        Claim,
        """
        with first as materialized (
            select id from generations where status = 'queued' and not_before <= now()
                and user_id <> all(%(not_users)s) and backend <> all(%(not_backends)s)
                and (%(only_backend)s::text is null or backend = %(only_backend)s)
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
