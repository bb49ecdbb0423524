"""How far a figure reaches: boxes around it, estimated from its 18 keypoints, which are joints and lie inside it.

Head top, fingertips and toes have no keypoint. They are allowed for by what a hand, a foot and a head with its hair
measure on people, scaled by the bone that shows the figure largest. No pixel is looked at here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posegen.poses.keypoints import KEYPOINTS

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the picture."""


class BodyPoints(Protocol):
    """What framing needs to know of a figure: `posegen.poses.keypoints.Keypoints` fit, so does a detector's answer."""

    @property
    def points(self) -> NDArray[np.float64]:
        """(18, 2), fractions of the picture's width and height, in OpenPose order."""


@dataclass(frozen=True)
class Body:
    """`whole`: the box around everything from hair to toes, and what belongs to it; `head`: around the head.

    Both end where the picture ends.
    """

    whole: Box
    head: Box


# Metres between two joints of an adult. Turned away from the camera a bone looks shorter, never longer, so the one that
# looks longest for its length says how many pixels a metre has.
_BONES: tuple[tuple[str, str, float], ...] = tuple(
    (f"{side}_{start}", f"{side}_{end}", length)
    for side in ("left", "right")
    for start, end, length in (
        ("shoulder", "elbow", 0.29),
        ("elbow", "wrist", 0.25),
        ("hip", "knee", 0.43),
        ("knee", "ankle", 0.42),
        ("shoulder", "hip", 0.48),
    )
)
# Metres around a joint that a body with its clothes may reach: the mannequin's in all its builds, hair styles and
# clothes was measured on all library poses (docs/reference/images.md).
_REACH = {"shoulder": 0.15, "elbow": 0.10, "wrist": 0.21, "hip": 0.20, "knee": 0.14, "ankle": 0.23}
_HEAD_REACH = 0.30
_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def body_of(keypoints: BodyPoints, size: tuple[int, int], belongings: NDArray[np.float64] | None = None) -> Body:
    """The boxes of the body that these keypoints belong to, in a picture of `size` (width, height).

    `belongings`: (n, 2), fractions like the keypoints: corners of what the figure holds and uses.
    """
    points = np.asarray(keypoints.points, dtype=np.float64) * size
    metre = max(_distance(points, start, end) / length for start, end, length in _BONES)
    face = points[[KEYPOINTS.index(name) for name in _FACE]].mean(axis=0)
    head = _around([face], [_HEAD_REACH * metre])
    joints = [(points[index], _REACH.get(name.partition("_")[2], 0.0) * metre) for index, name in enumerate(KEYPOINTS)]
    things = [] if belongings is None else [(corner, 0.0) for corner in belongings * size]
    rest = _around(*zip(*joints, *things, strict=True))
    whole = np.concatenate([np.minimum(head[:2], rest[:2]), np.maximum(head[2:], rest[2:])])
    return Body(_within(whole, size), _within(head, size))


def _distance(points: NDArray[np.float64], start: str, end: str) -> float:
    return float(np.linalg.norm(points[KEYPOINTS.index(start)] - points[KEYPOINTS.index(end)]))


def _around(centres: Sequence[NDArray[np.float64]], reaches: Sequence[float]) -> NDArray[np.float64]:
    middle, reach = np.array(centres), np.array(reaches)[:, None]
    return np.concatenate([(middle - reach).min(axis=0), (middle + reach).max(axis=0)])


def _within(box: NDArray[np.float64], size: tuple[int, int]) -> Box:
    left, top, right, bottom = np.clip(box, 0, [*size, *size]).tolist()
    return left, top, right, bottom
