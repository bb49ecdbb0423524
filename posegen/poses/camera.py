"""The camera: a perspective view that frames a whole figure, and the projection of world points into the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegen.poses.body import outline_points
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.prop_kinds import SCENERY
from posegen.poses.skeleton import Floats, turn
from posegen.poses.specification import PoseSpecification

DISTANCE = 5.5  # metres from the middle of the figure, as a portrait lens would stand
MARGIN = 0.06  # of the side, kept free around the figure and what it holds
SMALLEST_VIEW = 1.3  # metres: a crouching figure fills less of the picture than a standing one


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion.

    `position`: (3,) metres; `orientation`: (3, 3), its axes as columns in the world: x right, y up, z backwards (away
    from what it sees); `focal`: focal length as a fraction of the picture's height; `aspect`: width over height.
    """

    position: Floats
    orientation: Floats
    focal: float
    aspect: float = 1.0

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """World points (..., 3) in metres to picture points (..., 2) and depths (...).

        Picture points are fractions of width and height from the upper left corner; a depth is metres along the view.
        """
        local = (np.asarray(points) - self.position) @ self.orientation
        depth = -local[..., 2]
        u = 0.5 + self.focal / self.aspect * local[..., 0] / depth
        v = 0.5 - self.focal * local[..., 1] / depth
        return np.stack([u, v], axis=-1), depth


def frame(skeleton: PosedSkeleton, specification: PoseSpecification, aspect: float = 1.0) -> Camera:
    """The camera of the specification, at a zoom that shows the whole figure with its props inside `MARGIN`."""
    points = _framed_points(skeleton)
    yaw, pitch = specification.camera
    orientation = turn(1, yaw) @ turn(0, -pitch)
    scale = skeleton.build.scale
    target = (points.min(axis=0) + points.max(axis=0)) / 2
    camera = Camera(target + orientation[:, 2] * DISTANCE * scale, orientation, 1.0, aspect)
    for _ in range(4):
        seen, depth = camera.project(points)
        middle = (seen.min(axis=0) + seen.max(axis=0)) / 2 - 0.5
        shift = (orientation[:, 0] * middle[0] * aspect - orientation[:, 1] * middle[1]) * float(depth.mean())
        camera = Camera(camera.position + shift, orientation, 1.0, aspect)
    seen, _ = camera.project(points)
    reach = max(float(np.abs(seen - 0.5).max()), SMALLEST_VIEW / 2 / DISTANCE)
    return Camera(camera.position, orientation, (0.5 - MARGIN) / reach, aspect)


def _framed_points(skeleton: PosedSkeleton) -> Floats:
    held = [prop.corners() for prop in skeleton.props if prop.kind not in SCENERY]
    return np.concatenate([outline_points(skeleton), *held])
