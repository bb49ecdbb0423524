"""Statements about the queue: what was submitted, what waits, and whose turn it is.

Functions take an open transaction; which of them belong together is decided in `posegen.generations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from posegen.database.connection import Connection
from posegen.database.json_documents import UnreadableJson
from posegen.work.queue import Claim


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


def submitted(connection: Connection, limit: int) -> list[tuple[UUID, UUID]]:
    """Generations not judged yet and their users, the oldest of each first: no user waits for another's flood."""
    rows = connection.execute(
        """
        select id, user_id from (
            select id, user_id, submitted_at, row_number() over (partition by user_id order by submitted_at, id) as nth
            from generations where status = 'submitted'
        ) waiting
        order by nth, submitted_at, id limit %s
        """,
        [limit],
    )
    return [(row["id"], row["user_id"]) for row in rows]


def lock_submitted(connection: Connection, generation_id: UUID) -> bool:
    """Lock a generation that is still submitted and that no other process judges; its request is not read."""
    found = connection.execute(
        "select from generations where id = %s and status = 'submitted' for update skip locked", [generation_id]
    )
    return found.fetchone() is not None


def submission_of(connection: Connection, generation_id: UUID) -> Submission:
    """The request behind a generation. What a client has sent may make this raise."""
    with connection.cursor(row_factory=class_row(Submission)) as cursor:
        found = cursor.execute(
            """
            select id, user_id, poses, categories, prompt, avatar, variations, seed, formats, backend, control_weight
            from generation_requests where id = %s
            """,
            [generation_id],
        ).fetchone()
    assert found is not None, "a generation has its request"
    return found


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
    found = connection.execute("select from generations where status = 'queued' and not_before <= now() limit 1")
    return found.fetchone() is not None


def under_way_by_user(connection: Connection) -> dict[UUID, int]:
    """How many generations are dispatched or running, by user."""
    rows = connection.execute(
        "select user_id, count(*) as under_way from generations where status in ('dispatched', 'running') group by 1"
    )
    return {row["user_id"]: row["under_way"] for row in rows}


def any_under_way(connection: Connection, backend: str) -> bool:
    """Whether a generation of this backend is dispatched or running."""
    found = connection.execute(
        "select from generations where status in ('dispatched', 'running') and backend = %s limit 1", [backend]
    )
    return found.fetchone() is not None


def count_queued(connection: Connection, *, most: int, user_id: UUID | None = None) -> int:
    """How many generations wait, of this user or of all; counting stops at `most`."""
    of_whom = "" if user_id is None else "and user_id = %(user)s"
    waiting = f"select from generations where status = 'queued' {of_whom} limit %(most)s"
    row = connection.execute(
        f"select count(*) as queued from ({waiting}) waiting", {"user": user_id, "most": most}
    ).fetchone()
    return int(row["queued"]) if row else 0


def poses_accepted(connection: Connection, user_id: UUID, *, seconds: float) -> int:
    """How many poses of this user were accepted in the last `seconds`."""
    row = connection.execute(
        """
        select coalesce(sum(poses_total), 0) as poses from generations
        where user_id = %s and queued_at > now() - make_interval(secs => %s)
        """,
        [user_id, seconds],
    ).fetchone()
    return int(row["poses"]) if row else 0


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
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
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
        ).fetchall()


def claim_one(connection: Connection, generation_id: UUID) -> Claim | None:
    """Dispatch this generation if it is queued, whatever its place in the order: an operator asked for it by hand."""
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
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
            """,
            [generation_id],
        ).fetchone()
