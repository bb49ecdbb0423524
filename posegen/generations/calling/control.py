"""The control map that an order shows the pose with: of the library pose, or made of the customer's control image."""

from __future__ import annotations

from contextlib import suppress

from posegen.backends.hosted import ControlMap
from posegen.backends.protocol import Recipe
from posegen.errors import ControlUnusable, InvalidPose, ObjectCorrupt, ObjectMissing, StorageError, UnknownName
from posegen.generations.rows.recipes import files_with
from posegen.library.control_maps import stored_map
from posegen.poses.control_maps import MapKind
from posegen.studio import Studio


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
    """The very control map that a recipe names by its SHA-256; None for a recipe without one.

    Raises `ControlUnusable` when no stored object has these bytes, and the map of today is another one.
    """
    if recipe.control_kind is None or recipe.control_sha256 is None:
        return None
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


def read_map(studio: Studio, store: str, key: str, sha256: str) -> bytes:
    """The bytes of a map or of the picture that it is made of. Raises `ControlUnusable` when it is lost or damaged."""
    try:
        return studio.read(store, key, sha256)
    except (ObjectCorrupt, ObjectMissing) as unusable:
        raise ControlUnusable(f"The map that was made of the control image cannot be used: {unusable}") from unusable
