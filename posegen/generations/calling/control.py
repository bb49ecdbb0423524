"""The control map that an order shows the pose with: of the library pose, or made of the customer's control image."""

from __future__ import annotations

from posegen.backends.hosted import ControlMap
from posegen.backends.protocol import Recipe
from posegen.errors import ControlUnusable, InvalidPose, ObjectCorrupt, ObjectMissing, UnknownName
from posegen.generations.rows import controls
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
    """The control map that a recipe was made with; None for one without.

    Raises `ControlUnusable` when it is not there any more, or is another one now.
    """
    if recipe.control_kind is None:
        return None
    with studio.database.transaction() as connection:
        found = None if recipe.control_sha256 is None else controls.map_with(connection, recipe.control_sha256)
    if found is None:
        control = control_map(studio, recipe.pose, recipe.control_kind)
    else:
        control = ControlMap(read_map(studio, found.store, found.key, found.sha256), recipe.control_kind, found.sha256)
    if recipe.control_sha256 not in (None, control.sha256):
        raise ControlUnusable(
            f"The {recipe.control_kind} map of the recipe is not there any more: ask for a new picture."
        )
    return control


def read_map(studio: Studio, store: str, key: str, sha256: str) -> bytes:
    """The bytes of a map or of the picture that it is made of. Raises `ControlUnusable` when it is lost or damaged."""
    try:
        return studio.read(store, key, sha256)
    except (ObjectCorrupt, ObjectMissing) as unusable:
        raise ControlUnusable(f"The map that was made of the control image cannot be used: {unusable}") from unusable
