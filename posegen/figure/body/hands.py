"""The fingers of a hand and the flesh between them, in the hand shape of the pose.

The palm is part of the arm; see `limbs`.
"""

from __future__ import annotations

import numpy as np

from posegen.figure.body.rig import Rig
from posegen.figure.geometry.curves import bell, circle, smooth_curve
from posegen.figure.geometry.mesh import Piece, loft
from posegen.figure.geometry.sweeps import tube
from posegen.figure.geometry.vectors import Floats, cross, unit
from posegen.figure.parts import Part, Surface
from posegen.poses.hands import FINGERS, finger_joints, hand_shape

_RADII = {"thumb": 0.0118, "index": 0.0098, "middle": 0.0101, "ring": 0.0097, "little": 0.0085}
_SIDES = 12
_PER_BONE = 5

_CLOSED = 0.5  # greatest distance of a fingertip from its knuckle in a fist, as a share of the finger's length
_HOLLOW = 0.0125  # metres, radius of the flesh that fills a fist

# The ball of the thumb of the left hand. _PALM_EDGE: its edge within the palm, from the wrist to the index finger,
# metres in the hand frame. _BALL: shares of that way, and half the thickness there, metres.
_PALM_EDGE = ((-0.001, -0.036, 0.014), (-0.001, -0.080, 0.022))
_BALL = ((-0.25, 0.0, 0.45, 0.85, 1.0), (0.0030, 0.0092, 0.0098, 0.0080, 0.0030))


def fingers(rig: Rig, side: str, shape_name: str) -> list[Piece]:
    """The fingers of one hand, each a closed tube that begins within the palm, and the flesh between them."""
    part = Part.LEFT_HAND if side == "left" else Part.RIGHT_HAND
    joints = finger_joints(hand_shape(shape_name), side, rig.body.build).astype(np.float32)
    flesh = [_ball(rig, side, joints[0])]
    if _is_fist(joints):
        flesh.append(_hollow(rig, joints))
    pieces = [loft(rig.rigid(f"{side}_wrist", rings), Surface.SKIN, part) for rings in flesh]
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
    return pieces + [loft(ring, Surface.SKIN, part) for ring in rings]


def _is_fist(joints: Floats) -> bool:
    """Whether all four fingers end close to their knuckles."""
    reach = np.linalg.norm(joints[1:, 3] - joints[1:, 0], axis=1)
    length = np.linalg.norm(np.diff(joints[1:], axis=1), axis=2).sum(axis=1)
    return bool((reach < _CLOSED * length).all())


def _hollow(rig: Rig, joints: Floats) -> Floats:
    """(n, m, 3) rings in the hand frame, metres, of the flesh within bent fingers, from the little one to the index."""
    middles = joints[:0:-1].mean(axis=1)
    sweep = tube(middles, joints[1, 1] - joints[1, 0], 3)
    cos, sin = circle(_SIDES)
    radius = np.full((len(sweep.centres), 1), _HOLLOW * rig.scale, np.float32)
    return sweep.rings(radius * cos, radius * sin)[0]


def _ball(rig: Rig, side: str, thumb: Floats) -> Floats:
    """(n, m, 3) rings in the hand frame, metres, of the flesh between the thumb's first bone and the palm."""
    along = np.linspace(_BALL[0][0], 1, 14, dtype=np.float32)[:, None]
    palm = np.array(_PALM_EDGE, dtype=np.float32) * np.float32(rig.scale)
    palm[:, 0] *= 1 if side == "left" else -1
    inner, outer = (start + along * (end - start) for start, end in (palm, thumb[:2]))
    out = unit(outer - inner)
    half = np.sqrt(((outer - inner) ** 2).sum(axis=1, keepdims=True)) / 2
    thick = unit(cross(np.broadcast_to(outer[-1:] - outer[:1], out.shape), out))
    radius = np.float32(rig.scale) * smooth_curve(*_BALL, along[:, 0])
    cos, sin = circle(20)
    across = radius[:, None] * cos + half * np.sign(cos) * np.abs(cos) ** np.float32(0.3)
    deep = radius[:, None] * sin
    middle = (inner + outer) / 2
    rings: Floats = middle[:, None] + across[..., None] * out[:, None] + deep[..., None] * thick[:, None]
    return rings


def _thickness(rig: Rig, stations: int) -> Floats:
    """(5, n) radii of all fingers, metres."""
    along = np.linspace(0, 1, stations, dtype=np.float32)
    knuckles = bell(0.33, 0.06, along) + np.float32(0.8) * bell(0.66, 0.05, along)
    shape = 1.06 - 0.26 * along + 0.05 * knuckles
    shape[-4:] *= np.array([0.99, 0.93, 0.78, 0.42], dtype=np.float32)
    radii: Floats = np.array([_RADII[finger] for finger in FINGERS], dtype=np.float32)
    return np.asarray(radii[:, None] * shape * float(rig.scale * rig.body.build.girth**0.3), dtype=np.float32)


def _tubes(joints: Floats, across: Floats) -> tuple[Floats, Floats, Floats]:
    """Centre lines (5, n, 3) through the joints (5, 4, 3) with rounded corners, and two axes across each line."""
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
