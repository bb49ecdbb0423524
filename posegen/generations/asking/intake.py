"""Intake: every submitted generation is judged once, and either queued with its credits held or refused with a code.

One transaction for each generation. What decides is in `judging`; no decision of policy is made after the hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from psycopg.errors import LockNotAvailable

from posegen.accounts import credits, quota
from posegen.backends.description import Description
from posegen.backends.registry import BUILT_IN
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.database.failures import may_pass
from posegen.database.rows import existing, many, value
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused
from posegen.generations.asking.control_images import check_source
from posegen.generations.asking.judging import Catalogue, Plan, Prices, Submission, invalid, judge
from posegen.generations.rows import controls, events, generations, poses
from posegen.images.thumbnail_sizes import STANDARD, ThumbnailSize
from posegen.policy.policy import Policy
from posegen.settings import Settings
from posegen.work.steps import Apart

log = structlog.get_logger(__name__)

_HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class IntakeLimits:
    """How much may wait, and how many poses of a user are accepted in any hour; 0 stands for no limit."""

    most_queued: int = 0
    most_queued_per_user: int = 0
    poses_per_hour: int = 0

    @classmethod
    def of(cls, settings: Settings) -> IntakeLimits:
        """As the settings say."""
        return cls(
            most_queued=settings.posegen_max_queued,
            most_queued_per_user=settings.posegen_max_queued_per_user,
            poses_per_hour=settings.posegen_poses_per_hour,
        )


@dataclass(frozen=True)
class HeldUp:
    """Requests that are neither accepted nor refused now, because a file of the operator that they need is broken.

    `backends`: whose requests; `words`: whether it is the content policy, which those with words of customers need.
    """

    backends: Collection[str] = ()
    words: bool = False


@dataclass(frozen=True)
class Waiting:
    """A generation that is not judged yet, and its user."""

    id: UUID
    user_id: UUID


def take_in(
    database: Database,
    *,
    default_backend: str,
    prices: Prices,
    policy: Policy,
    draw_seed: Callable[[], int],
    limit: int,
    limits: IntakeLimits = IntakeLimits(),
    backends: Mapping[str, Description] = BUILT_IN,
    thumbnails: tuple[ThumbnailSize, ...] = (STANDARD,),
    held_up: HeldUp = HeldUp(),
) -> int:
    """Judge what was submitted; returns how many generations were judged.

    Args:
        database: where the generations are.
        default_backend: of requests that name none.
        prices: what a pose costs.
        policy: what prompts may say.
        draw_seed: returns the seed of a request that names none, 0 to 2**32 - 1.
        limit: generations at most.
        limits: how much may wait.
        backends: those that a request may name.
        thumbnails: what each pose will have, for the space that is reserved.
        held_up: what stays submitted.

    Raises:
        PartlyDone: some could not be judged now; all others were.
    """
    with database.transaction() as connection:
        waiting = submitted(connection, limit, held_up, default_backend=default_backend)
        if not waiting:
            return 0
        catalogue = Catalogue.read(
            connection, default_backend=default_backend, prices=prices, backends=backends, thumbnails=thumbnails
        )
        intake = _Intake(catalogue, policy, limits, draw_seed)
        intake.count_room(connection)
    apart, judged, blocked = Apart(), 0, set[UUID]()
    for each in waiting:
        if each.user_id in blocked:
            continue
        with apart.each():
            try:
                judged += _take_in_one(database, each.id, intake)
            except LockNotAvailable:
                blocked.add(
                    each.user_id
                )  # another session holds their account: each of their requests would wait for it
                raise
    return apart.settle(judged)


class _Intake:
    """One pass of intake. It counts the whole queue once: a few above the limit do no harm, counting each time does."""

    def __init__(
        self, catalogue: Catalogue, policy: Policy, limits: IntakeLimits, draw_seed: Callable[[], int]
    ) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._limits = limits
        self._draw_seed = draw_seed
        self._room: int | None = None

    def count_room(self, connection: Connection) -> None:
        """See how many generations the queue takes."""
        most = self._limits.most_queued
        if most:
            self._room = most - count_queued(connection, most=most)

    def accept(self, connection: Connection, submission: Submission) -> None:
        """Queue a request with everything held. Raises `RequestRefused`."""
        plan = judge(submission, self._catalogue, self._policy, fresh_seed=self._draw_seed())
        if self._room is not None and self._room <= 0:
            raise RequestRefused(
                ErrorCode.QUEUE_FULL,
                f"{self._limits.most_queued:,} generations wait already: ask again when some of them are done.",
            )
        if plan.control_image is not None:
            check_source(connection, submission.user_id, plan.control_image)
        _accept(connection, submission, plan, self._limits)
        if self._room is not None:
            self._room -= 1


@again_after_conflict
def _take_in_one(database: Database, generation_id: UUID, intake: _Intake) -> bool:
    """Whether it was judged here; False when another process came first."""
    with database.transaction() as connection:
        if not lock_submitted(connection, generation_id):
            return False
        try:
            with connection.transaction():
                intake.accept(connection, submission_of(connection, generation_id))
        except RequestRefused as refusal:
            _refuse(connection, generation_id, refusal)
        except Exception as defect:
            if may_pass(defect):  # trouble with the server passes, a refusal would stay
                raise
            # A request that cannot be read, or that meets a defect of ours, must not stop the others.
            log.exception("intake failed", generation=str(generation_id))
            detail = f"Intake met a defect: {type(defect).__name__}: {defect}"
            _refuse(connection, generation_id, RequestRefused(ErrorCode.POISONED, detail))
        return True


def _accept(connection: Connection, submission: Submission, plan: Plan, limits: IntakeLimits) -> None:
    if credits.balance_of(connection, submission.user_id, lock=True) is None:
        raise invalid(f"There is no user {submission.user_id}: insert the user before the request.")
    # Behind the account's lock, so that requests of one user that are judged at once see each other.
    _check_limits(connection, submission.user_id, len(plan.poses), limits)
    quota.reserve(connection, submission.user_id, plan.reserve)
    credits.hold(connection, submission.user_id, submission.id, plan.price)
    enqueue(connection, submission, poses=len(plan.poses), backend=plan.backend, reserved=plan.reserve)
    poses.plan_poses(connection, submission.id, plan.poses)
    if plan.control_image is not None:
        controls.plan(connection, submission.id, plan.control_image)
    events.record(connection, submission.id, "queued", poses=len(plan.poses), credits_held=plan.price)


def _check_limits(connection: Connection, user_id: UUID, count: int, limits: IntakeLimits) -> None:
    most_queued, poses_per_hour = limits.most_queued_per_user, limits.poses_per_hour
    if most_queued and count_queued(connection, most=most_queued, user_id=user_id) >= most_queued:
        raise RequestRefused(
            ErrorCode.TOO_MANY_REQUESTS,
            f"{most_queued:,} generations of this user wait already: ask again when some of them are done.",
        )
    if not poses_per_hour:
        return
    accepted = poses_accepted(connection, user_id, seconds=_HOUR_SECONDS)
    if accepted + count > poses_per_hour:
        raise RequestRefused(
            ErrorCode.TOO_MANY_REQUESTS,
            f"{accepted:,} poses of this user were accepted in the last hour, and {count} more would be above "
            f"{poses_per_hour:,}: ask again later, or for fewer.",
        )


def _refuse(connection: Connection, generation_id: UUID, refusal: RequestRefused) -> None:
    generations.refuse(connection, generation_id, code=refusal.code, detail=refusal.detail)
    events.record(connection, generation_id, "failed", error_code=refusal.code, error_detail=refusal.detail)


# --- statements -------------------------------------------------------------------------------------------------------


def submitted(connection: Connection, limit: int, held_up: HeldUp, *, default_backend: str) -> list[Waiting]:
    """Generations that can be judged now and their users, the oldest of each first.

    No user waits for another's flood, and none for requests that are held up.
    """
    statement = """
        select id, user_id from (
            select id, user_id, submitted_at, row_number() over (partition by user_id order by submitted_at, id) as nth
            from generations g
            where status = 'submitted' and coalesce(backend, %(default)s) <> all(%(backends)s)
                and (not %(words)s or exists (
                    select from generation_requests r
                    where r.id = g.id and r.prompt is null and r.negative_prompt is null
                ))
        ) waiting
        order by nth, submitted_at, id limit %(limit)s
    """
    values = {
        "default": default_backend,
        "backends": list(held_up.backends),
        "words": held_up.words,
        "limit": limit,
    }
    return many(connection, Waiting, statement, values)


def lock_submitted(connection: Connection, generation_id: UUID) -> bool:
    """Lock a generation that is still submitted and that no other process judges; its request is not read."""
    statement = "select true from generations where id = %s and status = 'submitted' for update skip locked"
    return bool(value(connection, statement, [generation_id]))


def submission_of(connection: Connection, generation_id: UUID) -> Submission:
    """The request behind a generation. What a client has sent may make this raise."""
    statement = """
        select id, user_id, poses, categories, prompt, avatar, variations, seed, formats, backend, control_weight,
               negative_prompt, allow_degraded, control_kind, control_image, control_start, control_end
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
