"""Control maps of library poses, which pose-guided models are given, and the sheet of all of them.

A map is made once for each pose, size and kind. What a map shows is computed in `posegen.poses.control_maps`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from posegen.errors import StoreUnknown, UnknownName
from posegen.figure.drawing import VERSION, Drawing, draw
from posegen.images.contact_sheet import Tile, contact_sheet, encode_sheet
from posegen.images.pixels import Pixels
from posegen.images.png import encode_png
from posegen.library import rows
from posegen.library.rows import StoredPicture, StoredPose
from posegen.objects import rows as objects
from posegen.poses.avatar import Avatar
from posegen.poses.control_maps import MapKind, depth_map, openpose_map
from posegen.poses.specification import PoseSpecification
from posegen.storage.keys import control_map_key, library_sheet_key
from posegen.studio import Studio

MAP_KINDS: tuple[MapKind, ...] = ("openpose", "depth")
_SHEET_WIDTH = 640  # what the Dagster UI shows without cutting it off


@dataclass(frozen=True)
class ControlMap:
    """A stored control map. `made`: whether it was drawn just now."""

    store: str
    key: str
    sha256: str
    made: bool


def control_maps(studio: Studio, pose: StoredPose, *, side: int | None = None) -> dict[MapKind, ControlMap]:
    """The control maps of a library pose; those that are not stored yet are drawn.

    `side`: pixels; None for that of the image of a pose. Raises `InvalidPose` for a stored specification that the
    skeleton cannot take.
    """
    side = side or studio.pose_side
    fingerprint = fingerprint_of(pose)
    found: dict[MapKind, ControlMap] = {}
    with studio.database.transaction() as connection:
        for kind in MAP_KINDS:
            stored = rows.control_map(connection, pose.slug, kind, side, fingerprint)
            if stored is not None and is_stored(studio, stored):
                found[kind] = ControlMap(stored.store, stored.key, stored.sha256, made=False)
    if len(found) < len(MAP_KINDS):
        drawn = _draw(pose, side)
        for kind in MAP_KINDS:
            if kind not in found:
                found[kind] = _store(studio, pose.slug, kind, side, fingerprint, drawn[kind])
    return found


def stored_map(studio: Studio, slug: str, kind: MapKind) -> ControlMap:
    """One control map of a library pose, drawn if it is not stored yet.

    Raises:
        UnknownName: there is no such pose.
        InvalidPose: its specification is one that the skeleton cannot take.
    """
    with studio.database.transaction() as connection:
        pose = rows.stored_pose(connection, slug)
    if pose is None:
        raise UnknownName("pose", slug, [])
    return control_maps(studio, pose)[kind]


def fingerprint_of(pose: StoredPose) -> str:
    """The hash of everything that determines the drawing of a library pose.

    Raises `InvalidPose` for a stored specification that the skeleton cannot take.
    """
    PoseSpecification.from_json(pose.specification)  # what it refuses may not even be JSON
    drawn_by = json.dumps([VERSION, pose.specification], sort_keys=True)
    return hashlib.sha256(drawn_by.encode()).hexdigest()


def draw_library_pose(pose: StoredPose, side: int) -> Drawing:
    """A library pose as the default avatar shows it, always the same. `side`: pixels.

    Raises `InvalidPose` for a stored specification that the skeleton cannot take.
    """
    return draw(PoseSpecification.from_json(pose.specification), Avatar(), width=side, height=side)


def store_library_sheet(studio: Studio, maps: Mapping[str, ControlMap]) -> str:
    """Store a sheet of control maps, by the name of their poses, and return where a browser finds it."""
    tiles = [Tile(studio.read(each.store, each.key, each.sha256), label=slug) for slug, each in maps.items()]
    encoded = encode_sheet(contact_sheet(tiles, width=_SHEET_WIDTH), "jpeg")
    stored = studio.put_verified(library_sheet_key, encoded.data, encoded.content_type)
    with studio.database.transaction() as connection:
        object_id, _ = objects.register(connection, studio.store.name, stored, generation_id=None)
        rows.put_sheet(connection, object_id)
    return studio.url_to_look_at(stored.key)


def is_stored(studio: Studio, stored: StoredPicture) -> bool:
    """Whether the store has the picture; one in a store that is not configured any more counts as missing."""
    try:
        return studio.store_named(stored.store).exists(stored.key)
    except StoreUnknown:
        return False


def _draw(pose: StoredPose, side: int) -> dict[MapKind, Pixels]:
    drawing = draw_library_pose(pose, side)
    return {"openpose": openpose_map(drawing.keypoints, side, side), "depth": depth_map(drawing.depth)}


def _store(studio: Studio, slug: str, kind: MapKind, side: int, fingerprint: str, pixels: Pixels) -> ControlMap:
    encoded = encode_png(pixels)
    stored = studio.put_verified(
        lambda sha256: control_map_key(slug, kind, side, side, sha256), encoded.data, encoded.content_type
    )
    with studio.database.transaction() as connection:
        object_id, _ = objects.register(connection, studio.store.name, stored, generation_id=None)
        rows.put_control_map(connection, slug, kind, side, fingerprint, object_id)
    return ControlMap(studio.store.name, stored.key, stored.sha256, made=True)
