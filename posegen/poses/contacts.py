"""Contacts: corrections by a few degrees that keep the contacts of the average build on every other build.

A pose consists of angles, and with other proportions the same angles move hands and feet away from the ground, from the
body or from each other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posegen.poses.body import SEGMENTS, Capsule, capsules, outline_points
from posegen.poses.hands import palm_centre
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.skeleton import JOINT_INDEX, SIDES, Floats, turn

_TOUCHES_GROUND = 0.015  # metres above the ground, on the average build
_PALMS_TOUCH = 0.08  # metres between the middles of the palms, on the average build
_RESTS_ON = 0.04  # metres between a palm and the body's surface, on the average build
_STILL = 1e-6  # metres
_BODY = ("head", "ribs", "waist", "hips", "left_thigh", "right_thigh")
_MOST_TILT = 12.0  # degrees, in each round
_LEVEL = 0.05  # degrees
_ROUNDS = 4


def settle(skeleton: PosedSkeleton, average: PosedSkeleton) -> PosedSkeleton:
    """The skeleton, tilted as a whole so that the parts that support the average build stand evenly on the ground.

    `average`: the same pose on the average build, standing on the ground. Figures in the air stay as they are.
    """
    heights = outline_points(average)[:, 1]
    carrying = heights < _TOUCHES_GROUND
    if not carrying.any():
        return skeleton
    wanted = heights[carrying] * skeleton.build.scale
    for _ in range(_ROUNDS):
        pitch, roll = _levelling(outline_points(skeleton)[carrying] - skeleton.position("pelvis"), wanted)
        skeleton = _turned(skeleton, turn(0, pitch) @ turn(2, roll))
        if abs(pitch) + abs(roll) < _LEVEL:
            break
    return skeleton


def _levelling(points: Floats, wanted: Floats) -> tuple[float, float]:
    """Degrees about x and z that bring points (N, 3), relative to the pivot, nearest to heights (N,) over a ground."""
    x, y, z = points.T
    # Small turns about x and z move a point's height by -z and by x; a slight pull towards no turn at all keeps what
    # stands on one spot from tipping over.
    columns = np.stack([-z, x, np.ones_like(x)], axis=1)
    pull = np.diag([1e-4, 1e-4, 0.0]) * len(x)
    angles = np.rad2deg(np.linalg.solve(columns.T @ columns + pull, columns.T @ (wanted - y)))
    pitch, roll = np.clip(angles[:2], -_MOST_TILT, _MOST_TILT)
    return float(pitch), float(roll)


def _turned(skeleton: PosedSkeleton, rotation: Floats) -> PosedSkeleton:
    pelvis = skeleton.position("pelvis")
    positions = (skeleton.positions - pelvis) @ rotation.T + pelvis
    return replace(skeleton, positions=positions, orientations=rotation @ skeleton.orientations)


def place_hands(skeleton: PosedSkeleton, average: PosedSkeleton) -> PosedSkeleton:
    """The skeleton with its hands joined, or as far from the body's surface, as on the average build.

    Hands move without turning; hands that touch nothing stay where they are.
    """
    apart = average.orientation("chest").T @ (_palm(average, "left") - _palm(average, "right"))
    if np.linalg.norm(apart) < _PALMS_TOUCH:
        middle = (_palm(skeleton, "left") + _palm(skeleton, "right")) / 2
        half = skeleton.orientation("chest") @ apart * skeleton.build.scale / 2
        targets = {"left": middle + half, "right": middle - half}
    else:
        targets = {side: _on_body(skeleton, average, side) for side in SIDES}
    positions, orientations = skeleton.positions.copy(), skeleton.orientations.copy()
    for side, target in targets.items():
        shift = target - _palm(skeleton, side)
        if np.linalg.norm(shift) > _STILL:
            _move_hand(positions, orientations, side, shift)
    return replace(skeleton, positions=positions, orientations=orientations)


def _on_body(skeleton: PosedSkeleton, average: PosedSkeleton, side: str) -> Floats:
    """The target of the palm: over the same spot of the same part as on `average`, at the same distance."""
    palm = _palm(average, side)
    parts = {part.name: part for part in capsules(average) if part.name in _BODY}
    name = min(parts, key=lambda part: _surface(parts[part], palm)[1])
    along, gap = _surface(parts[name], palm)
    if gap > _RESTS_ON:
        return _palm(skeleton, side)
    axis = next(segment.start for segment in SEGMENTS if segment.name == name)
    outwards = average.orientation(axis).T @ (palm - _point(parts[name], along))
    outwards /= max(float(np.linalg.norm(outwards)), 1e-9)
    own = next(part for part in capsules(skeleton) if part.name == name)
    distance = gap * skeleton.build.scale + float(np.interp(along, [0, 1], own.radii))
    target: Floats = _point(own, along) + skeleton.orientation(axis) @ outwards * distance
    return target


def _surface(part: Capsule, point: Floats) -> tuple[float, float]:
    """How far along a part (0 to 1) a point is, and its distance from the surface there in metres."""
    axis = part.end - part.start
    along = float(np.clip((point - part.start) @ axis / max(float(axis @ axis), 1e-12), 0, 1))
    radius = float(np.interp(along, [0, 1], part.radii))
    return along, float(np.linalg.norm(point - _point(part, along))) - radius


def _point(part: Capsule, along: float) -> Floats:
    point: Floats = part.start + (part.end - part.start) * along
    return point


def _palm(skeleton: PosedSkeleton, side: str) -> Floats:
    return skeleton.point(f"{side}_wrist", palm_centre(side, skeleton.build))


def _move_hand(positions: Floats, orientations: Floats, side: str, shift: Floats) -> None:
    """Moves a hand without turning it; elbow and shoulder follow, and the elbow stays on the side where it was."""
    shoulder, elbow, wrist = (JOINT_INDEX[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
    start, bend, end = positions[shoulder], positions[elbow].copy(), positions[wrist].copy()
    upper, lower = float(np.linalg.norm(bend - start)), float(np.linalg.norm(end - bend))
    reach = end + shift - start
    distance = float(np.clip(np.linalg.norm(reach), abs(upper - lower) + 1e-6, upper + lower - 1e-6))
    along = reach / np.linalg.norm(reach)
    outwards = _across(along, bend - start)
    if np.linalg.norm(outwards) < 1e-3 * upper:  # a straight arm: elbows point backwards
        outwards = _across(along, -orientations[shoulder][:, 2])
    outwards /= np.linalg.norm(outwards)
    reached = (upper**2 - lower**2 + distance**2) / (2 * distance)
    positions[elbow] = start + along * reached + outwards * np.sqrt(max(upper**2 - reached**2, 0.0))
    positions[wrist] = start + along * distance
    orientations[shoulder] = _swing(bend - start, positions[elbow] - start) @ orientations[shoulder]
    orientations[elbow] = _swing(end - bend, positions[wrist] - positions[elbow]) @ orientations[elbow]


def _across(axis: Floats, direction: Floats) -> Floats:
    """The part of a direction that is square to a unit axis."""
    part: Floats = direction - axis * float(direction @ axis)
    return part


def _swing(old: Floats, new: Floats) -> Floats:
    """(3, 3) of the smallest turn that takes one direction to another."""
    first, second = old / np.linalg.norm(old), new / np.linalg.norm(new)
    axis = np.cross(first, second)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation: Floats = np.eye(3) + cross + cross @ cross / (1 + float(first @ second))
    return rotation
