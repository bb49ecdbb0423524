"""Deriving the exports of a generation: every wanted platform's version of every completed pose.

Geometry and encoding are in `posegen.platforms.drawing`; this module decides what is derived, and stores it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray

from posegen.backends.protocol import Recipe
from posegen.error_codes import ErrorCode
from posegen.errors import (
    ExportFailed,
    ImageInvalid,
    InvalidPose,
    ObjectCorrupt,
    ObjectMissing,
    UnknownName,
)
from posegen.figure.placement import prop_corners
from posegen.generations.making import checkpoint
from posegen.generations.rows import exports, generations, poses
from posegen.generations.rows.exports import FailedExport, MadeExport
from posegen.generations.rows.poses import FinishedPose
from posegen.images.framing import Fit
from posegen.images.provenance import packet_of
from posegen.images.validation import open_image
from posegen.platforms import rows as platforms
from posegen.platforms.drawing import PlannedExport, Source, encode_export, in_turns, plan_exports
from posegen.platforms.platform import Platform, platform_named
from posegen.storage.keys import export_key
from posegen.studio import Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease

log = structlog.get_logger(__name__)

_AHEAD = 2
"""Poses in hand at once: while one is stored and written down, the next is taken apart. Each takes 20 MB, and 35 MB
more while a print of it is made; each has one at a time."""

Outcomes = list[MadeExport | FailedExport]


@dataclass(frozen=True)
class _StoredPoints:
    """Keypoints as framing wants them. `points`: (18, 2), fractions of the picture's side."""

    points: NDArray[np.float64]


@dataclass(frozen=True)
class _Plan:
    """What one pass over a generation derives. `fit`: what the request said, if anything."""

    platforms: Mapping[str, Platform]
    fit: Fit | None
    work: list[tuple[FinishedPose, list[str]]]


@dataclass(frozen=True)
class _Begun:
    """A pose whose files are being made. `failed`: what is known already not to come."""

    pose: FinishedPose
    wanted: list[str]
    began: float
    failed: list[FailedExport]
    files: list[Future[Outcomes]]

    def outcomes(self) -> Outcomes:
        """All of them, once they are there, in the order in which they were wanted. Raises what a thread raised."""
        ended = [*self.failed, *(outcome for file in self.files for outcome in file.result())]
        return sorted(ended, key=lambda outcome: self.wanted.index(outcome.format))


def derive_exports(
    studio: Studio,
    generation_id: UUID,
    lease: Lease | None,
    keeper: LeaseKeeper | None = None,
    *,
    formats: Sequence[str] | None = None,
    only: Collection[UUID] | None = None,
    again: bool = False,
    fit: Fit | None = None,
    on_pose: Callable[[int], object] = lambda _: None,
) -> int:
    """Derive what is missing, or with `again` also what is there; returns how many exports were derived.

    `formats`: those of the request unless others are named; `only`: these poses; `fit`: that of the request unless one
    is named; `on_pose`: called with the number of each pose's exports as they are done. Without a lease the generation
    must have ended, and the new rows replace the old ones all at once, at the end.
    Raises `UnknownName` for a format that is no platform, `LeaseLost`, or the first storage error.
    """
    plan = _plan(studio, generation_id, formats, only, fit, again=again)
    begun: deque[_Begun] = deque()
    kept: dict[UUID, Outcomes] = {}
    derived = 0

    def finish(one: _Begun) -> int:
        outcomes = one.outcomes()
        if lease is None:
            kept[one.pose.id] = outcomes
        else:
            _record(studio, generation_id, lease, {one.pose.id: outcomes})
        made = sum(isinstance(outcome, MadeExport) for outcome in outcomes)
        _log(generation_id, one, made, len(outcomes) - made)
        on_pose(made)
        return made

    threads = ThreadPoolExecutor(studio.render_threads, thread_name_prefix="export")
    try:
        for pose, wanted in plan.work:
            if keeper is not None:
                keeper.check()
            begun.append(_begin(studio, generation_id, plan, pose, wanted, threads))
            if len(begun) == _AHEAD:
                derived += finish(begun.popleft())
        derived += sum(map(finish, begun))
    finally:
        # An interrupt or an error: the files in hand are finished, no other is begun.
        threads.shutdown(cancel_futures=True)
    if kept:
        _record(studio, generation_id, None, kept)
    return derived


def _plan(
    studio: Studio,
    generation_id: UUID,
    formats: Sequence[str] | None,
    only: Collection[UUID] | None,
    fit: Fit | None,
    *,
    again: bool,
) -> _Plan:
    with studio.database.transaction() as connection:
        known = platforms.stored_platforms(connection)
        for name in formats or ():
            platform_named(name, known)
        progress = generations.progress_of(connection, generation_id)
        finished = poses.finished_poses(connection, generation_id)
        present = {
            (row.pose_id, row.format)
            for row in exports.exports_of(connection, generation_id)
            if row.status == "completed"
        }
    wanted = list(dict.fromkeys(progress.formats if formats is None else formats))
    work = [
        (pose, [name for name in wanted if again or (pose.id, name) not in present])
        for pose in finished
        if only is None or pose.id in only
    ]
    return _Plan(known, fit or progress.fit, [(pose, names) for pose, names in work if names])


def _begin(
    studio: Studio,
    generation_id: UUID,
    plan: _Plan,
    pose: FinishedPose,
    wanted: list[str],
    threads: ThreadPoolExecutor,
) -> _Begun:
    """Reads the pose and hands its files to the threads, the largest first."""
    began = time.perf_counter()
    unknown = [name for name in wanted if name not in plan.platforms]
    failed = [
        FailedExport(name, ErrorCode.INVALID_REQUEST, f"There is no platform {name!r} any more.") for name in unknown
    ]
    names = [name for name in wanted if name in plan.platforms]
    try:
        pixels = open_image(studio.read(pose.image_store, pose.image_key, pose.image_sha256))
    except (ObjectMissing, ObjectCorrupt, ImageInvalid) as unreadable:
        failed += [FailedExport(name, ErrorCode.STORAGE_FAILED, str(unreadable)) for name in names]
        return _Begun(pose, wanted, began, failed, [])
    keypoints = None if pose.keypoints is None else _StoredPoints(np.asarray(pose.keypoints))
    source = Source.of(pixels, keypoints, belongings(pose.recipe))
    xmp = packet_of(pose.backend, pose.backend_version, pose.recipe_hash, pose.asked_at)

    def make(some: Sequence[PlannedExport]) -> Outcomes:
        return [made for each in some for made in _encode_and_store(studio, generation_id, pose, each, xmp)]

    planned = plan_exports(source, [plan.platforms[name] for name in names], plan.fit)
    files = [threads.submit(copy_context().run, make, some) for some in in_turns(planned)]
    return _Begun(pose, wanted, began, failed, files)


def _encode_and_store(
    studio: Studio, generation_id: UUID, pose: FinishedPose, planned: PlannedExport, xmp: bytes
) -> Outcomes:
    """Platforms that want the same bytes share one object."""
    began = time.perf_counter()
    try:
        encoded = encode_export(planned, xmp)
    except ExportFailed as failed:
        return [FailedExport(name, ErrorCode.IMAGE_INVALID, str(failed)) for name in planned.names]
    stored = studio.put_verified(
        lambda sha256: export_key(
            generation_id, pose.id, sha256, content_type=encoded.content_type, private=pose.private
        ),
        encoded.data,
        encoded.content_type,
    )
    took = round((time.perf_counter() - began) * 1000)
    return [
        MadeExport(name, stored, encoded.width, encoded.height, encoded.fit, encoded.effective_ppi, took)
        for name in planned.names
    ]


def _record(studio: Studio, generation_id: UUID, lease: Lease | None, outcomes: Mapping[UUID, Outcomes]) -> None:
    checkpoint.record_exports(studio.database, generation_id, lease, outcomes, store=studio.store.name)


def _log(generation_id: UUID, begun: _Begun, made: int, failed: int) -> None:
    log.info(
        "exports stored",
        generation=str(generation_id),
        pose=str(begun.pose.id),
        formats=made,
        failed=failed,
        export_ms=round((time.perf_counter() - begun.began) * 1000),
    )


def belongings(recipe: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """(n, 2): corners of the boxes that props fill, fractions of the picture's sides; None when there are none.

    `recipe`: as it was stored; one that this version cannot read any more counts as a pose without props.
    """
    try:
        known = Recipe.from_json(recipe)
    except (InvalidPose, UnknownName, KeyError, TypeError):
        return None
    return prop_corners(known.specification, known.avatar, known.width / known.height)
