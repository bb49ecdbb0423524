"""Five fingers for each hand, in the shape that the pose asks for. The palm belongs to the arm."""

from __future__ import annotations

import numpy as np

from posegen.backends.mannequin.geometry import Floats, Piece, bell, circle, cross, loft, unit
from posegen.backends.mannequin.parts import Part, Surface
from posegen.backends.mannequin.rig import Rig
from posegen.poses.hands import FINGERS, finger_joints, hand_shape

_RADII = {"thumb": 0.0118, "index": 0.0098, "middle": 0.0101, "ring": 0.0097, "little": 0.0085}
_SIDES = 12
_PER_BONE = 5


def fingers(rig: Rig, side: str, shape_name: str) -> list[Piece]:
    """The fingers of one hand, each a closed tube that begins within the palm."""
    part = Part.LEFT_HAND if side == "left" else Part.RIGHT_HAND
    joints = finger_joints(hand_shape(shape_name), side, rig.body.build).astype(np.float32)
    joints[:, 0] += (joints[:, 0] - joints[:, 1]) * np.float32(0.25)
    frame = rig.orientation(f"{side}_wrist")
    across = np.stack([frame[:, 0 if finger == "thumb" else 2] for finger in FINGERS])
    centres, x_axis, z_axis = _tubes(rig.rigid(f"{side}_wrist", joints), across)
    cos, sin = circle(_SIDES)
    thickness = _thickness(rig, centres.shape[1])[..., None, None]
    rings = (
        centres[:, :, None]
        + thickness * cos[:, None] * x_axis[:, :, None]
        + thickness * sin[:, None] * z_axis[:, :, None]
    )
    return [loft(ring, Surface.SKIN, part) for ring in rings]


def _thickness(rig: Rig, stations: int) -> Floats:
    """(5, n) radii of all fingers, metres."""
    along = np.linspace(0, 1, stations, dtype=np.float32)
    knuckles = bell(0.33, 0.06, along) + np.float32(0.8) * bell(0.66, 0.05, along)
    shape = 1.06 - 0.26 * along + 0.05 * knuckles
    shape[-4:] *= np.array([0.99, 0.93, 0.78, 0.42], dtype=np.float32)
    radii: Floats = np.array([_RADII[finger] for finger in FINGERS], dtype=np.float32)
    return np.asarray(radii[:, None] * shape * float(rig.scale * rig.body.build.girth**0.3), dtype=np.float32)


def _tubes(joints: Floats, across: Floats) -> tuple[Floats, Floats, Floats]:
    """Middle lines (5, n, 3) through the joints (5, 4, 3), their corners rounded, and two axes across them."""
    steps = np.linspace(0, 1, _PER_BONE + 1, dtype=np.float32)[:-1]
    bones = np.diff(joints, axis=1)
    even = joints[:, :-1, None] + steps[:, None] * bones[:, :, None]
    centres = np.concatenate([even.reshape(len(joints), -1, 3), joints[:, -1:]], axis=1)
    directions = np.repeat(unit(bones), _PER_BONE, axis=1)
    tangents = np.concatenate([directions, directions[:, -1:]], axis=1)
    for line in (centres, tangents):
        line[:, 1:-1] = np.float32(0.175) * (line[:, :-2] + line[:, 2:]) + np.float32(0.65) * line[:, 1:-1]
    y_axis = -unit(tangents)
    x_axis = across[:, None]
    x_axis = unit(x_axis - (x_axis * y_axis).sum(axis=-1, keepdims=True) * y_axis)
    return centres, x_axis, cross(x_axis, y_axis)
