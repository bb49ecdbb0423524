"""Hand shapes: how far each finger bends, and where the finger joints are in the hand frame.

The hand frame is the wrist's frame (see `skeleton`): fingers -y, thumb +z, palm -x on the left hand, +x on the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from posegen.errors import UnknownName
from posegen.poses.skeleton import Build, Floats, Vector, turn

FINGERS = ("thumb", "index", "middle", "ring", "little")
PALM_LENGTH = 0.095  # wrist to the knuckle of the middle finger, metres, at a height of 1.75 m
PALM_THICKNESS = 0.03

# Left hand: knuckle in the hand frame and the three bones' lengths, metres.
_KNUCKLES: dict[str, Vector] = {
    "thumb": (-0.008, -0.028, 0.026),
    "index": (0.0, -0.093, 0.030),
    "middle": (0.0, -0.095, 0.010),
    "ring": (0.0, -0.090, -0.011),
    "little": (0.0, -0.083, -0.030),
}
_BONES: dict[str, Vector] = {
    "thumb": (0.042, 0.033, 0.027),
    "index": (0.043, 0.026, 0.021),
    "middle": (0.047, 0.029, 0.022),
    "ring": (0.043, 0.027, 0.022),
    "little": (0.034, 0.020, 0.019),
}
_THUMB_CLOSES = np.array([-0.25, -0.45, -0.85])  # across the palm, left hand
_FAN = {"index": 1.0, "middle": 0.25, "ring": -0.45, "little": -1.1}

Curl = tuple[float, float, float]
_STRAIGHT: Curl = (0, 0, 0)
_BENT: Curl = (80, 95, 60)
_RING: Curl = (48, 55, 30)


@dataclass(frozen=True)
class HandShape:
    """Degrees. `curls`: of index, middle, ring and little, the bend at knuckle, middle and end joint towards the palm.

    `fan`: how far the fingers spread. The thumb: `thumb_spread` away from the index in the plane of the palm (0 = along
    the fingers, 90 = square to them), `thumb_fold` towards the palm, `thumb_curl` at its two outer joints.
    """

    name: str
    curls: tuple[Curl, Curl, Curl, Curl]
    fan: float = 4
    thumb_spread: float = 30
    thumb_fold: float = 20
    thumb_curl: tuple[float, float] = (10, 10)


def _even(curl: Curl) -> tuple[Curl, Curl, Curl, Curl]:
    return (curl, curl, curl, curl)


HAND_SHAPES: dict[str, HandShape] = {
    shape.name: shape
    for shape in (
        HandShape("relaxed", ((12, 18, 10), (18, 22, 12), (22, 26, 14), (26, 28, 14))),
        HandShape("flat", _even(_STRAIGHT), 2, thumb_spread=25, thumb_fold=5, thumb_curl=(0, 0)),
        HandShape("spread", _even((-3, 3, 2)), 14, thumb_spread=52, thumb_fold=5, thumb_curl=(0, 0)),
        HandShape("fist", _even((85, 100, 65)), 1, thumb_spread=22, thumb_fold=51, thumb_curl=(29, 56)),
        HandShape("grip", _even((55, 65, 35)), 2, thumb_spread=25, thumb_fold=60, thumb_curl=(30, 25)),
        HandShape("cup", _even((28, 35, 20)), 4, thumb_spread=38, thumb_fold=45, thumb_curl=(15, 15)),
        HandShape("clasp", _even((62, 55, 25)), 2, thumb_spread=30, thumb_fold=40, thumb_curl=(25, 20)),
        HandShape("point", (_STRAIGHT, _BENT, _BENT, _BENT), 4, thumb_spread=18, thumb_fold=48, thumb_curl=(40, 40)),
        HandShape(
            "peace", (_STRAIGHT, _STRAIGHT, _BENT, _BENT), 14, thumb_spread=10, thumb_fold=58, thumb_curl=(45, 40)
        ),
        HandShape("thumb_up", _even((85, 100, 65)), 1, thumb_spread=80, thumb_fold=0, thumb_curl=(-8, -8)),
        HandShape("ok", (_RING, (8, 8, 4), (4, 4, 2), _STRAIGHT), 10, thumb_fold=48, thumb_curl=(25, 20)),
    )
}


def hand_shape(name: str) -> HandShape:
    """Raises `UnknownName`."""
    if name not in HAND_SHAPES:
        raise UnknownName("hand shape", name, sorted(HAND_SHAPES))
    return HAND_SHAPES[name]


@lru_cache(maxsize=256)
def finger_joints(shape: HandShape, side: str, build: Build) -> Floats:
    """(5, 4, 3) metres in the hand frame: for each of `FINGERS` knuckle, middle joint, end joint and tip. Read-only."""
    joints = np.empty((5, 4, 3))
    joints[0] = _thumb(shape)
    for row, (finger, curl) in enumerate(zip(FINGERS[1:], shape.curls, strict=True), start=1):
        frame = turn(0, -shape.fan * _FAN[finger])
        joints[row] = _chain(_KNUCKLES[finger], _BONES[finger], frame, curl)
    if side == "right":
        joints[..., 0] *= -1
    scaled: Floats = joints * build.scale
    scaled.flags.writeable = False
    return scaled


def _thumb(shape: HandShape) -> Floats:
    points = np.empty((4, 3))
    points[0] = _KNUCKLES["thumb"]
    direction = -(turn(0, -shape.thumb_spread) @ turn(2, -shape.thumb_fold))[:, 1]
    for bone, (length, bend) in enumerate(zip(_BONES["thumb"], (0.0, *shape.thumb_curl), strict=True)):
        direction = _bent(direction, bend)
        points[bone + 1] = points[bone] + direction * length
    return points


def _bent(direction: Floats, degrees: float) -> Floats:
    """A bone of the thumb, bent from its direction towards the fingertips of a fist."""
    sideways = _THUMB_CLOSES - direction * float(_THUMB_CLOSES @ direction)
    sideways /= np.linalg.norm(sideways)
    angle = np.deg2rad(degrees)
    bent: Floats = direction * np.cos(angle) + sideways * np.sin(angle)
    return bent


def _chain(start: Vector, lengths: Vector, frame: Floats, curl: Curl) -> Floats:
    points = np.empty((4, 3))
    points[0] = start
    for bone, (length, bend) in enumerate(zip(lengths, curl, strict=True)):
        frame = frame @ turn(2, -bend)
        points[bone + 1] = points[bone] - frame[:, 1] * length
    return points


def palm_centre(side: str, build: Build) -> Floats:
    """(3,) metres in the hand frame: the middle of the palm's surface."""
    inwards = -1.0 if side == "left" else 1.0
    return np.array([inwards * PALM_THICKNESS / 2, -0.065, 0.002]) * build.scale


def palm_normal(side: str) -> Floats:
    """(3,) in the hand frame: out of the palm."""
    return np.array([-1.0 if side == "left" else 1.0, 0.0, 0.0])
