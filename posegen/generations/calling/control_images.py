"""Control images of customers: read when a generation is begun to be made, before any call is planned.

An image is read once for each generation, and made into a map once for each file of a user; whatever happened at the
first attempt holds for all later ones, so that no order differs from the one that was sent. Reading, resizing and what
a file may be are in `posegen.fetching` and `posegen.images.control_maps`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from posegen.database.connection import Connection
from posegen.errors import (
    ControlUnusable,
    FetchFailed,
    FetchRefused,
    ImageInvalid,
)
from posegen.generations.calling.control import read_map
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.rows import controls, poses
from posegen.generations.rows.controls import ControlImage
from posegen.images.control_maps import control_map_of
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.validation import FROM_OUTSIDE
from posegen.storage.keys import control_image_key
from posegen.studio import Studio, register_charged
from posegen.uploads.ids import upload_in
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease

log = structlog.get_logger(__name__)

_FETCH_SECONDS = 30.0
_FETCHES = 3
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class StoredControl:
    """The stored map of a control image: a PNG in the size of a pose, and its SHA-256."""

    data: bytes
    sha256: str


def prepared_control(
    studio: Studio, lease: Lease, keeper: LeaseKeeper, decode: Callable[[bytes], Pixels]
) -> StoredControl | None:
    """The map of the generation's control image, made of it if it is not stored yet; None to follow the library's maps.

    Args:
        studio: whose store takes the map.
        lease: on the generation.
        keeper: of that lease.
        decode: returns the pixels of an untrusted file.

    Raises:
        ControlUnusable: the image cannot be read or used, and `POSEGEN_CONTROL_MISSING` is not `drop`.
        RequestRefused: the user has no space left for the map (quota_exceeded).
        LeaseLost: another worker owns the generation.
    """
    with studio.database.transaction() as connection:
        image = controls.find(connection, lease.id)
    if image is None or image.is_left_out:
        return None
    if image.map is not None:
        return StoredControl(read_map(studio, *image.map), image.map[2])
    try:
        data = _source(studio, image, keeper)
        source_sha256 = hashlib.sha256(data).hexdigest()
        return _made(studio, lease, image, source_sha256, partial(control_map_of, data, decode, side=studio.pose_side))
    except (ControlUnusable, ImageInvalid) as unusable:
        reason = str(unusable)
        log.warning("control image cannot be used", generation=str(lease.id), reason=reason)
        if studio.control_missing != "drop":
            raise ControlUnusable(f"The control image cannot be used. {reason}") from unusable
        _leave_out(studio, lease, reason)
        return None


def _source(studio: Studio, image: ControlImage, keeper: LeaseKeeper) -> bytes:
    upload = upload_in(image.source)
    if upload is None:
        return _fetched(studio, image.source, keeper)
    with studio.database.transaction() as connection:
        found = controls.uploaded(connection, upload, image.user_id)
    if found is None:
        raise ControlUnusable(f"The upload {upload} is deleted.")
    return read_map(studio, found.store, found.key, found.sha256)


def _fetched(studio: Studio, url: str, keeper: LeaseKeeper) -> bytes:
    """The body of a URL. A server that does not respond is asked again a few times; nothing is paid for yet."""
    for attempt in range(1, _FETCHES + 1):
        keeper.check()
        try:
            return studio.fetcher.fetch(url, most_bytes=FROM_OUTSIDE.max_bytes, seconds=_FETCH_SECONDS).data
        except FetchRefused as refused:
            raise ControlUnusable(str(refused)) from refused
        except FetchFailed as failed:
            if attempt == _FETCHES or (failed.status is not None and failed.status < 500):
                raise ControlUnusable(str(failed)) from failed
            time.sleep(_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


def _made(
    studio: Studio,
    lease: Lease,
    image: ControlImage,
    source_sha256: str,
    make: Callable[[], EncodedImage],
) -> StoredControl:
    """The map of a file, made unless the user has it already, and noted as the generation's."""
    with studio.database.transaction() as connection:
        known = controls.made_of(connection, image.user_id, source_sha256)
    if known is not None:
        data = read_map(studio, known.store, known.key, known.sha256)
        with studio.database.transaction() as connection:
            _fence(connection, lease)
            controls.put_map(connection, lease.id, source_sha256, known.object_id)
        return StoredControl(data, known.sha256)
    encoded = make()
    stored = studio.put_verified(partial(control_image_key, image.user_id), encoded.data, encoded.content_type)
    with studio.database.transaction() as connection:
        _fence(connection, lease)
        object_id = register_charged(connection, studio.store.name, stored, user_id=image.user_id)
        controls.put_map(connection, lease.id, source_sha256, object_id)
    return StoredControl(encoded.data, stored.sha256)


def _leave_out(studio: Studio, lease: Lease, reason: str) -> None:
    with studio.database.transaction() as connection:
        _fence(connection, lease)
        controls.leave_out(connection, lease.id)
        note = f"control_image: left out, the maps of the library are used: {reason}"
        poses.leave_out_image(connection, lease.id, note)


def _fence(connection: Connection, lease: Lease) -> None:
    if GENERATIONS.queue.hold(connection, lease) is None:
        raise GENERATIONS.queue.lost(lease)
