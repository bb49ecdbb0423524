"""Intake: every submitted generation is judged once, and either queued with its credits held or refused with a code.

`judge` decides from values alone; `take_in` runs one transaction for each generation. No decision of policy is made
after the hold.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from psycopg.errors import LockNotAvailable

from posegen.accounts import credits, quota
from posegen.backends.registry import BACKENDS, open_backend
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.database.failures import may_pass
from posegen.database.json_documents import UnreadableJson
from posegen.database.texts import LONGEST_DETAIL
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused, UnknownName
from posegen.generations.asking import queue
from posegen.generations.asking.limits import (
    LARGEST_SEED,
    LONGEST_PROMPT,
    MOST_POSES,
    POSE_RESERVE_BYTES,
)
from posegen.generations.asking.queue import Submission
from posegen.generations.rows import events, generations, poses
from posegen.generations.rows.poses import PlannedPose
from posegen.generations.rules import IntakeLimits, Prices
from posegen.graphemes import shorten
from posegen.images.thumbnail_sizes import STANDARD, ThumbnailSize
from posegen.library import rows as library
from posegen.library.validation import usable_poses
from posegen.platforms import rows as platforms
from posegen.platforms.platform import Platform, reserved_bytes
from posegen.poses.avatar import Avatar
from posegen.poses.library import LibraryPose
from posegen.poses.prompts import choose_pose, describe
from posegen.work.steps import Apart

log = structlog.get_logger(__name__)

_HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class Catalogue:
    """What can be asked for, and at what price.

    `unusable`: why a stored pose cannot be drawn, by its slug; `unusable_platforms`: the same, by their names;
    `hosted`: the backends that bill us for each call.
    """

    poses: dict[str, LibraryPose]
    unusable: dict[str, str]
    categories: list[str]
    platforms: dict[str, Platform]
    default_backend: str
    hosted: frozenset[str]
    prices: Prices
    thumbnails: tuple[ThumbnailSize, ...] = (STANDARD,)
    unusable_platforms: Mapping[str, str] = field(default_factory=dict)

    @property
    def more_bytes(self) -> int:
        """What the thumbnails of a pose may take beyond the standard one."""
        return max(0, sum(size.reserve_bytes for size in self.thumbnails) - STANDARD.reserve_bytes)

    @classmethod
    def read(
        cls,
        connection: Connection,
        *,
        default_backend: str,
        prices: Prices,
        thumbnails: tuple[ThumbnailSize, ...] = (STANDARD,),
    ) -> Catalogue:
        """The catalogue as the database has it now."""
        drawable, unusable = usable_poses(library.stored_poses(connection))
        judged = platforms.judged_platforms(connection)
        return cls(
            poses=drawable,
            unusable=unusable,
            categories=library.stored_categories(connection),
            platforms=judged.usable,
            unusable_platforms=judged.unusable,
            default_backend=default_backend,
            hosted=frozenset(name for name in BACKENDS if open_backend(name).capabilities.costs_money),
            prices=prices,
            thumbnails=thumbnails,
        )


@dataclass(frozen=True)
class Plan:
    """What an accepted request comes to. `reserve`: bytes, an upper bound."""

    poses: list[PlannedPose]
    backend: str
    price: int
    reserve: int


def judge(submission: Submission, catalogue: Catalogue, *, fresh_seed: int) -> Plan:
    """The plan for a request; `fresh_seed` serves when it names no seed.

    Raises `RequestRefused` (invalid_request), naming the value and the fix.
    """
    prompt = _clean_prompt(submission.prompt)
    avatar = _known_avatar(submission.avatar)
    backend = submission.backend or catalogue.default_backend
    _check_known("backend", [backend], BACKENDS, "leave it out for the default")
    _check_formats(submission.formats, catalogue)
    chosen = _chosen_poses(submission, catalogue, prompt)
    count = len(chosen) * submission.variations
    if not 1 <= count <= MOST_POSES:
        raise _invalid(
            f"{len(chosen)} poses in {submission.variations} variations are {count} pictures; "
            f"1 to {MOST_POSES} can be made in one generation. Ask for fewer, or send several requests."
        )
    seed = fresh_seed if submission.seed is None else submission.seed
    price = catalogue.prices.of_a_pose(
        hosted=backend in catalogue.hosted,
        print_formats=sum(catalogue.platforms[name].is_print for name in set(submission.formats)),
        control_weight=submission.control_weight,
    )
    planned = [
        PlannedPose(
            position=index * submission.variations + variation,
            library_pose=pose.slug,
            variation=variation,
            seed=(seed + variation) % (LARGEST_SEED + 1),
            prompt_used=describe(pose, avatar, prompt or ""),
            control_weight=submission.control_weight,
            backend=backend,
            price=price,
        )
        for index, pose in enumerate(chosen)
        for variation in range(submission.variations)
    ]
    return Plan(
        poses=planned,
        backend=backend,
        price=sum(pose.price for pose in planned),
        reserve=count
        * (POSE_RESERVE_BYTES + catalogue.more_bytes + reserved_bytes(submission.formats, catalogue.platforms)),
    )


def take_in(
    database: Database,
    *,
    default_backend: str,
    prices: Prices,
    draw_seed: Callable[[], int],
    limit: int,
    limits: IntakeLimits = IntakeLimits(),  # noqa: B008 - frozen
    thumbnails: tuple[ThumbnailSize, ...] = (STANDARD,),
) -> int:
    """Judge what was submitted, `limit` generations at most, and return how many were judged.

    `thumbnails`: what each pose will have, for the space that is set aside. Raises `PartlyDone` when some could not be
    judged now, after all others were.
    """
    with database.transaction() as connection:
        waiting = queue.submitted(connection, limit)
        if not waiting:
            return 0
        catalogue = Catalogue.read(connection, default_backend=default_backend, prices=prices, thumbnails=thumbnails)
        intake = _Intake(catalogue, limits, draw_seed)
        intake.count_room(connection)
    apart, judged, blocked = Apart(), 0, set[UUID]()
    for generation_id, user_id in waiting:
        if user_id in blocked:
            continue
        with apart.each():
            try:
                judged += _take_in_one(database, generation_id, intake)
            except LockNotAvailable:
                blocked.add(user_id)  # another session holds their account: each of their requests would wait for it
                raise
    return apart.settle(judged)


class _Intake:
    """One pass of intake. It counts the whole queue once: a few above the limit do no harm, counting each time does."""

    def __init__(self, catalogue: Catalogue, limits: IntakeLimits, draw_seed: Callable[[], int]) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._draw_seed = draw_seed
        self._room: int | None = None

    def count_room(self, connection: Connection) -> None:
        """See how many generations the queue takes."""
        most = self._limits.most_queued
        if most:
            self._room = most - queue.count_queued(connection, most=most)

    def accept(self, connection: Connection, submission: Submission) -> None:
        """Queue a request with everything held. Raises `RequestRefused`."""
        plan = judge(submission, self._catalogue, fresh_seed=self._draw_seed())
        if self._room is not None and self._room <= 0:
            raise RequestRefused(
                ErrorCode.QUEUE_FULL,
                f"{self._limits.most_queued:,} generations wait already: ask again when some of them are done.",
            )
        _accept(connection, submission, plan, self._limits)
        if self._room is not None:
            self._room -= 1


@again_after_conflict
def _take_in_one(database: Database, generation_id: UUID, intake: _Intake) -> bool:
    """Whether it was judged here; False when another process came first."""
    with database.transaction() as connection:
        if not queue.lock_submitted(connection, generation_id):
            return False
        try:
            with connection.transaction():
                intake.accept(connection, queue.submission_of(connection, generation_id))
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
        raise _invalid(f"There is no user {submission.user_id}: insert the user before the request.")
    # Behind the account's lock, so that requests of one user that are judged at once see each other.
    _check_limits(connection, submission.user_id, len(plan.poses), limits)
    quota.reserve(connection, submission.user_id, plan.reserve)
    credits.hold(connection, submission.user_id, submission.id, plan.price)
    queue.enqueue(connection, submission, poses=len(plan.poses), backend=plan.backend, reserved=plan.reserve)
    poses.plan_poses(connection, submission.id, plan.poses)
    events.record(connection, submission.id, "queued", poses=len(plan.poses), credits_held=plan.price)


def _check_limits(connection: Connection, user_id: UUID, count: int, limits: IntakeLimits) -> None:
    most_queued, poses_per_hour = limits.most_queued_per_user, limits.poses_per_hour
    if most_queued and queue.count_queued(connection, most=most_queued, user_id=user_id) >= most_queued:
        raise RequestRefused(
            ErrorCode.TOO_MANY_REQUESTS,
            f"{most_queued:,} generations of this user wait already: ask again when some of them are done.",
        )
    if not poses_per_hour:
        return
    accepted = queue.poses_accepted(connection, user_id, seconds=_HOUR_SECONDS)
    if accepted + count > poses_per_hour:
        raise RequestRefused(
            ErrorCode.TOO_MANY_REQUESTS,
            f"{accepted:,} poses of this user were accepted in the last hour, and {count} more would be above "
            f"{poses_per_hour:,}: ask again later, or for fewer.",
        )


def _refuse(connection: Connection, generation_id: UUID, refusal: RequestRefused) -> None:
    generations.refuse(connection, generation_id, code=refusal.code, detail=refusal.detail)
    events.record(connection, generation_id, "failed", error_code=refusal.code, error_detail=refusal.detail)


def _clean_prompt(prompt: str | None) -> str | None:
    if prompt is None:
        return None
    if not prompt.strip():
        raise _invalid("The prompt is empty: leave it out, or describe the picture.")
    if len(prompt) > LONGEST_PROMPT:
        raise _invalid(f"The prompt has {len(prompt):,} characters; {LONGEST_PROMPT:,} are the most.")
    for place, character in enumerate(prompt):
        if unicodedata.category(character) in {"Cc", "Cs", "Co"} and character not in "\r\n\t":
            raise _invalid(f"The prompt has the control character U+{ord(character):04X} at {place}: remove it.")
    return prompt.strip()


def _known_avatar(attributes: dict[str, object] | UnreadableJson) -> Avatar:
    if isinstance(attributes, UnreadableJson):
        raise _invalid(f"The avatar is {attributes}.")
    try:
        return Avatar.from_json(attributes)
    except UnknownName as unknown:
        raise _invalid(str(unknown)) from unknown


def _chosen_poses(submission: Submission, catalogue: Catalogue, prompt: str | None) -> list[LibraryPose]:
    _check_known(
        "pose", submission.poses, {*catalogue.poses, *catalogue.unusable}, "the table library_poses lists them"
    )
    for slug in submission.poses:
        if slug in catalogue.unusable:
            raise _invalid(f"The library pose {slug!r} cannot be drawn: {catalogue.unusable[slug]}")
    _check_known("category", submission.categories, catalogue.categories, "the table pose_categories lists them")
    named = [catalogue.poses[slug] for slug in submission.poses]
    for category in submission.categories:
        named += [pose for pose in catalogue.poses.values() if pose.category == category]
    if not named and prompt is not None and catalogue.poses:
        named = [choose_pose(prompt, list(catalogue.poses.values()))]
    if not named:
        raise _invalid("The request has 0 poses: name library poses, categories or a prompt.")
    # The same pose with the same seeds is the same picture: it is charged once, however often it is named.
    return list({pose.slug: pose for pose in named}.values())


def _check_formats(names: Iterable[object], catalogue: Catalogue) -> None:
    known = {*catalogue.platforms, *catalogue.unusable_platforms}
    _check_known("format", names, known, "the table platforms lists them")
    for name in names:
        if isinstance(name, str) and name in catalogue.unusable_platforms:
            raise _invalid(f"The format {name!r} cannot be made: {catalogue.unusable_platforms[name]}")


def _check_known(kind: str, names: Iterable[object], known: Collection[str], fix: str) -> None:
    for name in names:
        # PostgreSQL takes a nested array for a column of arrays, and NULL for an element.
        if not isinstance(name, str) or name not in known:
            raise _invalid(f"There is no {kind} {name!r}: {fix}.")


def _invalid(detail: str) -> RequestRefused:
    return RequestRefused(ErrorCode.INVALID_REQUEST, shorten(detail, LONGEST_DETAIL))
