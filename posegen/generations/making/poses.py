"""Making the poses of a generation with their thumbnails: render, check, store, verify, checkpoint; several at once.

Completed poses are skipped. One pose that cannot be made fails alone; an error that would meet every pose (storage,
database) ends the attempt instead. Pictures come from `pictures`, exports are made in `exports`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import psycopg
import structlog

from posegen.error_codes import ErrorCode
from posegen.errors import (
    BackendError,
    BackendHeldBack,
    DatabaseUnusable,
    ImageInvalid,
    LeaseLost,
    PosegenError,
    RequestRefused,
    StorageError,
)
from posegen.generations.making import checkpoint
from posegen.generations.making.keypoints import keypoints_to_json
from posegen.generations.making.pictures import Maker, Picture, maker_for
from posegen.generations.making.quality import Gate, measures_of
from posegen.generations.rows import poses
from posegen.generations.rows.poses import MadePose, OpenPose
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.png import encode_png
from posegen.images.provenance import packet_of
from posegen.images.thumbnails import encode_thumbnail
from posegen.images.validation import open_image
from posegen.storage.keys import pose_key, thumbnail_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease
from posegen.work.working import Stopped

log = structlog.get_logger(__name__)

# How long the threads of a worker that is asked to stop may read responses that are on their way.
_GRACE_SECONDS = 1.0
# What ends the attempt at the whole generation, or nothing at all.
_NOT_THE_POSES = (BackendHeldBack, DatabaseUnusable, LeaseLost, Stopped, StorageError, psycopg.Error)


@dataclass(frozen=True)
class PosesMade:
    """What one pass over a generation did. `render_ms`: sum over the poses that were rendered in this pass."""

    rendered: int
    failed: int
    render_ms: int


def make_poses(studio: Studio, lease: Lease, keeper: LeaseKeeper) -> PosesMade:
    """Make every pose that is still open.

    Raises `LeaseLost` when another worker owns the generation, or the first error that was not a pose's own; nothing
    new is begun after it.
    """
    with studio.database.transaction() as connection:
        todo = poses.open_poses(connection, lease.id)
        gate = Gate(measures_of(connection, lease.id))
    if not todo:
        return PosesMade(0, 0, 0)
    stop = threading.Event()
    with maker_for(studio, lease, keeper, gate, stop, backend=todo[0].backend) as maker:
        worker = _Worker(studio, lease, keeper, maker, threading.Semaphore(studio.render_threads))

        def make(pose: OpenPose) -> int | None:
            if stop.is_set():
                return None
            try:
                keeper.check()
                return _make_one(worker, pose)
            except Stopped:
                return None
            except BaseException as error:
                if stop.is_set():  # its result is not needed any more
                    log.warning("pose left open", pose=str(pose.id), reason=f"{type(error).__name__}: {error}")
                stop.set()
                raise

        with ThreadPoolExecutor(min(maker.poses_at_once, len(todo)), thread_name_prefix="pose") as threads:
            begun: list[Future[int | None]] = []
            try:
                begun = [threads.submit(copy_context().run, make, pose) for pose in todo]
                wait(begun, return_when=FIRST_EXCEPTION)
                # An error in one pose: poses in hand are finished, because what a provider makes is paid for.
                stop.set()
                wait(begun)
            except BaseException:  # the process is asked to stop
                stop.set()
                # An order that is on its way is known to have arrived once its response is read.
                wait(begun, timeout=_GRACE_SECONDS)
                maker.break_off()
                raise
        return _summary(begun)


@dataclass(frozen=True)
class _Worker:
    """A worker that has a generation. `at_work`: poses that are encoded and stored at once."""

    studio: Studio
    lease: Lease
    keeper: LeaseKeeper
    maker: Maker
    at_work: threading.Semaphore


def _summary(done: list[Future[int | None]]) -> PosesMade:
    durations = [future.result() for future in done]
    rendered = [duration for duration in durations if duration is not None]
    return PosesMade(rendered=len(rendered), failed=len(durations) - len(rendered), render_ms=sum(rendered))


def _make_one(worker: _Worker, pose: OpenPose) -> int | None:
    """Milliseconds of rendering, or None when the pose failed."""
    studio, lease = worker.studio, worker.lease
    bound = log.bind(generation=str(lease.id), pose=str(pose.id), position=pose.position)
    checkpoint.begin_pose(studio.database, lease, pose)
    began = time.perf_counter()
    try:
        picture = worker.maker.picture(pose)
        rendered = time.perf_counter()
    except _NOT_THE_POSES:
        raise
    except Exception as error:  # noqa: BLE001  # whatever a renderer raises, promised or not, this pose fails alone
        code, detail = _reason(error)
        bound.warning("pose failed", error_code=code, exc_info=not isinstance(error, PosegenError))
        checkpoint.fail_pose(studio.database, lease, pose, code, detail)
        return None
    with worker.at_work:
        return _store_one(worker, pose, picture, began=began, rendered=rendered)


def _store_one(worker: _Worker, pose: OpenPose, picture: Picture, *, began: float, rendered: float) -> int | None:
    """Encode, store and record a picture. `began`, `rendered`: seconds of the clock that durations are taken from."""
    studio, lease, keeper, recipe = worker.studio, worker.lease, worker.keeper, picture.recipe
    bound = log.bind(generation=str(lease.id), pose=str(pose.id), position=pose.position)
    packet = packet_of(recipe.backend, recipe.backend_version, recipe.digest(), pose.asked_at)
    image = encode_png(picture.rendering.pixels, xmp=packet)
    thumbnails = encode_thumbnails(studio, picture.rendering.pixels, packet)
    encoded = time.perf_counter()
    keeper.check()
    stored_image = studio.put_verified(
        lambda sha256: pose_key(lease.id, pose.id, sha256, private=pose.private), image.data, image.content_type
    )
    thumbnail, more_thumbnails = store_thumbnails(studio, lease.id, pose.id, thumbnails, private=pose.private)
    stored = time.perf_counter()
    keeper.check()
    made = MadePose(
        recipe=recipe.to_json(),
        recipe_hash=recipe.digest(),
        keypoints=keypoints_to_json(picture.rendering.keypoints),
        image=stored_image,
        thumbnail=thumbnail,
        more_thumbnails=more_thumbnails,
        passed=picture.passed,
        render_ms=_ms(rendered - began),
        store_ms=_ms(stored - encoded),
        generation_ms=_ms(stored - began),
        call=picture.call,
        notes=picture.notes,
    )
    try:
        checkpoint.complete_pose(studio.database, lease, pose, made, store=studio.store.name)
    except RequestRefused as refused:  # larger than what was reserved for it, and there is no room
        bound.warning("pose failed", error_code=refused.code)
        checkpoint.fail_pose(studio.database, lease, pose, refused.code, refused.detail)
        return None
    bound.info(
        "pose completed",
        render_ms=made.render_ms,
        encode_ms=_ms(encoded - rendered),
        store_ms=_ms(stored - encoded),
        checkpoint_ms=_ms(time.perf_counter() - stored),
        bytes=stored_image.size + thumbnail.size + sum(each.size for each in more_thumbnails.values()),
    )
    return made.render_ms


def _reason(error: Exception) -> tuple[ErrorCode, str]:
    """Code and words for a pose that cannot be made."""
    if isinstance(error, BackendError):
        return error.code, str(error)
    if isinstance(error, RequestRefused):
        return error.code, error.detail
    if isinstance(error, ImageInvalid):
        return ErrorCode.IMAGE_INVALID, str(error)
    if isinstance(error, PosegenError):
        return ErrorCode.BACKEND_REJECTED, str(error)
    return ErrorCode.BACKEND_REJECTED, f"{type(error).__name__}: {error}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def make_thumbnails_again(studio: Studio, generation_id: UUID) -> int:
    """Make the thumbnails of every completed pose anew, at no charge; returns how many. It must have ended."""
    with studio.database.transaction() as connection:
        finished = poses.finished_poses(connection, generation_id)
    for pose in finished:
        pixels = open_image(studio.read(pose.image_store, pose.image_key, pose.image_sha256))
        packet = packet_of(pose.backend, pose.backend_version, pose.recipe_hash, pose.asked_at)
        first, more = store_thumbnails(
            studio, generation_id, pose.id, encode_thumbnails(studio, pixels, packet), private=pose.private
        )
        checkpoint.replace_thumbnails(
            studio.database, generation_id, None, pose.id, first, more, store=studio.store.name
        )
    return len(finished)


def encode_thumbnails(studio: Studio, pixels: Pixels, xmp: bytes | None) -> dict[str, EncodedImage]:
    """Every size that the studio makes, by its name, the first one first."""
    return {size.name: encode_thumbnail(pixels, size=size, xmp=xmp) for size in studio.thumbnails}


def store_thumbnails(
    studio: Studio, generation_id: UUID, pose: UUID, encoded: Mapping[str, EncodedImage], *, private: bool
) -> tuple[ObjectInfo, dict[str, ObjectInfo]]:
    """Store and verify thumbnails; returns the first one, and the others by the names of their sizes."""
    stored = {
        name: studio.put_verified(
            partial(thumbnail_key, generation_id, pose, content_type=each.content_type, private=private),
            each.data,
            each.content_type,
        )
        for name, each in encoded.items()
    }
    first, *others = stored
    return stored[first], {name: stored[name] for name in others}
