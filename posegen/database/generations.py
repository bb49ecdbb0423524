"""Statements about generations: the queue, the claim, the lease, the end. One row is one customer request.

Functions take an open transaction; which of them belong together is decided in `posegen.lifecycle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import class_row

from posegen.database.connection import Connection
from posegen.database.texts import storable
from posegen.states import GenerationStatus

_PROGRESS: LiteralString = """
select id, user_id, status, dispatch, token, run_id, attempts, lost_leases, poses_total, poses_completed, poses_failed,
       formats
from generations
"""


@dataclass(frozen=True)
class Submission:
    """A request as it lies in the database, not yet judged."""

    id: UUID
    user_id: UUID
    poses: list[str]
    categories: list[str]
    prompt: str | None
    avatar: dict[str, Any]
    variations: int
    seed: int | None
    formats: list[str]
    backend: str | None
    control_weight: float


@dataclass(frozen=True)
class Claim:
    """The right to start one run for a generation. `dispatch` tells this claim from earlier ones."""

    generation_id: UUID
    dispatch: int
    user_id: UUID
    poses_total: int


@dataclass(frozen=True)
class Lease:
    """The right to write to a generation, as long as nobody else was given a higher token."""

    generation_id: UUID
    token: int


@dataclass(frozen=True)
class Progress:
    """Where a generation stands."""

    id: UUID
    user_id: UUID
    status: GenerationStatus
    dispatch: int
    token: int
    run_id: str | None
    attempts: int
    lost_leases: int
    poses_total: int
    poses_completed: int
    poses_failed: int
    formats: list[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", GenerationStatus(self.status))


def submitted_ids(connection: Connection, limit: int) -> list[UUID]:
    """Generations that were not judged yet: the oldest of each user first, so that nobody waits for another's flood."""
    rows = connection.execute(
        """
        select id from (
            select id, submitted_at, row_number() over (partition by user_id order by submitted_at, id) as nth
            from generations where status = 'submitted'
        ) waiting
        order by nth, submitted_at, id limit %s
        """,
        [limit],
    )
    return [row["id"] for row in rows]


def lock_submission(connection: Connection, generation_id: UUID) -> Submission | None:
    """The request behind a generation that is still submitted and that nobody else is judging right now."""
    with connection.cursor(row_factory=class_row(Submission)) as cursor:
        return cursor.execute(
            """
            select r.id, r.user_id, r.poses, r.categories, r.prompt, r.avatar, r.variations, r.seed, r.formats,
                   r.backend, r.control_weight
            from generations g join generation_requests r on r.id = g.id
            where g.id = %s and g.status = 'submitted' for update of g skip locked
            """,
            [generation_id],
        ).fetchone()


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


def refuse(connection: Connection, generation_id: UUID, *, code: str, detail: str) -> None:
    """End a submitted generation as failed."""
    connection.execute(
        """
        update generations set status = 'failed', error_code = %s, error_detail = %s, finished_at = now()
        where id = %s and status = 'submitted'
        """,
        [code, storable(detail), generation_id],
    )


def count_under_way(connection: Connection) -> int:
    """Generations that are dispatched or running."""
    row = connection.execute(
        "select count(*) as under_way from generations where status in ('dispatched', 'running')"
    ).fetchone()
    return int(row["under_way"]) if row else 0


def lock_claiming(connection: Connection) -> None:
    """Let one claimer at a time count the free slots and fill them; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtext('posegen claims'))")


def claim_queued(connection: Connection, limit: int) -> list[Claim]:
    """Dispatch the next generations in fair order: priority, then users in turn, then age."""
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
            with next as (
                select id from generations where status = 'queued' and not_before <= now()
                order by priority desc, turn, submitted_at, id limit %s for update skip locked
            ), claimed as (
                update generations g set status = 'dispatched', dispatch = dispatch + 1, dispatched_at = now()
                from next where g.id = next.id
                returning g.id as generation_id, g.dispatch, g.user_id, g.poses_total, g.turn, g.priority,
                          g.submitted_at
            ), clock as (
                update queue_clock c set turn = greatest(c.turn, newest.turn)
                from (select priority, max(turn) as turn from claimed group by priority) newest
                where c.priority = newest.priority
            )
            select generation_id, dispatch, user_id, poses_total from claimed
            order by priority desc, turn, submitted_at, generation_id
            """,
            [limit],
        ).fetchall()


def claim_one(connection: Connection, generation_id: UUID) -> Claim | None:
    """Dispatch this generation if it is queued, whatever its place in the order: an operator asked for it by hand."""
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
            update generations set status = 'dispatched', dispatch = dispatch + 1, dispatched_at = now()
            where id = %s and status = 'queued'
            returning id as generation_id, dispatch, user_id, poses_total
            """,
            [generation_id],
        ).fetchone()


def claims_without_run(connection: Connection, *, older_than_seconds: float) -> list[Claim]:
    """Claims whose run has not begun to work for a while: it may never have been launched."""
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
            select id as generation_id, dispatch, user_id, poses_total from generations
            where status = 'dispatched' and dispatched_at < now() - make_interval(secs => %s)
            order by dispatched_at limit 1000
            """,
            [older_than_seconds],
        ).fetchall()


def start(
    connection: Connection, generation_id: UUID, *, dispatch: int, run_id: str, lease_seconds: float
) -> Lease | None:
    """Turn a dispatched generation into a running one under a new token; None when this claim no longer holds."""
    with connection.cursor(row_factory=class_row(Lease)) as cursor:
        return cursor.execute(
            """
            update generations set status = 'running', token = token + 1, run_id = %s, progressed_at = now(),
                started_at = coalesce(started_at, now()),
                lease_expires_at = now() + make_interval(secs => %s)
            where id = %s and status = 'dispatched' and dispatch = %s
            returning id as generation_id, token
            """,
            [run_id, lease_seconds, generation_id, dispatch],
        ).fetchone()


def renew(connection: Connection, lease: Lease, *, lease_seconds: float) -> bool:
    """Prolong the lease; False when it is no longer ours."""
    return _touch(
        connection,
        "update generations set lease_expires_at = now() + make_interval(secs => %(seconds)s)",
        lease,
        {"seconds": lease_seconds},
    )


def hold_still(connection: Connection, lease: Lease) -> bool:
    """Lock the generation for this transaction if the lease is still ours: the fence before every write."""
    return _touch(connection, "update generations set progressed_at = now()", lease, {})


def count_pose(connection: Connection, lease: Lease, *, completed: int = 0, failed: int = 0) -> bool:
    """Count poses that ended; False when the lease is no longer ours."""
    return _touch(
        connection,
        """
        update generations set progressed_at = now(), poses_completed = poses_completed + %(completed)s,
            poses_failed = poses_failed + %(failed)s
        """,
        lease,
        {"completed": completed, "failed": failed},
    )


def requeue(
    connection: Connection, progress: Progress, *, wait_seconds: float, attempts: int = 0, lost_leases: int = 0
) -> bool:
    """Put a generation that is under way back into the queue, out of reach of the worker that had it."""
    return (
        connection.execute(
            """
            update generations set status = 'queued', token = token + 1, lease_expires_at = null,
                not_before = now() + make_interval(secs => %s),
                attempts = attempts + %s, lost_leases = lost_leases + %s
            where id = %s and status = %s and token = %s and dispatch = %s
            """,
            [
                wait_seconds,
                attempts,
                lost_leases,
                progress.id,
                progress.status,
                progress.token,
                progress.dispatch,
            ],
        ).rowcount
        == 1
    )


def finish(
    connection: Connection, progress: Progress, status: GenerationStatus, *, code: str | None, detail: str | None
) -> bool:
    """End a generation that is under way; False when it has moved on since `progress` was read."""
    return (
        connection.execute(
            """
            update generations set status = %s, token = token + 1, lease_expires_at = null, finished_at = now(),
                error_code = %s, error_detail = %s
            where id = %s and status = %s and token = %s and dispatch = %s
            """,
            [
                status,
                code,
                detail and storable(detail),
                progress.id,
                progress.status,
                progress.token,
                progress.dispatch,
            ],
        ).rowcount
        == 1
    )


def expired_ids(connection: Connection) -> list[UUID]:
    """Running generations whose lease has run out, by the database's clock."""
    rows = connection.execute(
        "select id from generations where status = 'running' and lease_expires_at < now() order by lease_expires_at"
    )
    return [row["id"] for row in rows]


def lock_expired(connection: Connection, generation_id: UUID) -> Progress | None:
    """Where a generation stands whose lease has run out; None when it has not, or when somebody else has the row."""
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(
            _PROGRESS + " where id = %s and status = 'running' and lease_expires_at < now() for update skip locked",
            [generation_id],
        ).fetchone()


def progress_of(connection: Connection, generation_id: UUID, *, lock: bool = False) -> Progress | None:
    """Where this generation stands, locked for the transaction when asked for."""
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        statement: LiteralString = _PROGRESS + " where id = %s"
        return cursor.execute(statement + (" for update" if lock else ""), [generation_id]).fetchone()


def put_contact_sheet(connection: Connection, generation_id: UUID, object_id: int) -> None:
    """Let this object be the contact sheet of a generation."""
    connection.execute("update generations set contact_sheet_object = %s where id = %s", [object_id, generation_id])


def _touch(connection: Connection, update: LiteralString, lease: Lease, values: dict[str, Any]) -> bool:
    guarded: LiteralString = update + " where id = %(id)s and token = %(token)s and status = 'running'"
    return connection.execute(guarded, {**values, "id": lease.generation_id, "token": lease.token}).rowcount == 1
