"""Control maps of library poses: what a pose-guided model is shown. Made once for each pose, size and kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from posegen.errors import StoreUnknown
from posegen.figure.drawing import VERSION, Drawing, draw
from posegen.images.contact_sheet import Tile, contact_sheet, encode_sheet
from posegen.images.pixels import Pixels
from posegen.images.png import encode_png
from posegen.library import rows as library
from posegen.library.rows import StoredPose
from posegen.objects import rows as objects
from posegen.poses.avatar import Avatar
from posegen.poses.control_maps import depth_map, openpose_map
from posegen.poses.specification import PoseSpecification
from posegen.storage.keys import control_map_key, library_sheet_key
from posegen.studio import POSE_SIDE, Studio

Kind = Literal["openpose", "depth"]
KINDS: tuple[Kind, ...] = ("openpose", "depth")
_SHEET_WIDTH = 640  # what the Dagster UI shows without cutting it off


@dataclass(frozen=True)
class ControlMap:
    """A stored control map. `made`: whether it was drawn just now."""

    store: str
    key: str
    sha256: str
    made: bool


def control_maps(studio: Studio, pose: StoredPose, *, side: int = POSE_SIDE) -> dict[Kind, ControlMap]:
    """The control maps of a library pose; those that are not stored yet are drawn. `side`: pixels.

    Raises `InvalidPose` for a stored specification that the skeleton cannot take.
    """
    PoseSpecification.from_json(pose.specification)  # what it refuses may not even be JSON
    drawn_by = json.dumps([VERSION, pose.specification], sort_keys=True)
    fingerprint = hashlib.sha256(drawn_by.encode()).hexdigest()
    found: dict[Kind, ControlMap] = {}
    with studio.database.transaction() as connection:
        for kind in KINDS:
            stored = library.control_map_object(connection, pose.slug, kind, side, side, fingerprint)
            if stored is not None and _is_there(studio, *stored[:2]):
                found[kind] = ControlMap(*stored, made=False)
    if len(found) < len(KINDS):
        drawn = _draw(pose, side)
        for kind in KINDS:
            if kind not in found:
                found[kind] = _store(studio, pose.slug, kind, side, fingerprint, drawn[kind])
    return found


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
        library.put_sheet(connection, object_id)
    return studio.url_to_look_at(stored.key)


def _is_there(studio: Studio, store: str, key: str) -> bool:
    """A map in a store that is not configured any more is drawn again rather than missed."""
    try:
        return studio.store_named(store).exists(key)
    except StoreUnknown:
        return False


def _draw(pose: StoredPose, side: int) -> dict[Kind, Pixels]:
    drawing = draw_library_pose(pose, side)
    return {"openpose": openpose_map(drawing.keypoints, side, side), "depth": depth_map(drawing.depth)}


def _store(studio: Studio, slug: str, kind: Kind, side: int, fingerprint: str, pixels: Pixels) -> ControlMap:
    encoded = encode_png(pixels)
    stored = studio.put_verified(
        lambda sha256: control_map_key(slug, kind, side, side, sha256), encoded.data, encoded.content_type
    )
    with studio.database.transaction() as connection:
        object_id, _ = objects.register(connection, studio.store.name, stored, generation_id=None)
        library.put_control_map(connection, slug, kind, side, side, fingerprint, object_id)
    return ControlMap(studio.store.name, stored.key, stored.sha256, made=True)
