"""The one 3-D skeleton: joints, their anatomical limits, bones and builds, and which way every angle turns.

Units are metres and degrees, y points up, a figure with yaw 0 faces +z (the viewer), and its left is +x, which is the
right side of the picture. `specification` holds what a pose is made of, `kinematics` solves it, and
`posed_skeleton` holds the result, a `PosedSkeleton`.

Frames. Every joint carries the frame of the bone that hangs on it. In the REST POSE (upright, arms hanging, palms
against the thighs, feet forward) all frames equal the world's axes, so a body part is modelled where it stands at rest,
relative to its joint, and drawn at `skeleton.positions[j] + skeleton.orientations[j] @ local`.

    bone along   pelvis, spine, chest, neck, head: +y     clavicle: outwards (left +x, right -x)
                 shoulder, elbow, wrist, hip, knee: -y    ankle: +z (the foot, sole at local y = -ANKLE_HEIGHT)
    hand frame   (wrist)  fingers -y, thumb +z, palm faces inwards: left hand -x, right hand +x
    head frame   (head)   face +z, crown +y; the face's landmarks are in `HEAD_POINTS`

Angles are anatomical and the same for both sides: (flexion, abduction, rotation), absent means 0.

    joint      flexion (+)                 abduction (+)                rotation (+)
    spine, chest, neck, head  bend forward bend to the figure's left    turn to the figure's left
    clavicle   shoulder forward            shoulder raised              -
    shoulder   arm forward and up          arm away from the body       outwards (front of the arm turns outwards)
    elbow      forearm towards the arm     -                            supination (palm turns forward; - is pronation)
    wrist      palm towards the forearm    towards the thumb            -
    hip        thigh forward and up        leg away from the body       outwards (toes out)
    knee       heel towards the buttock    -                            toes out
    ankle      toes up (dorsiflexion)      outer edge of the foot up    toes out
    toes       curl down                   -                            -

For limbs the three turn in this order: rotation about the bone itself first, then abduction, then flexion
(R = F A R), so flexion 90 with abduction 20 is an arm held forward that opens 20 degrees outwards. For spine, chest,
neck and head it is turn, then bend forward, then bend sideways (R = R F A).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from posegen.errors import InvalidPose

Floats = NDArray[np.float64]
Angles = tuple[float, float, float]
Vector = tuple[float, float, float]

SIDES = ("left", "right")
AXIS_NAMES = ("flexion", "abduction", "rotation")
ANKLE_HEIGHT = 0.085
TOES_HEIGHT = 0.025


def _both(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for side in SIDES for name in names)


JOINTS: tuple[str, ...] = (
    "pelvis",
    "spine",
    "chest",
    "neck",
    "head",
    *_both("clavicle", "shoulder", "elbow", "wrist"),
    *_both("hip", "knee", "ankle", "toes"),
)
JOINT_INDEX: dict[str, int] = {joint: index for index, joint in enumerate(JOINTS)}

# Of the LEFT side: parent, and where the joint lies in its parent's frame at rest, for a height of 1.75 m.
_BONES: dict[str, tuple[str, Vector]] = {
    "spine": ("pelvis", (0.0, 0.115, -0.01)),
    "chest": ("spine", (0.0, 0.135, -0.005)),
    "neck": ("chest", (0.0, 0.265, -0.015)),
    "head": ("neck", (0.0, 0.105, 0.02)),
    "clavicle": ("chest", (0.025, 0.215, 0.01)),
    "shoulder": ("clavicle", (0.15, 0.0, -0.015)),
    "elbow": ("shoulder", (0.0, -0.29, 0.0)),
    "wrist": ("elbow", (0.0, -0.25, 0.0)),
    "hip": ("pelvis", (0.09, -0.005, 0.0)),
    "knee": ("hip", (0.0, -0.43, 0.0)),
    "ankle": ("knee", (0.0, -0.42, 0.0)),
    "toes": ("ankle", (0.0, TOES_HEIGHT - ANKLE_HEIGHT, 0.125)),
}

# Of the left side: flexion, abduction, rotation as signed world axes (0 = x, 1 = y, 2 = z). The right side mirrors
# x, which keeps turns about x and reverses those about y and z.
_TURNS: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "spine": ((0, 1), (2, -1), (1, 1)),
    "chest": ((0, 1), (2, -1), (1, 1)),
    "neck": ((0, 1), (2, -1), (1, 1)),
    "head": ((0, 1), (2, -1), (1, 1)),
    "clavicle": ((1, -1), (2, 1), (0, 1)),
    "shoulder": ((0, -1), (2, 1), (1, 1)),
    "elbow": ((0, -1), (2, 1), (1, 1)),
    "wrist": ((2, -1), (0, -1), (1, 1)),
    "hip": ((0, -1), (2, 1), (1, 1)),
    "knee": ((0, 1), (2, 1), (1, 1)),
    "ankle": ((0, -1), (2, 1), (1, 1)),
    "toes": ((0, 1), (2, 1), (1, 1)),
}
_AXIAL = ("spine", "chest", "neck", "head")

# Degrees, (lowest, highest) for flexion, abduction, rotation: active ranges of motion of a supple adult (AAOS tables),
# the trunk's split over two joints and the head's over neck and head.
_LIMITS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "spine": ((-30, 60), (-25, 25), (-20, 20)),
    "chest": ((-25, 40), (-25, 25), (-35, 35)),
    "neck": ((-45, 45), (-30, 30), (-45, 45)),
    "head": ((-30, 30), (-20, 20), (-40, 40)),
    "clavicle": ((-20, 25), (-10, 40), (0, 0)),
    "shoulder": ((-60, 180), (-55, 180), (-95, 95)),
    "elbow": ((-5, 150), (0, 0), (-90, 90)),
    "wrist": ((-75, 85), (-35, 25), (0, 0)),
    "hip": ((-30, 130), (-35, 75), (-50, 65)),
    "knee": ((-5, 155), (0, 0), (-25, 30)),
    "ankle": ((-55, 35), (-35, 20), (-25, 25)),
    "toes": ((-80, 40), (0, 0), (0, 0)),
}
# Beyond this sum a raised arm would point backwards through the shoulder blade.
SHOULDER_RAISE_LIMIT = 235.0


def base_name(joint: str) -> str:
    """The joint without its side: "left_elbow" -> "elbow"."""
    return joint.removeprefix("left_").removeprefix("right_")


LIMITS: dict[str, tuple[tuple[float, float], ...]] = {
    joint: _LIMITS[base_name(joint)] for joint in JOINTS if joint != "pelvis"
}


def _parent(joint: str) -> str:
    parent = _BONES[base_name(joint)][0]
    side = joint.split("_")[0]
    return f"{side}_{parent}" if "_" in joint and f"{side}_{parent}" in JOINT_INDEX else parent


PARENTS: dict[str, str] = {joint: _parent(joint) for joint in JOINTS if joint != "pelvis"}

# Landmarks in the head frame, for a height of 1.75 m; of left and right pairs the left one. Metres.
HEAD_POINTS: dict[str, Vector] = {
    "nose": (0.0, 0.045, 0.118),
    "eye": (0.032, 0.078, 0.092),
    "ear": (0.078, 0.06, 0.005),
    "mouth": (0.0, 0.01, 0.1),
    "chin": (0.0, -0.033, 0.092),
    "crown": (0.0, 0.19, 0.0),
    "centre": (0.0, 0.075, 0.01),
}


@dataclass(frozen=True)
class Build:
    """Proportions of a person. `height`: metres; all others are factors on the average, 1.0.

    `shoulders` and `hips` are widths, `girth` the thickness of everything soft. Raises `InvalidPose`.
    """

    height: float = 1.75
    head: float = 1.0
    torso: float = 1.0
    arms: float = 1.0
    legs: float = 1.0
    shoulders: float = 1.0
    hips: float = 1.0
    girth: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = (0.9, 2.2) if field.name == "height" else (0.6, 1.6)
            if not low <= value <= high:
                raise InvalidPose(f"The build's {field.name} is {value}; it must lie between {low} and {high}.")

    @property
    def scale(self) -> float:
        """Factor on every length that follows the height alone."""
        return self.height / 1.75


DEFAULT_BUILD = Build()


def bone_offsets(build: Build) -> Floats:
    """(J, 3) metres: each joint in its parent's frame at rest; the pelvis, which has no parent, at 0."""
    factors = {
        **dict.fromkeys(("spine", "chest", "neck"), (1.0, build.torso, 1.0)),
        "head": (1.0, build.torso, build.head),
        "clavicle": (1.0, build.torso, 1.0),
        "shoulder": (build.shoulders, 1.0, 1.0),
        **dict.fromkeys(("elbow", "wrist"), (1.0, build.arms, 1.0)),
        "hip": (build.hips, 1.0, 1.0),
        **dict.fromkeys(("knee", "ankle"), (1.0, build.legs, 1.0)),
        "toes": (1.0, 1.0, 1.0),
    }
    offsets = np.zeros((len(JOINTS), 3))
    for joint in PARENTS:
        name = base_name(joint)
        mirror = (-1.0 if joint.startswith("right_") else 1.0, 1.0, 1.0)
        offsets[JOINT_INDEX[joint]] = np.asarray(_BONES[name][1]) * factors[name] * mirror * build.scale
    return offsets


def turn(axis: int, degrees: float) -> Floats:
    """(3, 3) right-handed rotation about a world axis (0 = x, 1 = y, 2 = z)."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def heading(yaw: float, pitch: float, roll: float) -> Floats:
    """(3, 3) of yaw (to the figure's left), pitch (forward) and roll (to its left), in degrees."""
    return turn(1, yaw) @ turn(0, pitch) @ turn(2, -roll)


def joint_rotation(joint: str, angles: Angles) -> Floats:
    """(3, 3): the joint's frame in its parent's frame."""
    name = base_name(joint)
    mirror = (1, -1, -1) if joint.startswith("right_") else (1, 1, 1)
    flexion, abduction, rotation = (
        turn(axis, sign * mirror[axis] * angle) for (axis, sign), angle in zip(_TURNS[name], angles, strict=True)
    )
    if name in _AXIAL:
        return rotation @ flexion @ abduction
    return flexion @ abduction @ rotation


def check_angles(angles: Mapping[str, Angles]) -> None:
    """Raises `InvalidPose` with joint, value and limit when a joint is unknown or an angle is outside its limits."""
    for joint, triple in angles.items():
        if joint not in LIMITS:
            raise InvalidPose(f"There is no joint {joint!r} with angles; known: {', '.join(LIMITS)}.")
        for axis, value, (low, high) in zip(AXIS_NAMES, triple, LIMITS[joint], strict=True):
            if not low <= value <= high:
                raise InvalidPose(f"{joint} {axis} is {value:g} degrees; it must lie between {low:g} and {high:g}.")
        if base_name(joint) == "shoulder" and triple[0] + triple[1] > SHOULDER_RAISE_LIMIT:
            raise InvalidPose(
                f"{joint} flexion and abduction add up to {triple[0] + triple[1]:g} degrees; "
                f"together they must stay at or below {SHOULDER_RAISE_LIMIT:g}."
            )
