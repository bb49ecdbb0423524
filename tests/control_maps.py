"""Reading an OpenPose drawing back: where its joints are, by the colours of their discs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.poses.control_maps import COLOURS, JOINT_RADIUS, Floats, Image

_SQUARES = np.arange(-JOINT_RADIUS, JOINT_RADIUS + 1) ** 2
_DISC = np.add.outer(_SQUARES, _SQUARES) <= JOINT_RADIUS**2


def decode_joints(image: Image) -> Floats:
    """(18, 2) pixels, the joints of an OpenPose drawing by the colours of their discs; NaN where there is none to see.

    A disc that others hide in part is found from what shows of it: the place where its visible pixels fit and where
    everything that is missing lies under discs that were drawn later.
    """
    red, green, blue = (image[..., channel].astype(np.int32) for channel in range(3))
    lit = np.argwhere((red == 255) | (green == 255) | (blue == 255))  # of the drawing, only discs are this bright
    packed = (red << 16 | green << 8 | blue)[lit[:, 0], lit[:, 1]]
    owner = np.full(image.shape[:2], -1, np.int8)
    spots = []
    for joint, (r, g, b) in enumerate(COLOURS):
        seen = lit[packed == (r << 16 | g << 8 | b)]
        owner[seen[:, 0], seen[:, 1]] = joint
        spots.append(seen)
    padded = np.pad(owner, 2 * JOINT_RADIUS, constant_values=len(COLOURS))  # pixels off the picture count for no joint
    return np.array([_decode_joint(padded, joint, seen + 2 * JOINT_RADIUS) for joint, seen in enumerate(spots)])


def _decode_joint(owner: NDArray[np.int8], joint: int, seen: NDArray[np.intp]) -> Floats:
    if len(seen) == 0:
        return np.full(2, np.nan)
    # A centre lies within a radius of every visible pixel.
    lowest, highest = seen.max(axis=0) - JOINT_RADIUS, seen.min(axis=0) + JOINT_RADIUS
    centres = [(y, x) for y in range(lowest[0], highest[0] + 1) for x in range(lowest[1], highest[1] + 1)]
    if not centres:
        centres = [tuple(np.rint(seen.mean(axis=0)).astype(int))]
    misfits = np.array([_misfit(owner, joint, y, x, len(seen)) for y, x in centres])
    row, column = np.array(centres)[misfits == misfits.min()].mean(axis=0) - 2 * JOINT_RADIUS
    return np.array([column + 0.5, row + 0.5])


def _misfit(owner: NDArray[np.int8], joint: int, y: int, x: int, seen: int) -> int:
    """How many pixels speak against a disc here: its own outside of it, and bare ones inside of it."""
    under = owner[y - JOINT_RADIUS : y + JOINT_RADIUS + 1, x - JOINT_RADIUS : x + JOINT_RADIUS + 1][_DISC]
    return int(seen - (under == joint).sum() + (under < joint).sum())
