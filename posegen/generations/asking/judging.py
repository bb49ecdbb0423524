"""Judging a request: what it comes to, or why it is refused. It decides from values alone; `intake` writes it down.

The database refuses types and ranges; the rest is judged here, by the limits, the catalogue and the prices.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from uuid import UUID

from posegen.backends.description import Description
from posegen.backends.registry import BUILT_IN
from posegen.database.connection import Connection
from posegen.database.json_documents import UnreadableJson
from posegen.database.texts import LONGEST_DETAIL
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused, UnknownName
from posegen.generations.asking.guidance import Guidance, followed
from posegen.generations.asking.writing import PromptWriter
from posegen.generations.rows.poses import PlannedPose
from posegen.graphemes import shorten
from posegen.images.thumbnail_sizes import STANDARD, ThumbnailSize
from posegen.library import rows as library
from posegen.library.validation import usable_poses
from posegen.platforms import rows as platforms
from posegen.platforms.platform import Platform, reserved_bytes
from posegen.policy.policy import Policy, phrases_of, refusal_detail
from posegen.poses.avatar import Avatar
from posegen.poses.control_maps import MapKind
from posegen.poses.library import LibraryPose
from posegen.poses.prompts import choose_pose
from posegen.settings import Settings

MOST_POSES = 50
LONGEST_PROMPT = 2_000
MOST_EXCLUDED = 100
LARGEST_SEED = 2**32 - 1
# Upper bound of one 1024x1024 original with its thumbnail, in bytes: a PNG of noise stays below it.
POSE_RESERVE_BYTES = 4_000_000
# The same of the file that a hosted backend delivers, which is kept beside it.
ORIGINAL_RESERVE_BYTES = 4_000_000


@dataclass(frozen=True)
class Prices:
    """What a pose costs, in credits: `pose`, and more for what makes it dearer.

    `hosted_backend`: for a backend that bills us; `print_format`: for each print format; `strict_pose`: for a control
    weight above 1.
    """

    pose: int = 30
    hosted_backend: int = 0
    print_format: int = 0
    strict_pose: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Prices:
        """As the settings say."""
        return cls(
            pose=settings.posegen_credits_per_pose,
            hosted_backend=settings.posegen_credits_hosted_backend,
            print_format=settings.posegen_credits_print_format,
            strict_pose=settings.posegen_credits_strict_pose,
        )

    def of_a_pose(self, *, hosted: bool, print_formats: int, control_weight: float) -> int:
        """The price of one pose.

        >>> Prices(pose=30, print_format=5, strict_pose=2).of_a_pose(hosted=False, print_formats=2, control_weight=1.5)
        42
        """
        strict = self.strict_pose if control_weight > 1 else 0
        return self.pose + (self.hosted_backend if hosted else 0) + self.print_format * print_formats + strict


@dataclass(frozen=True)
class Submission:
    """A request as it lies in the database, not yet judged."""

    id: UUID
    user_id: UUID
    poses: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    prompt: str | None = None
    avatar: dict[str, Any] | UnreadableJson = field(default_factory=dict)
    variations: int = 1
    seed: int | None = None
    formats: list[str] = field(default_factory=list)
    backend: str | None = None
    control_weight: float = 1.0
    negative_prompt: str | None = None
    allow_degraded: bool = False
    control_kind: MapKind | None = None
    control_image: str | None = None
    control_start: float | None = None
    control_end: float | None = None
    retry_of: UUID | None = None


@dataclass(frozen=True)
class Earlier:
    """What a retry makes again.

    `first`: the request whose poses they are; `formats`: of the earlier generation; `poses`: those that were not made;
    `control_image`: that they follow.
    """

    first: Submission
    formats: list[str]
    poses: list[PlannedPose]
    control_image: str | None


@dataclass(frozen=True)
class Catalogue:
    """What can be asked for, and at what price.

    `unusable`: why a stored pose cannot be drawn, by its slug; `unusable_platforms`: the same, by their names;
    `backends`: those that a request may name.
    """

    poses: dict[str, LibraryPose]
    unusable: dict[str, str]
    categories: list[str]
    platforms: dict[str, Platform]
    default_backend: str
    prices: Prices
    backends: Mapping[str, Description] = field(default_factory=lambda: BUILT_IN)
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
        backends: Mapping[str, Description] = BUILT_IN,
        thumbnails: tuple[ThumbnailSize, ...] = (STANDARD,),
    ) -> Catalogue:
        """The catalogue as the database has it now."""
        drawable, unusable = usable_poses(library.stored_poses(connection))
        judged = platforms.judged_platforms(connection)
        return cls(
            poses=drawable,
            unusable=unusable,
            categories=[each.slug for each in library.stored_categories(connection)],
            platforms=judged.usable,
            unusable_platforms=judged.unusable,
            default_backend=default_backend,
            prices=prices,
            backends=backends,
            thumbnails=thumbnails,
        )


@dataclass(frozen=True)
class Plan:
    """What an accepted request comes to. `reserve`: bytes, an upper bound.

    `control_image`: that all its poses follow; None for the maps of their library poses.
    """

    poses: list[PlannedPose]
    backend: str
    formats: list[str]
    price: int
    reserve: int
    control_image: str | None = None


def judge(
    submission: Submission, catalogue: Catalogue, policy: Policy, *, fresh_seed: int, earlier: Earlier | None = None
) -> Plan:
    """The plan for a request; `fresh_seed` serves when it names no seed, `earlier` is what a retry makes again.

    Raises `RequestRefused`: `invalid_request` names the value and the fix, `inappropriate_prompt` the category of the
    content policy.
    """
    if earlier is not None:
        return _judge_retry(submission, earlier, catalogue, policy)
    prompt, negative = _clean_prompt(submission.prompt), _clean_prompt(submission.negative_prompt, "negative prompt")
    avatar = _known_avatar(submission.avatar)
    backend = submission.backend or catalogue.default_backend
    _check_known("backend", [backend], catalogue.backends, "leave it out for the default")
    description = catalogue.backends[backend]
    _check_policy(prompt, negative, avatar, policy, photographic=description.capabilities.photographic)
    given, degraded = followed(
        Guidance(
            **{each.name: getattr(submission, each.name) for each in fields(Guidance)} | {"negative_prompt": negative}
        ),
        description,
        allow_degraded=submission.allow_degraded,
    )
    writer = PromptWriter.of(description)
    writer.check(prompt, given.negative_prompt)
    _check_formats(submission.formats, catalogue)
    chosen = _chosen_poses(submission, catalogue, prompt)
    count = len(chosen) * submission.variations
    if not 1 <= count <= MOST_POSES:
        raise invalid(
            f"{len(chosen)} poses in {submission.variations} variations are {count} pictures; "
            f"1 to {MOST_POSES} can be made in one generation. Ask for fewer, or send several requests."
        )
    seed = fresh_seed if submission.seed is None else submission.seed
    price = _price(catalogue, description, submission.formats, given.control_weight)
    planned = [
        PlannedPose(
            position=index * submission.variations + variation,
            library_pose=pose.slug,
            variation=variation,
            seed=(seed + variation) % (LARGEST_SEED + 1),
            prompt_used=written.text,
            control_weight=given.control_weight,
            backend=backend,
            price=price,
            negative_prompt=writer.negative(given.negative_prompt),
            control_kind=given.control_kind or next(iter(description.map_kinds), None),
            control_start=given.control_start,
            control_end=given.control_end,
            degraded=[*degraded, *writer.notes(written)],
        )
        for index, pose in enumerate(chosen)
        for written in [writer.write(pose, avatar, prompt or "")]
        for variation in range(submission.variations)
    ]
    return _plan(planned, submission.formats, catalogue, given.control_image)


def _judge_retry(submission: Submission, earlier: Earlier, catalogue: Catalogue, policy: Policy) -> Plan:
    plain = Submission(submission.id, submission.user_id, formats=submission.formats, retry_of=submission.retry_of)
    for name, said in vars(submission).items():
        if said != getattr(plain, name):
            raise invalid(f"A retry takes {name} from the earlier generation: leave it out.")
    backend = earlier.poses[0].backend
    _check_known("backend", [backend], catalogue.backends, "its poses cannot be made again")
    description = catalogue.backends[backend]
    # The policy may have become stricter since.
    first = earlier.first
    avatar, photographic = _known_avatar(first.avatar), description.capabilities.photographic
    _check_policy(first.prompt, first.negative_prompt, avatar, policy, photographic=photographic)
    formats = submission.formats or earlier.formats
    _check_formats(formats, catalogue)
    _check_known("pose", [pose.library_pose for pose in earlier.poses], catalogue.poses, "it cannot be made again")
    poses = [
        replace(pose, position=position, price=_price(catalogue, description, formats, pose.control_weight))
        for position, pose in enumerate(earlier.poses)
    ]
    return _plan(poses, formats, catalogue, earlier.control_image)


def _price(catalogue: Catalogue, backend: Description, formats: Collection[str], control_weight: float) -> int:
    return catalogue.prices.of_a_pose(
        hosted=backend.capabilities.costs_money,
        print_formats=sum(catalogue.platforms[name].is_print for name in set(formats)),
        control_weight=control_weight,
    )


def _plan(poses: list[PlannedPose], formats: list[str], catalogue: Catalogue, control_image: str | None) -> Plan:
    backend = poses[0].backend
    original = ORIGINAL_RESERVE_BYTES if catalogue.backends[backend].is_hosted else 0
    reserve = POSE_RESERVE_BYTES + original + catalogue.more_bytes + reserved_bytes(formats, catalogue.platforms)
    return Plan(
        poses=poses,
        backend=backend,
        formats=formats,
        price=sum(pose.price for pose in poses),
        reserve=len(poses) * reserve,
        control_image=control_image,
    )


def _clean_prompt(prompt: str | None, name: str = "prompt") -> str | None:
    if prompt is None:
        return None
    if not prompt.strip():
        raise invalid(f"The {name} is empty: leave it out, or describe the picture.")
    if len(prompt) > LONGEST_PROMPT:
        raise invalid(f"The {name} has {len(prompt):,} characters; {LONGEST_PROMPT:,} are the most.")
    for place, character in enumerate(prompt):
        if unicodedata.category(character) in {"Cc", "Cs", "Co"} and character not in "\r\n\t":
            raise invalid(f"The {name} has the control character U+{ord(character):04X} at {place}: remove it.")
    return prompt.strip()


def _known_avatar(attributes: dict[str, object] | UnreadableJson) -> Avatar:
    if isinstance(attributes, UnreadableJson):
        raise invalid(f"The avatar is {attributes}.")
    try:
        return Avatar.from_json(attributes)
    except UnknownName as unknown:
        raise invalid(str(unknown)) from unknown


def _check_policy(
    prompt: str | None, negative: str | None, avatar: Avatar, policy: Policy, *, photographic: bool
) -> None:
    if (phrases := len(phrases_of(negative or ""))) > MOST_EXCLUDED:
        raise invalid(f"The negative prompt has {phrases} phrases; {MOST_EXCLUDED} are the most.")
    category = policy.category_of(
        prompt or "", excluded=negative or "", is_minor=avatar.is_minor, photographic=photographic
    )
    if category is not None:
        raise RequestRefused(ErrorCode.INAPPROPRIATE_PROMPT, refusal_detail(category))


def _chosen_poses(submission: Submission, catalogue: Catalogue, prompt: str | None) -> list[LibraryPose]:
    _check_known(
        "pose", submission.poses, {*catalogue.poses, *catalogue.unusable}, "the table library_poses lists them"
    )
    for slug in submission.poses:
        if slug in catalogue.unusable:
            raise invalid(f"The library pose {slug!r} cannot be drawn: {catalogue.unusable[slug]}")
    _check_known("category", submission.categories, catalogue.categories, "the table pose_categories lists them")
    named = [catalogue.poses[slug] for slug in submission.poses]
    for category in submission.categories:
        named += [pose for pose in catalogue.poses.values() if pose.category == category]
    if not named and prompt is not None and catalogue.poses:
        named = [choose_pose(prompt, list(catalogue.poses.values()))]
    if not named:
        raise invalid("The request has 0 poses: name library poses, categories or a prompt.")
    # The same pose with the same seeds is the same picture: it is charged once, however often it is named.
    return list({pose.slug: pose for pose in named}.values())


def _check_formats(names: Iterable[object], catalogue: Catalogue) -> None:
    known = {*catalogue.platforms, *catalogue.unusable_platforms}
    _check_known("format", names, known, "the table platforms lists them")
    for name in names:
        if isinstance(name, str) and name in catalogue.unusable_platforms:
            raise invalid(f"The format {name!r} cannot be made: {catalogue.unusable_platforms[name]}")


def _check_known(kind: str, names: Iterable[object], known: Collection[str], fix: str) -> None:
    for name in names:
        # PostgreSQL takes a nested array for a column of arrays, and NULL for an element.
        if not isinstance(name, str) or name not in known:
            raise invalid(f"There is no {kind} {name!r}: {fix}.")


def invalid(detail: str) -> RequestRefused:
    """The refusal of a request that asks for something that cannot be made."""
    return RequestRefused(ErrorCode.INVALID_REQUEST, shorten(detail, LONGEST_DETAIL))
