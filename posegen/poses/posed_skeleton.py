"""A posed skeleton: the positions and orientations of all joints and props, in the frames that `skeleton` describes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegen.poses.skeleton import HEAD_POINTS, JOINT_INDEX, Build, Floats, Vector


@dataclass(frozen=True, eq=False)
class PlacedProp:
    """A prop in the world, filling an upright or turned box.

    `kind`: a name of `props.PROPS`; `position`: (3,) metres, the middle of the box; `orientation`: (3, 3), the box's
    axes as columns: x its width, y its height, z its front; `size`: (3,) metres, full lengths along these axes.
    `seat`: height of the seat above the bottom of the box, metres, for chairs and stools.
    """

    kind: str
    position: Floats
    orientation: Floats
    size: Floats
    seat: float | None = None

    def corners(self) -> Floats:
        """(8, 3) metres."""
        signs = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
        corners: Floats = self.position + (signs * self.size) @ self.orientation.T
        return corners


@dataclass(frozen=True, eq=False)
class PosedSkeleton:
    """A skeleton in the world.

    `positions`: (J, 3) metres, where the joint is, in the order of `JOINTS`; `orientations`: (J, 3, 3), columns are the
    local axes in the world; `build`: the one it was solved for; `hands`: shapes of the left and the right hand, names
    of `hands.HAND_SHAPES`; `props`: placed in the world, as `props` tells.
    """

    build: Build
    positions: Floats
    orientations: Floats
    hands: tuple[str, str] = ("relaxed", "relaxed")
    props: tuple[PlacedProp, ...] = ()

    def position(self, joint: str) -> Floats:
        """(3,) metres."""
        position: Floats = self.positions[JOINT_INDEX[joint]]
        return position

    def orientation(self, joint: str) -> Floats:
        """(3, 3), the joint's local axes as columns."""
        axes: Floats = self.orientations[JOINT_INDEX[joint]]
        return axes

    def point(self, joint: str, local: Vector | Floats) -> Floats:
        """World position of a point given in the joint's frame, in metres of this skeleton."""
        return self.position(joint) + self.orientation(joint) @ np.asarray(local, dtype=np.float64)

    def head_point(self, name: str, side: str = "left") -> Floats:
        """World position of a landmark of `HEAD_POINTS`."""
        x, y, z = np.asarray(HEAD_POINTS[name]) * self.build.scale * self.build.head
        return self.point("head", (x if side == "left" else -x, y, z))
