"""What makes the pictures of a generation: drawn on this machine, or fetched from a hosted backend; both pass the gate.

What is stored and charged follows in `poses`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Semaphore
from typing import Protocol
from uuid import UUID

import structlog

from posegen.backends.hosted import ControlMap
from posegen.backends.protocol import Backend, Recipe, Rendering
from posegen.errors import ImageInvalid
from posegen.generations.calling.caller import Delivery, HostedCaller, Wanted
from posegen.generations.calling.control import control_map
from posegen.generations.making.calls import Caller
from posegen.generations.making.keypoints import keypoints_to_json
from posegen.generations.making.quality import Gate
from posegen.generations.rows.poses import OpenPose
from posegen.images.decoding.pool import DecoderPool
from posegen.images.measures import Passed
from posegen.images.quality import seed_of
from posegen.images.validation import check_pixels
from posegen.poses.avatar import Avatar
from posegen.poses.specification import PoseSpecification
from posegen.studio import POSE_SIDE, Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Picture:
    """A picture that has passed. `call`: that a hosted backend made it in, and `original`: the row of its file."""

    recipe: Recipe
    rendering: Rendering
    passed: Passed
    call: UUID | None = None
    original: int | None = None


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
    """
    description = studio.describe(backend)
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
                recipe = _recipe(pose, backend, seed)
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


def _recipe(pose: OpenPose, backend: Backend, seed: int) -> Recipe:
    return Recipe(
        backend=backend.name,
        backend_version=backend.version,
        specification=PoseSpecification.from_json(pose.specification),
        pose=pose.library_pose,
        avatar=Avatar.from_json(pose.avatar),
        prompt=pose.prompt_used,
        seed=seed,
        width=POSE_SIDE,
        height=POSE_SIDE,
        control_weight=pose.control_weight,
    )


@dataclass(frozen=True)
class Photographer:
    """Has pictures made by a hosted backend: each further one is paid for.

    `at_work`: pictures that are decoded and measured at once; a thread that waits for the far end holds no place.
    """

    caller: HostedCaller
    gate: Gate
    decoders: DecoderPool
    at_work: Semaphore
    poses_at_once: int

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
        returned = call.facts.get("seed")
        if returned is not None and returned != call.seed:
            raise ImageInvalid(f"The picture was made with the seed {returned}; {call.seed} was asked for.")
        with self.at_work:
            pixels = self.decoders.decode(delivery.data)
            check_pixels(pixels, recipe.width, recipe.height)
            rendering = Rendering(pixels)
            passed = Passed(call.seed, call.attempt - 1, self.gate.admit(pose.position, rendering))
        return Picture(recipe, rendering, passed, call.id, call.object_id)

    def _wanted(self, pose: OpenPose) -> Wanted:
        description, control = self.caller.backend.description, self._control(pose)
        specification, avatar = PoseSpecification.from_json(pose.specification), Avatar.from_json(pose.avatar)

        def compose(seed: int) -> Recipe:
            return Recipe(
                backend=description.name,
                backend_version=description.version,
                specification=specification,
                pose=pose.library_pose,
                avatar=avatar,
                prompt=pose.prompt_used,
                seed=seed,
                width=POSE_SIDE,
                height=POSE_SIDE,
                control_weight=pose.control_weight,
                model=description.model,
                control_kind=None if control is None else control.kind,
                control_sha256=None if control is None else control.sha256,
                licence=description.licence or None,
            )

        return Wanted(pose, compose, control)

    def _control(self, pose: OpenPose) -> ControlMap | None:
        kinds = self.caller.backend.description.capabilities.control_kinds
        return control_map(self.caller.studio, pose.library_pose, kinds[0]) if kinds else None
