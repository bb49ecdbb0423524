"""Intake: every submitted generation is judged once, and either queued with its credits held or refused with a code.

One transaction for each generation. What decides is in `judging`; no decision of policy is made after the hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
from posegen.database.rows import many, value
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused
from posegen.generations.asking.control_images import check_source
from posegen.generations.asking.judging import Catalogue, Plan, Prices, Submission, invalid, judge
from posegen.generations.asking.submissions import earlier_of, inherit, submission_of
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

    def holds(self, backend: str, *words: str | None) -> bool:
        """Whether a request for this backend with these words of a customer has to wait."""
        return backend in self.backends or (self.words and any(each is not None for each in words))


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
        intake = _Intake(catalogue, policy, limits, draw_seed, free_room(connection, limits))
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


@dataclass(frozen=True)
class Demand:
    """What requests of one user need together, in order to be accepted."""

    generations: int
    poses: int
    credits: int
    bytes: int

    @classmethod
    def of(cls, plans: Sequence[Plan]) -> Demand:
        """What these plans need."""
        return cls(
            generations=len(plans),
            poses=sum(len(plan.poses) for plan in plans),
            credits=sum(plan.price for plan in plans),
            bytes=sum(plan.reserve for plan in plans),
        )


@dataclass
class Room:
    """How many generations the queue takes: `most`, of which `free` are left; None for no limit."""

    most: int
    free: int | None

    def check(self, generations: int = 1) -> None:
        """Raises `RequestRefused` (queue_full) when so many more do not fit."""
        if self.free is not None and self.free < generations:
            raise RequestRefused(
                ErrorCode.QUEUE_FULL,
                f"{self.most:,} generations wait already: ask again when some of them are done.",
            )

    def take(self) -> None:
        """Take one place."""
        if self.free is not None:
            self.free -= 1


def free_room(connection: Connection, limits: IntakeLimits) -> Room:
    """The room in the queue now."""
    most = limits.most_queued
    return Room(most, most - count_queued(connection, most=most) if most else None)


@dataclass(frozen=True)
class _Intake:
    """One pass of intake. It counts the whole queue once: a few above the limit do no harm, counting each time does."""

    catalogue: Catalogue
    policy: Policy
    limits: IntakeLimits
    draw_seed: Callable[[], int]
    room: Room

    def accept(self, connection: Connection, submission: Submission) -> None:
        """Queue a request with everything held. Raises `RequestRefused`."""
        earlier = earlier_of(connection, submission)
        plan = judge(submission, self.catalogue, self.policy, fresh_seed=self.draw_seed(), earlier=earlier)
        self.room.check()
        check_source_of(connection, submission.user_id, plan)
        # Behind the account's lock, so that requests of one user that are judged at once see each other.
        check_account(connection, submission.user_id, Demand.of([plan]), self.limits, lock=True)
        _accept(connection, submission, plan)
        self.room.take()


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


def check_source_of(connection: Connection, user_id: UUID, plan: Plan) -> None:
    """Raises `RequestRefused` (invalid_request) for a control image that could never be read."""
    if plan.control_image is not None:
        check_source(connection, user_id, plan.control_image)


def check_account(
    connection: Connection, user_id: UUID, demand: Demand, limits: IntakeLimits, *, lock: bool = False
) -> None:
    """Check that a user may have so much more.

    Args:
        connection: in the transaction of intake.
        user_id: who asks and pays.
        demand: what is asked for.
        limits: how much may wait.
        lock: lock the account until the transaction ends.

    Raises:
        RequestRefused: there is no such user (invalid_request), or a limit, the space or the credits do not suffice.
    """
    account = credits.balance_of(connection, user_id, lock=lock)
    if account is None:
        raise invalid(f"There is no user {user_id}: insert the user before the request.")
    _check_limits(connection, user_id, demand, limits)
    if demand.bytes > account.storage_free:
        raise quota.exceeded(account, demand.bytes)
    if demand.credits > account.credits_available:
        raise credits.insufficient(account, demand.credits)


def _check_limits(connection: Connection, user_id: UUID, demand: Demand, limits: IntakeLimits) -> None:
    most_queued, poses_per_hour = limits.most_queued_per_user, limits.poses_per_hour
    if most_queued:
        queued = count_queued(connection, most=most_queued, user_id=user_id)
        if queued + demand.generations > most_queued:
            raise RequestRefused(
                ErrorCode.TOO_MANY_REQUESTS,
                f"{queued:,} generations of this user wait already: ask again when some of them are done.",
            )
    if not poses_per_hour:
        return
    accepted = poses_accepted(connection, user_id, seconds=_HOUR_SECONDS)
    if accepted + demand.poses > poses_per_hour:
        raise RequestRefused(
            ErrorCode.TOO_MANY_REQUESTS,
            f"{accepted:,} poses of this user were accepted in the last hour, and {demand.poses} more would be above "
            f"{poses_per_hour:,}: ask again later, or for fewer.",
        )


def _accept(connection: Connection, submission: Submission, plan: Plan) -> None:
    quota.reserve(connection, submission.user_id, plan.reserve)
    credits.hold(connection, submission.user_id, submission.id, plan.price)
    if submission.retry_of is not None:
        inherit(connection, submission, plan.formats)
    enqueue(connection, submission, poses=len(plan.poses), backend=plan.backend, reserved=plan.reserve)
    poses.plan_poses(connection, submission.id, plan.poses)
    if plan.control_image is not None:
        controls.plan(connection, submission.id, plan.control_image)
    events.record(connection, submission.id, "queued", poses=len(plan.poses), credits_held=plan.price)


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
