"""The picture that an order shows the pose with: a map of the library pose or of a control image, or the mannequin."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress

from posegen.backends.hosted import ControlMap
from posegen.backends.protocol import Recipe
from posegen.errors import ControlUnusable, InvalidPose, ObjectCorrupt, ObjectMissing, StorageError, UnknownName
from posegen.figure.drawing import draw
from posegen.generations.rows.recipes import files_with
from posegen.images.png import encode_png
from posegen.library.control_maps import stored_map
from posegen.poses.avatar import Avatar
from posegen.poses.control_maps import MapKind
from posegen.poses.specification import PoseSpecification
from posegen.studio import Studio


class Mannequins:
    """The mannequin in the poses of one generation, each drawn once for all variations and threads.

    Nothing is stored: the same pose and avatar are the same bytes, in every worker and for a replay. `side`: pixels.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._lock = threading.Lock()
        self._drawn: dict[str, ControlMap] = {}

    def picture(self, pose: str, specification: PoseSpecification, avatar: Avatar) -> ControlMap:
        """The avatar in a library pose. `pose`: its slug; all poses of a generation have the same avatar."""
        with self._lock:
            if pose not in self._drawn:
                self._drawn[pose] = mannequin_in(specification, avatar, width=self._side, height=self._side)
            return self._drawn[pose]


def mannequin_in(specification: PoseSpecification, avatar: Avatar, *, width: int, height: int) -> ControlMap:
    """The mannequin in a pose, as a reference image of so many pixels."""
    data = encode_png(draw(specification, avatar, width=width, height=height).pixels).data
    return ControlMap(data, None, hashlib.sha256(data).hexdigest())


def control_map(studio: Studio, pose: str, kind: MapKind) -> ControlMap:
    """The stored control map of a library pose, drawn if it is not stored yet.

    Raises `ControlUnusable` for a map that cannot be read or drawn: without it the picture would show another pose.
    """
    try:
        stored = stored_map(studio, pose, kind)
        data = studio.read(stored.store, stored.key, stored.sha256)
    except (InvalidPose, ObjectCorrupt, ObjectMissing, UnknownName) as unusable:
        raise ControlUnusable(f"The {kind} map of library pose {pose} cannot be used: {unusable}") from unusable
    return ControlMap(data, kind, stored.sha256)


def control_of(studio: Studio, recipe: Recipe) -> ControlMap | None:
    """The very picture that a recipe shows the pose with, by its SHA-256; None for a recipe without one.

    Raises `ControlUnusable` when no stored object has the bytes of a map, or a mannequin is drawn otherwise by now.
    """
    if recipe.control_kind is None or recipe.control_sha256 is None:
        return _mannequin_of(recipe) if recipe.references else None
    with studio.database.transaction() as connection:
        files = files_with(connection, recipe.control_sha256)
    for file in files:
        with suppress(StorageError):
            data = studio.read(file.store, file.key, recipe.control_sha256)
            return ControlMap(data, recipe.control_kind, recipe.control_sha256)
    of_today = control_map(studio, recipe.pose, recipe.control_kind)
    if of_today.sha256 != recipe.control_sha256:
        raise ControlUnusable(
            f"The {recipe.control_kind} map with SHA-256 {recipe.control_sha256} is not stored any more, and that of "
            f"library pose {recipe.pose} is another one by now: the same recipe cannot be sent."
        )
    return of_today


def _mannequin_of(recipe: Recipe) -> ControlMap:
    drawn = mannequin_in(recipe.specification, recipe.avatar, width=recipe.width, height=recipe.height)
    if recipe.references != (drawn.sha256,):
        raise ControlUnusable(
            f"The mannequin that was the reference image of library pose {recipe.pose} is drawn otherwise by now: the "
            "same recipe cannot be sent."
        )
    return drawn


def read_map(studio: Studio, store: str, key: str, sha256: str) -> bytes:
    """The bytes of a map or of the picture that it is made of. Raises `ControlUnusable` when it is lost or damaged."""
    try:
        return studio.read(store, key, sha256)
    except (ObjectCorrupt, ObjectMissing) as unusable:
        raise ControlUnusable(f"The map that was made of the control image cannot be used: {unusable}") from unusable
