"""The control map that an order shows the pose with."""

from __future__ import annotations

from posegen.backends.hosted import ControlMap
from posegen.errors import BackendRejected, InvalidPose, ObjectCorrupt, ObjectMissing, UnknownName
from posegen.library.control_maps import stored_map
from posegen.poses.control_maps import MapKind
from posegen.studio import Studio


def control_map(studio: Studio, pose: str, kind: MapKind) -> ControlMap:
    """The stored control map of a library pose, drawn if it is not stored yet.

    Raises `BackendRejected` for a map that cannot be read or drawn: without it the picture would show another pose.
    """
    try:
        stored = stored_map(studio, pose, kind)
        data = studio.read(stored.store, stored.key, stored.sha256)
    except (InvalidPose, ObjectCorrupt, ObjectMissing, UnknownName) as unusable:
        raise BackendRejected(f"The {kind} map of library pose {pose} cannot be used: {unusable}") from unusable
    return ControlMap(data, kind, stored.sha256)
