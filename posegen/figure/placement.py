"""Where a figure and its props are in a picture, without drawing them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.figure.body.physique import physique
from posegen.poses.avatar import Avatar
from posegen.poses.camera import Camera, frame
from posegen.poses.kinematics import solve
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.prop_kinds import SCENERY
from posegen.poses.specification import PoseSpecification


def place(specification: PoseSpecification, avatar: Avatar, aspect: float) -> tuple[PosedSkeleton, Camera]:
    """The avatar's posed skeleton, and the camera that frames it. `aspect`: the picture's width over height."""
    skeleton = solve(specification, physique(avatar).build)
    return skeleton, frame(skeleton, specification, aspect)


def prop_corners(specification: PoseSpecification, avatar: Avatar, aspect: float) -> NDArray[np.float64] | None:
    """Corners of the boxes that props fill, without walls.

    Args:
        specification: the pose with its props.
        avatar: whose body holds them.
        aspect: the picture's width over its height.

    Returns:
        (n, 2) fractions of the picture's width and height, or None for a pose without props.
    """
    skeleton, camera = place(specification, avatar, aspect)
    props = [prop.corners() for prop in skeleton.props if prop.kind not in SCENERY]
    if not props:
        return None
    corners, _ = camera.project(np.concatenate(props))
    return corners
