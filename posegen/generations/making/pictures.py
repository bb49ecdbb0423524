"""What makes the pictures of a generation: drawn on this machine, or fetched from a hosted backend; both pass the gate.

What is stored and charged follows in `poses`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Semaphore
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from posegen.backends.breaker import Breaker
from posegen.backends.hosted import UNREADABLE_SEED, ControlMap
from posegen.backends.protocol import Backend, Recipe, Rendering
from posegen.errors import BackendHeldBack, BackendNotConfigured, BackendUndescribed, ControlUnusable, ImageInvalid
from posegen.generations.calling.caller import Delivery, HostedCaller, Wanted
from posegen.generations.calling.control import Mannequins, control_map
from posegen.generations.calling.control_images import StoredControl, prepared_control
from posegen.generations.calling.rows import Call
from posegen.generations.making.calls import Caller
from posegen.generations.making.checkpoint import leave_out_map
from posegen.generations.making.keypoints import keypoints_to_json
from posegen.generations.making.quality import Gate
from posegen.generations.rows.poses import OpenPose
from posegen.graphemes import shorten
from posegen.images.decoding.pool import DecoderPool
from posegen.images.measures import Passed
from posegen.images.quality import seed_of
from posegen.images.validation import check_pixels
from posegen.poses.avatar import Avatar
from posegen.poses.specification import PoseSpecification
from posegen.studio import Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A picture that has passed. `call`: that a hosted backend made it in, and `original`: the row of its file.

    `notes`: what cannot be told of it, each as the name of its column and the reason.
    """

    recipe: Recipe
    rendering: Rendering
    passed: Passed
    call: UUID | None = None
    original: int | None = None
    notes: tuple[str, ...] = ()


class Maker(Protocol):
    """Makes the pictures of one generation. `poses_at_once`: threads that may call `picture` at the same time."""

    @property
    def poses_at_once(self) -> int: ...

    def picture(self, pose: OpenPose) -> Picture:
        """The picture of a pose. Raises `ImageInvalid` and what the backend raises."""

    def break_off(self) -> None:
        """End what waits for others: nothing more is to be begun."""


@contextmanager
def maker_for(
    studio: Studio, lease: Lease, keeper: LeaseKeeper, gate: Gate, stop: Event, *, backend: str
) -> Iterator[Maker]:
    """What makes the pictures of a generation.

    Args:
        studio: what they are made with.
        lease: on the generation.
        keeper: of that lease.
        gate: that they have to pass.
        stop: set when nothing more is to be begun.
        backend: of the generation.

    Raises:
        BackendHeldBack: the backend cannot be used under these settings. Its breaker is open now, until it can be; that
            of one whose table in the operator's file is broken is not, because claims leave it out until then.
    """
    try:
        description = studio.describe(backend)
    except BackendUndescribed as broken:
        raise BackendHeldBack(backend, studio.backend_rule.breaker_seconds, str(broken)) from broken
    except BackendNotConfigured as missing:
        Breaker(studio.database, backend, studio.backend_rule).failed(missing, at_once=True)
        raise
    if description is None or not description.is_hosted:
        yield Drawer(Caller(studio, lease, keeper, stop), gate, studio.render_threads)
        return
    wire = studio.open_hosted(backend)
    with DecoderPool(studio.render_threads) as decoders:
        yield Photographer(
            HostedCaller(studio, wire, lease, keeper, stop),
            gate,
            decoders,
            Semaphore(studio.render_threads),
            description.concurrency,
            Once(lambda: prepared_control(studio, lease, keeper, decoders.decode)),
            Mannequins(studio.pose_side),
        )


@dataclass(frozen=True)
class Drawer:
    """Draws on this machine: another seed costs nothing."""

    caller: Caller
    gate: Gate
    poses_at_once: int

    def picture(self, pose: OpenPose) -> Picture:
        """Raises the last `ImageInvalid` when as many seeds as may be tried gave no picture that passes."""
        seeds = [seed_of(pose.seed, attempt) for attempt in range(self.caller.studio.quality_retries + 1)]
        for retries, seed in enumerate(seeds):
            try:
                backend = self.caller.studio.open_backend(pose.backend)
                recipe = _recipe(pose, backend, seed, self.caller.studio.pose_side)
                rendering = self.caller.render(backend, recipe, pose)
                check_pixels(rendering.pixels, recipe.width, recipe.height)
                keypoints_to_json(rendering.keypoints)
                return Picture(recipe, rendering, Passed(seed, retries, self.gate.admit(pose.position, rendering)))
            except ImageInvalid as refused:
                log.warning("picture did not pass", pose=str(pose.id), seed=seed, reason=str(refused))
                reason = str(refused)
        raise ImageInvalid(f"{reason} Seeds tried: {', '.join(map(str, seeds))}.")

    def break_off(self) -> None:
        """A drawing that is under way is finished, or abandoned with the process."""


def _recipe(pose: OpenPose, backend: Backend, seed: int, side: int) -> Recipe:
    return Recipe(
        backend=backend.name,
        backend_version=backend.version,
        specification=PoseSpecification.from_json(pose.specification),
        pose=pose.library_pose,
        avatar=Avatar.from_json(pose.avatar),
        prompt=pose.prompt_used,
        seed=seed,
        width=side,
        height=side,
        control_weight=pose.control_weight,
    )


class Once(Generic[T]):
    """What is made when it is first needed, once for all threads; what making it raises is raised each time."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: Future[T] = Future()

    def result(self) -> T:
        """What was made."""
        with self._lock:
            if not self._made.done():
                try:
                    self._made.set_result(self._make())
                except BaseException as error:  # noqa: BLE001 - raised below, in every thread
                    self._made.set_exception(error)
        return self._made.result()


@dataclass(frozen=True)
class Photographer:
    """Has pictures made by a hosted backend: each further one is paid for.

    `at_work`: pictures that are decoded and measured at once; a thread that waits for the far end holds no place.
    `control`: the map that all poses follow, read when the first of them needs it; None for those of the library poses.
    `mannequins`: for a model that is shown them instead of maps.
    """

    caller: HostedCaller
    gate: Gate
    decoders: DecoderPool
    at_work: Semaphore
    poses_at_once: int
    control: Once[StoredControl | None]
    mannequins: Mannequins

    def picture(self, pose: OpenPose) -> Picture:
        """Raises what `HostedCaller.fetch` raises; its `ImageInvalid` says why the last picture did not pass."""
        wanted = self._wanted(pose)
        while True:
            delivery = self.caller.fetch(wanted)
            if delivery.call.facts.get("flagged"):
                self.caller.refuse(delivery.call, "The provider's checker has flagged the picture.")
                continue
            try:
                return self._checked(pose, wanted, delivery)
            except ImageInvalid as invalid:
                log.warning("picture did not pass", pose=str(pose.id), seed=delivery.call.seed, reason=str(invalid))
                self.caller.reject(delivery.call, str(invalid))

    def break_off(self) -> None:
        """Requests under way end at once; what is known of their calls is in the rows."""
        self.caller.backend.abort()

    def _checked(self, pose: OpenPose, wanted: Wanted, delivery: Delivery) -> Picture:
        call, recipe = delivery.call, wanted.compose(delivery.call.seed)
        notes = self._check_seed(call)
        with self.at_work:
            pixels = self.decoders.decode(delivery.data)
            check_pixels(pixels, recipe.width, recipe.height)
            rendering = Rendering(pixels)
            passed = Passed(call.seed, call.attempt - 1, self.gate.admit(pose.position, rendering))
        return Picture(recipe, rendering, passed, call.id, call.object_id, notes)

    def _check_seed(self, call: Call) -> tuple[str, ...]:
        """A note when the far end does not say which seed it used. Raises `ImageInvalid` for another one."""
        unreadable = call.facts.get(UNREADABLE_SEED)
        if unreadable is not None:
            raise ImageInvalid(
                f"The picture came with the seed {shorten(str(unreadable), 40)}, which is no whole number below 2^64; "
                f"{call.seed} was asked for."
            )
        returned = call.facts.get("seed")
        if returned is None:
            return (f"seed: {call.backend} does not say which seed the picture was made with",)
        if returned != call.seed:
            shown = shorten(str(returned), 40)
            raise ImageInvalid(f"The picture was made with the seed {shown}; {call.seed} was asked for.")
        return ()

    def _wanted(self, pose: OpenPose) -> Wanted:
        description = self.caller.backend.description
        specification, avatar = PoseSpecification.from_json(pose.specification), Avatar.from_json(pose.avatar)
        if pose.control_kind is None and description.shows_mannequin:
            control: ControlMap | None = self.mannequins.picture(pose.library_pose, specification, avatar)
        else:
            control = self._map(pose)
        # A map is named by its kind and hash, whichever way the model takes it.
        is_map = control is not None and control.kind is not None
        side = self.caller.studio.pose_side

        def compose(seed: int) -> Recipe:
            return Recipe(
                backend=description.name,
                backend_version=description.version,
                specification=specification,
                pose=pose.library_pose,
                avatar=avatar,
                prompt=pose.prompt_used,
                seed=seed,
                width=side,
                height=side,
                control_weight=pose.control_weight,
                model=description.model,
                revision=description.revision or None,
                negative_prompt=pose.negative_prompt,
                control_kind=None if control is None else control.kind,
                control_sha256=control.sha256 if control is not None and is_map else None,
                control_start=pose.control_start if is_map else None,
                control_end=pose.control_end if is_map else None,
                references=(control.sha256,) if control is not None and description.is_by_reference else None,
                steps=description.steps,
                guidance=description.guidance,
                licence=description.licence or None,
            )

        return Wanted(pose, compose, control)

    def _map(self, pose: OpenPose) -> ControlMap | None:
        """The map that shows the pose. Raises what `prepared_control` raises."""
        if pose.control_kind is None:
            return None
        image = self.control.result()
        if image is not None:
            return ControlMap(image.data, pose.control_kind, image.sha256)
        studio = self.caller.studio
        try:
            return control_map(studio, pose.library_pose, pose.control_kind)
        except ControlUnusable as unusable:
            if studio.control_missing != "drop":
                raise
            log.warning("pose made without its map", pose=str(pose.id), reason=str(unusable))
            leave_out_map(studio.database, self.caller.lease, pose.id, str(unusable))
            return None
