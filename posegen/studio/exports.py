"""Deriving the exports of a generation: every wanted platform's version of every completed pose.

The geometry and the encoding live in `posegen.images`; here is what is derived, stored and written down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray

from posegen.database import exports, generations, poses
from posegen.database.generations import Lease
from posegen.database.poses import FinishedPose
from posegen.error_codes import ErrorCode
from posegen.errors import ExportFailed, GenerationUnknown, ImageInvalid, ObjectCorrupt, ObjectMissing
from posegen.images.exports import encode_export
from posegen.images.framing import BodyPoints
from posegen.images.pixels import Pixels
from posegen.images.platforms import PLATFORMS, platform_named
from posegen.images.validation import open_image
from posegen.lifecycle import checkpoint
from posegen.lifecycle.checkpoint import FailedExport, MadeExport
from posegen.lifecycle.leases import LeaseKeeper
from posegen.storage.keys import export_key
from posegen.studio.studio import Studio

log = structlog.get_logger(__name__)

LARGE_PIXELS = 4_000_000


@dataclass(frozen=True)
class _StoredPoints:
    """Keypoints as framing wants them. `points`: (18, 2), fractions of the picture's side."""

    points: NDArray[np.float64]


@dataclass(frozen=True)
class _Pass:
    """One pass over a generation. `one_large`: held while a print is made, for each takes 50 to 105 MB."""

    studio: Studio
    generation_id: UUID
    lease: Lease | None
    one_large: threading.Lock


def derive_exports(
    studio: Studio,
    generation_id: UUID,
    lease: Lease | None,
    keeper: LeaseKeeper | None = None,
    *,
    formats: Sequence[str] | None = None,
    again: bool = False,
) -> int:
    """Derive what is missing, or with `again` also what is there; answers how many exports were derived.

    `formats`: those of the request unless others are named. Without a lease the generation must have ended.
    Raises `UnknownName` for a format that is no platform, `LeaseLost`, or the first storage error.
    """
    for name in formats or ():
        platform_named(name)
    work = _plan(studio, generation_id, formats, again=again)
    this_pass = _Pass(studio, generation_id, lease, threading.Lock())
    stop = threading.Event()

    def derive(pose: FinishedPose, wanted: list[str]) -> int:
        if stop.is_set():
            return 0
        if keeper is not None:
            keeper.check()
        return _derive_one(this_pass, pose, wanted)

    with ThreadPoolExecutor(studio.render_threads, thread_name_prefix="export") as threads:
        try:
            begun = [threads.submit(copy_context().run, derive, pose, wanted) for pose, wanted in work]
            wait(begun, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
    return sum(future.result() for future in begun)


def _plan(
    studio: Studio, generation_id: UUID, formats: Sequence[str] | None, *, again: bool
) -> list[tuple[FinishedPose, list[str]]]:
    with studio.database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id)
        if progress is None:
            raise GenerationUnknown(generation_id)
        finished = poses.finished_poses(connection, generation_id)
        present = {
            (row.pose_id, row.format)
            for row in exports.exports_of(connection, generation_id)
            if row.status == "completed"
        }
    wanted = list(dict.fromkeys(progress.formats if formats is None else formats))
    plan = [(pose, [name for name in wanted if again or (pose.id, name) not in present]) for pose in finished]
    return [(pose, names) for pose, names in plan if names]


def _derive_one(this_pass: _Pass, pose: FinishedPose, wanted: list[str]) -> int:
    studio, generation_id = this_pass.studio, this_pass.generation_id
    began = time.perf_counter()
    outcomes: list[MadeExport | FailedExport] = []
    try:
        pixels = open_image(studio.store.get(pose.image_key, sha256=pose.image_sha256))
    except (ObjectMissing, ObjectCorrupt, ImageInvalid) as unreadable:
        outcomes = [FailedExport(name, ErrorCode.STORAGE_FAILED, str(unreadable)) for name in wanted]
    else:
        keypoints = None if pose.keypoints is None else _StoredPoints(np.asarray(pose.keypoints))
        for names in _alike(wanted):
            outcomes += _encode_and_store(this_pass, pose.id, names, pixels, keypoints)
    checkpoint.record_exports(
        studio.database, generation_id, this_pass.lease, pose.id, outcomes, store=studio.store.name
    )
    made = sum(isinstance(outcome, MadeExport) for outcome in outcomes)
    log.info(
        "exports stored",
        generation=str(generation_id),
        pose=str(pose.id),
        formats=made,
        failed=len(outcomes) - made,
        export_ms=round((time.perf_counter() - began) * 1000),
    )
    return made


def _alike(names: list[str]) -> list[list[str]]:
    """Formats whose files would be the same, together: they are encoded and stored once."""
    groups: dict[object, list[str]] = {}
    for name in names:
        groups.setdefault(PLATFORMS[name].encoding, []).append(name)
    return list(groups.values())


def _encode_and_store(
    this_pass: _Pass,
    pose_id: UUID,
    names: list[str],
    pixels: Pixels,
    keypoints: BodyPoints | None,
) -> list[MadeExport | FailedExport]:
    platform = PLATFORMS[names[0]]
    try:
        with this_pass.one_large if platform.width * platform.height > LARGE_PIXELS else nullcontext():
            encoded = encode_export(pixels, platform, keypoints)
    except ExportFailed as failed:
        return [FailedExport(name, ErrorCode.IMAGE_INVALID, str(failed)) for name in names]
    stored = this_pass.studio.put_verified(
        lambda sha256: export_key(this_pass.generation_id, pose_id, sha256), encoded.data, encoded.content_type
    )
    return [MadeExport(name, stored, encoded.width, encoded.height) for name in names]
