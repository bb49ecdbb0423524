"""The body around the skeleton, as tapered capsules, for contact with the ground, framing and collisions.

A rough hull for geometry; `posegen.figure.body` models how a body looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegen.poses.hands import finger_joints, hand_shape
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.skeleton import ANKLE_HEIGHT, SIDES, TOES_HEIGHT, Build, Floats, Vector


@dataclass(frozen=True)
class Segment:
    """A tapered capsule from a point in one joint's frame to a point in another's.

    Radii and offsets: metres at a height of 1.75 m. `girth`: whether the radii follow the build's girth.
    """

    name: str
    start: str
    end: str
    radii: tuple[float, float]
    start_offset: Vector = (0.0, 0.0, 0.0)
    end_offset: Vector = (0.0, 0.0, 0.0)
    girth: bool = True


def _limbs(side: str) -> tuple[Segment, ...]:
    hip = (0.005 if side == "left" else -0.005, -0.04, 0.0)

    def named(joint: str) -> str:
        return f"{side}_{joint}"

    return (
        Segment(named("upper_arm"), named("shoulder"), named("elbow"), (0.05, 0.038)),
        Segment(named("forearm"), named("elbow"), named("wrist"), (0.038, 0.027)),
        Segment(named("hand"), named("wrist"), named("wrist"), (0.024, 0.02), (0, -0.03, 0), (0, -0.085, 0), False),
        Segment(named("thigh"), named("hip"), named("knee"), (0.082, 0.053), hip),
        Segment(named("shin"), named("knee"), named("ankle"), (0.052, 0.036)),
        Segment(named("foot"), named("ankle"), named("toes"), (0.036, 0.028), (0, -0.045, -0.02), (0, 0.004, 0), False),
        Segment(named("toes"), named("toes"), named("toes"), (0.024, 0.02), (0, 0.0, 0.01), (0, -0.004, 0.06), False),
    )  # fmt: skip


SEGMENTS: tuple[Segment, ...] = (
    Segment("hips", "left_hip", "right_hip", (0.095, 0.095), (-0.02, 0.03, -0.012), (0.02, 0.03, -0.012)),
    Segment("waist", "pelvis", "chest", (0.11, 0.11), (0, 0.06, 0), (0, 0.0, 0.005)),
    Segment("ribs", "chest", "chest", (0.112, 0.105), (0, 0.02, 0.005), (0, 0.15, 0.0)),
    Segment("shoulders", "left_shoulder", "right_shoulder", (0.055, 0.055), (-0.03, -0.01, 0), (0.03, -0.01, 0)),
    Segment("neck", "neck", "head", (0.055, 0.052)),
    Segment("head", "head", "head", (0.072, 0.088), (0, 0.035, 0.03), (0, 0.1, 0.005), False),
    *_limbs("left"),
    *_limbs("right"),
)

# The sole, in the ankle's and the toes' frames: heel, both edges of the ball, tip. Metres at 1.75 m, left foot.
_SOLE: tuple[tuple[str, Vector], ...] = (
    ("ankle", (0.0, -ANKLE_HEIGHT, -0.055)),
    ("ankle", (0.03, -ANKLE_HEIGHT, -0.03)),
    ("ankle", (-0.03, -ANKLE_HEIGHT, -0.03)),
    ("ankle", (0.04, -ANKLE_HEIGHT, 0.115)),
    ("ankle", (-0.04, -ANKLE_HEIGHT, 0.115)),
    ("toes", (0.04, -TOES_HEIGHT, 0.0)),
    ("toes", (-0.04, -TOES_HEIGHT, 0.0)),
    ("toes", (0.0, -TOES_HEIGHT, 0.075)),
)
_FINGER_RADIUS = 0.008


@dataclass(frozen=True, eq=False)
class Capsule:
    """A segment in the world. `start`, `end`: (3,) metres; `radii`: metres at the two ends."""

    name: str
    start: Floats
    end: Floats
    radii: tuple[float, float]


def capsules(skeleton: PosedSkeleton) -> tuple[Capsule, ...]:
    """The skeleton's body, one capsule for each of `SEGMENTS`."""
    return tuple(_capsule(skeleton, segment) for segment in SEGMENTS)


def _capsule(skeleton: PosedSkeleton, segment: Segment) -> Capsule:
    scale = _offset_scale(segment, skeleton.build)
    thickness = _radius_scale(segment, skeleton.build)
    return Capsule(
        segment.name,
        skeleton.point(segment.start, np.asarray(segment.start_offset) * scale),
        skeleton.point(segment.end, np.asarray(segment.end_offset) * scale),
        (segment.radii[0] * thickness, segment.radii[1] * thickness),
    )


def _offset_scale(segment: Segment, build: Build) -> float:
    return build.scale * (build.head if segment.name == "head" else 1.0)


def _radius_scale(segment: Segment, build: Build) -> float:
    if segment.name == "head":
        return build.scale * build.head
    return build.scale * (build.girth if segment.girth else 1.0)


def sole_points(skeleton: PosedSkeleton, side: str) -> Floats:
    """(8, 3) metres: the underside of a foot, heel first, tip of the toes last."""
    mirror = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0]) * skeleton.build.scale
    return np.array([skeleton.point(f"{side}_{joint}", np.asarray(local) * mirror) for joint, local in _SOLE])


def pelvis_underside(skeleton: PosedSkeleton) -> float:
    """Height in metres of a seat under the sitting skeleton."""
    thighs = [capsule for capsule in capsules(skeleton) if capsule.name in ("hips", "left_thigh", "right_thigh")]
    return float(min(capsule.start[1] - capsule.radii[0] for capsule in thighs))


def lowest_point(skeleton: PosedSkeleton) -> float:
    """Height in metres of the lowest point of the body."""
    return float(outline_points(skeleton)[:, 1].min())


def finger_positions(skeleton: PosedSkeleton, side: str) -> Floats:
    """(5, 4, 3) metres: the joints of a hand's fingers in the world, in the order of `hands.finger_joints`."""
    shape = hand_shape(skeleton.hands[SIDES.index(side)])
    joints = finger_joints(shape, side, skeleton.build)
    world: Floats = joints @ skeleton.orientation(f"{side}_wrist").T + skeleton.position(f"{side}_wrist")
    return world


def outline_points(skeleton: PosedSkeleton) -> Floats:
    """(N, 3) metres: surface points that bound the body along every world axis, fingers and soles included.

    The same pose has its points in the same order on every build.
    """
    parts = capsules(skeleton)
    fingers = np.concatenate([finger_positions(skeleton, side).reshape(-1, 3) for side in SIDES])
    centres = np.concatenate([[point for part in parts for point in (part.start, part.end)], fingers])
    radii = [radius for part in parts for radius in part.radii]
    radii += [_FINGER_RADIUS * skeleton.build.scale] * len(fingers)
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    hull = (centres[:, None, :] + np.array(radii)[:, None, None] * axes).reshape(-1, 3)
    return np.concatenate([hull, [skeleton.head_point("crown")], *(sole_points(skeleton, side) for side in SIDES)])
