"""Quotes: what requests would make, cost and reserve, and why they would be refused now. Nothing is written.

The checks are those of `judging` and `intake`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from posegen.backends.registry import Backends
from posegen.database.connection import Connection, Database
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused, SettingsInvalid
from posegen.generations.asking.intake import Demand, HeldUp, IntakeLimits, check_account, check_source_of, free_room
from posegen.generations.asking.judging import Catalogue, Plan, Prices, Submission, judge
from posegen.generations.asking.requests import GenerationRequest, check_ranges
from posegen.generations.asking.submissions import earlier_of
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.policy.policy import Policy, read_policy
from posegen.poses.control_maps import MapKind
from posegen.settings import Settings

KEPT_SECONDS = 10.0
_NOT_STORED = UUID(int=0)


@dataclass(frozen=True)
class Terms:
    """What requests are judged by."""

    catalogue: Catalogue
    policy: Policy
    limits: IntakeLimits
    held_up: HeldUp


@dataclass(frozen=True)
class Refusal:
    """Why a request would fail at intake."""

    code: ErrorCode
    detail: str


@dataclass(frozen=True)
class Quote:
    """What requests come to. `bytes`: an upper bound, which is reserved; all numbers are 0 for a wrong request.

    `refusal`: why they would be refused now; None when they would be accepted.
    """

    pictures: int
    credits: int
    bytes: int
    refusal: Refusal | None


@dataclass(frozen=True)
class Quoted:
    """The quotes of several requests of one user. `together`: their sum, and whether all would be accepted."""

    together: Quote
    each: tuple[Quote, ...]


def policy_of(settings: Settings) -> Policy:
    """The content policy under these settings. Raises `SettingsInvalid` for a broken file of the operator."""
    return read_policy(settings.posegen_policy_file, photos_of_minors=settings.posegen_photos_of_minors)


def policy_now(settings: Settings, undescribed: Collection[str]) -> tuple[Policy, HeldUp]:
    """The policy to judge by, and the requests that cannot be judged while a file of the operator is broken.

    `undescribed`: backends that the settings name and no file describes.
    """
    try:
        return policy_of(settings), HeldUp(undescribed)
    except SettingsInvalid:
        built_in = read_policy(None, photos_of_minors=settings.posegen_photos_of_minors)
        return built_in, HeldUp(undescribed, words=True)


class CatalogueCache:
    """The terms of intake, read again when they are 10 seconds old: reading them takes 7 ms. Threads share it."""

    def __init__(self, database: Database, settings: Settings, *, clock: Callable[[], float]) -> None:
        """`clock`: returns seconds, and never goes back."""
        self._database = database
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._terms: Terms | None = None
        self._stale_at = 0.0

    def terms(self) -> Terms:
        """The terms. A broken file of the operator holds up the requests that need it, as at intake."""
        with self._lock:
            if self._terms is None or self._clock() >= self._stale_at:
                self._terms = self._read()
                self._stale_at = self._clock() + KEPT_SECONDS
            return self._terms

    def _read(self) -> Terms:
        settings, backends = self._settings, Backends.of(self._settings)
        with self._database.transaction() as connection:
            catalogue = Catalogue.read(
                connection,
                default_backend=settings.posegen_backend,
                prices=Prices.of(settings),
                backends=backends.offered,
                thumbnails=thumbnail_sizes(settings.posegen_thumbnails),
            )
        policy, held_up = policy_now(settings, frozenset(backends.undescribed))
        return Terms(catalogue, policy, IntakeLimits.of(settings), held_up)


def quote(
    connection: Connection,
    terms: Terms,
    user_id: UUID,
    requests: Sequence[GenerationRequest],
    *,
    are_stored: bool = False,
) -> Quoted:
    """The quotes of requests that one user would submit together.

    `are_stored`: they are rows already, so that the database has checked their ranges.
    """
    judged = [_judged(connection, terms, user_id, request, is_stored=are_stored) for request in requests]
    refusals = [each for each in judged if isinstance(each, Refusal)]
    plans = [each for each in judged if isinstance(each, Plan)]
    demand = Demand.of(plans)
    refusal = refusals[0] if refusals else _refusal(lambda: _check(connection, terms, user_id, demand))
    together = Quote(demand.poses, demand.credits, demand.bytes, refusal)
    return Quoted(
        together,
        tuple(
            Quote(0, 0, 0, each)
            if isinstance(each, Refusal)
            else Quote(len(each.poses), each.price, each.reserve, None)
            for each in judged
        ),
    )


def _judged(
    connection: Connection, terms: Terms, user_id: UUID, request: GenerationRequest, *, is_stored: bool
) -> Plan | Refusal:
    if terms.held_up.holds(request.backend or terms.catalogue.default_backend, request.prompt, request.negative_prompt):
        return Refusal(ErrorCode.BACKEND_UNAVAILABLE, "A file of the operator is broken: ask again when it is mended.")
    try:
        if not is_stored:
            check_ranges(connection, request)
        submission = _submission(user_id, request)
        earlier = earlier_of(connection, submission)
        plan = judge(submission, terms.catalogue, terms.policy, fresh_seed=0, earlier=earlier)
        check_source_of(connection, user_id, plan)
    except RequestRefused as refused:
        return Refusal(refused.code, refused.detail)
    return plan


def _check(connection: Connection, terms: Terms, user_id: UUID, demand: Demand) -> None:
    free_room(connection, terms.limits).check(demand.generations)
    check_account(connection, user_id, demand, terms.limits)


def _refusal(check: Callable[[], None]) -> Refusal | None:
    try:
        check()
    except RequestRefused as refused:
        return Refusal(refused.code, refused.detail)
    return None


def _submission(user_id: UUID, request: GenerationRequest) -> Submission:
    """The request as it would lie in the database."""
    return Submission(
        id=_NOT_STORED,
        user_id=user_id,
        poses=list(request.poses),
        categories=list(request.categories),
        prompt=request.prompt,
        avatar=dict(request.avatar),
        variations=request.variations,
        seed=request.seed,
        formats=list(request.formats),
        backend=request.backend,
        control_weight=1.0 if request.control_weight is None else request.control_weight,
        negative_prompt=request.negative_prompt,
        allow_degraded=bool(request.allow_degraded),
        control_kind=cast(MapKind | None, request.control_kind),
        control_image=request.control_image,
        control_start=request.control_start,
        control_end=request.control_end,
        retry_of=request.retry_of,
    )
