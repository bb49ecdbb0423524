"""The shape of the head: skull, jaw, nose, lips, eyelids and ears. `face` paints it.

All lengths are in the head frame at a height of 1.75 m: face +z, crown +y, the left eye at +x.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from posegen.figure.body.rig import Rig
from posegen.figure.geometry.curves import bell, circle, smooth_curve, smooth_step
from posegen.figure.geometry.mesh import Piece, loft
from posegen.figure.geometry.vectors import Floats, constant
from posegen.figure.parts import Part, Surface

EYE = (0.0325, 0.074)
MOUTH = 0.0075

# Height, half width, distance of the face forward, distance of the back of the head backward.
_SKULL = np.array(
    [
        (0.1900, 0.0020, 0.0020, 0.0060),
        (0.1880, 0.0220, 0.0200, 0.0280),
        (0.1820, 0.0390, 0.0360, 0.0470),
        (0.1680, 0.0570, 0.0560, 0.0680),
        (0.1450, 0.0700, 0.0740, 0.0850),
        (0.1150, 0.0765, 0.0860, 0.0940),
        (0.0850, 0.0775, 0.0895, 0.0955),
        (0.0600, 0.0755, 0.0920, 0.0900),
        (0.0350, 0.0715, 0.0940, 0.0800),
        (0.0100, 0.0655, 0.0935, 0.0680),
        (-0.0100, 0.0580, 0.0910, 0.0560),
        (-0.0250, 0.0465, 0.0880, 0.0440),
        (-0.0340, 0.0330, 0.0810, 0.0320),
        (-0.0400, 0.0190, 0.0660, 0.0180),
        (-0.0420, 0.0040, 0.0450, -0.0200),
    ],
    dtype=np.float32,
)[::-1]
_TOP, _BOTTOM = float(_SKULL[-1, 0]), float(_SKULL[0, 0])
_RINGS, _SIDES = 56, 60


@lru_cache
def ring_heights() -> Floats:
    """Heights of the head's rings from the crown down, denser at both poles and over the face."""
    even = np.linspace(0, 1, _RINGS, dtype=np.float32)
    warped = even + np.float32(0.06) * np.sin(2 * np.pi * even) - np.float32(0.02) * np.sin(4 * np.pi * even)
    heights: Floats = _TOP + (_BOTTOM - _TOP) * np.clip(warped, 0, 1)
    return constant(heights.astype(np.float32))


@lru_cache
def ring_angles() -> Floats:
    """Angles from the left side (0) over the face (pi / 2) to the back, twice as dense in front."""
    turn = np.linspace(-np.pi, np.pi, _SIDES, endpoint=False)
    return constant((np.pi / 2 + turn - 0.45 * np.sin(turn)).astype(np.float32))


def skull() -> Floats:
    """(n, m, 3) points of the skull without facial features, in the head frame at 1.75 m."""
    heights, angles = ring_heights(), ring_angles()
    shape = smooth_curve(_SKULL[:, 0], _SKULL[:, 1:], heights)
    cos, sin = np.cos(angles), np.sin(angles)
    forward, backward = shape[:, 1, None], shape[:, 2, None]
    x = shape[:, 0, None] * np.sign(cos) * np.abs(cos) ** np.float32(0.92)
    z = np.where(sin > 0, forward, backward) * np.sign(sin) * np.abs(sin) ** np.float32(0.96)
    y = np.broadcast_to(heights[:, None], x.shape)
    return np.stack([x, y, z], axis=-1).astype(np.float32)


def _features(points: Floats, masculine: float, age: float) -> Floats:
    """How far facial features displace each point forward, metres."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    side = np.abs(x)
    front = smooth_step(0.01, 0.06, z)
    strong = np.float32(0.6 + 0.4 * masculine)
    grown = np.float32(min(0.62 + age, 1.0))
    ridge = smooth_curve(
        [-0.05, 0.028, 0.0335, 0.0385, 0.044, 0.054, 0.074, 0.088, 0.11, 0.2],
        [0.0, 0.0, 0.007, 0.0205, 0.0215, 0.0155, 0.0060, 0.0030, 0.0, 0.0],
        y.ravel(),
    ).reshape(y.shape)
    width = np.float32(0.0072) + np.float32(0.0062) * bell(0.041, 0.012, y)
    nose = ridge * grown * np.exp(-((side / width) ** 2))
    wings = np.float32(0.0075) * grown * bell(0.0125, 0.0052, side) * bell(0.0395, 0.0062, y)
    sockets = np.float32(-0.0085) * bell(0.031, 0.019, side) * bell(0.078, 0.0135, y)
    balls = np.float32(0.0070) * bell(EYE[0], 0.0125, side) * bell(EYE[1], 0.0098, y)
    brow = np.float32(0.0042) * strong * bell(0.027, 0.022, side) * bell(0.0965, 0.0075, y)
    cheeks = np.float32(0.0045) * bell(0.043, 0.016, side) * bell(0.045, 0.018, y)
    hollow = np.float32(-0.004 * (0.5 + 0.5 * age)) * bell(0.050, 0.014, side) * bell(0.008, 0.016, y)
    upper = np.float32(0.0052) * bell(0.0, 0.017, side) * bell(MOUTH + 0.0052, 0.0042, y)
    lower = np.float32(0.0068) * bell(0.0, 0.0145, side) * bell(MOUTH - 0.0062, 0.0048, y)
    muzzle = np.float32(0.0050) * bell(0.0, 0.026, side) * bell(MOUTH, 0.018, y)
    line = np.float32(-0.0032) * bell(0.0, 0.022, side) * bell(MOUTH, 0.0017, y)
    under = np.float32(-0.0035) * bell(0.0, 0.018, side) * bell(-0.0085, 0.0055, y)
    chin = np.float32(0.0065) * bell(0.0, 0.014 + 0.006 * masculine, side) * bell(-0.0245, 0.010, y)
    jaw = np.float32(0.004 * masculine) * bell(0.045, 0.02, side) * bell(-0.015, 0.014, y)
    total: Floats = (
        nose + wings + sockets + balls + brow + cheeks + hollow + upper + lower + muzzle + line + under + chin + jaw
    )
    total *= front
    return total


@lru_cache(maxsize=32)
def head_surface(masculine: float, age: float) -> Floats:
    """(n, m, 3) the head with its face, in the head frame at 1.75 m; `masculine`, `age`: see `physique.Physique`."""
    points = skull()
    points[..., 2] += _features(points, masculine, age)
    # Children have small jaws, men wide ones.
    jaw = smooth_step(0.05, -0.03, points[..., 1])
    points[..., 0] *= 1 + jaw * np.float32(0.16 * (masculine - 0.75) - 0.04 * (age < 0.1))
    points[..., 1] += smooth_step(0.01, -0.04, points[..., 1]) * np.float32(0.004 * (1 - masculine))
    return constant(points)


def head(rig: Rig, surface: Floats, group: int) -> list[Piece]:
    """Head and ears. Their `rest` positions are in the head frame at 1.75 m."""
    scale = np.float32(rig.scale * rig.body.build.head)
    pieces = [loft(rig.rigid("head", surface * scale), Surface.FACE, Part.HEAD, rest=surface, group=group)]
    for side in (1, -1):
        rings = _ear(side)
        pieces.append(loft(rig.rigid("head", rings * scale), Surface.EAR, Part.HEAD, rest=rings, group=group))
    return pieces


@lru_cache
def _ear(side: int) -> Floats:
    """A shell beside the head with a hollow outer side. `side`: 1 left, -1 right."""
    cos, sin = circle(20)
    # Depth of each ring, from within the head outwards, and the size of the ear's outline there.
    depth = np.array([-0.010, 0.000, 0.006, 0.0095, 0.0095, 0.0060, 0.0035], dtype=np.float32)
    size = np.array([0.62, 0.80, 0.97, 0.98, 0.86, 0.66, 0.35], dtype=np.float32)
    tall = np.float32(0.0300) * (1 + np.float32(0.12) * sin)
    wide = np.float32(0.0170) * (1 + np.float32(0.18) * sin)
    y = np.float32(0.062) + size[:, None] * tall * sin
    z = np.float32(-0.004) - size[:, None] * wide * cos - np.float32(0.16) * (y - np.float32(0.062))
    back = np.maximum(cos, 0) * np.float32(0.004)
    x = np.float32(0.0725) + depth[:, None] + back * size[:, None]
    rings = np.stack([np.broadcast_to(x, y.shape), y, z], axis=-1).astype(np.float32)
    if side < 0:
        rings[..., 0] *= -1
        rings = np.ascontiguousarray(rings[:, ::-1])
    return constant(rings)
