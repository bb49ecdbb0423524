"""Shoes: a sole that stands on the ground and an upper that bends with the toes.

Positions are in the ankle's frame, metres at a body height of 1.75 m: toes +z, the ground at `-ANKLE_HEIGHT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from posegen.figure.body.limbs import leg_rings
from posegen.figure.body.rig import Rig
from posegen.figure.geometry.curves import circle, smooth_curve, smooth_step
from posegen.figure.geometry.mesh import Piece, loft
from posegen.figure.geometry.sweeps import lead
from posegen.figure.geometry.vectors import Floats, constant
from posegen.figure.parts import Part, Surface
from posegen.poses.skeleton import ANKLE_HEIGHT

# Position along the foot, half width, height of the upper's top, offset of the middle outwards.
_UPPER = np.array(
    [
        (-0.068, 0.004, -0.052, 0.000),
        (-0.066, 0.015, -0.030, 0.000),
        (-0.060, 0.024, -0.008, 0.000),
        (-0.045, 0.032, 0.004, 0.000),
        (-0.010, 0.036, 0.006, 0.000),
        (0.020, 0.036, -0.004, 0.001),
        (0.050, 0.038, -0.022, 0.002),
        (0.085, 0.042, -0.037, 0.003),
        (0.120, 0.045, -0.045, 0.003),
        (0.150, 0.044, -0.050, 0.001),
        (0.175, 0.039, -0.055, -0.002),
        (0.193, 0.029, -0.061, -0.005),
        (0.203, 0.016, -0.067, -0.007),
        (0.207, 0.004, -0.072, -0.008),
    ],
    dtype=np.float32,
)


@dataclass(frozen=True)
class Shoe:
    """The cut of a shoe, metres at 1.75 m. `sole`: thickness; `welt`: how far the sole extends beyond the upper; `low`:
    how much lower than a sneaker's the upper is; `shaft`: station on the leg where a boot ends, None for a shoe;
    `slim`: factor on the width.
    """

    sole: float = 0.022
    welt: float = 0.004
    low: float = 0.0
    shaft: float | None = None
    slim: float = 1.0


def shoes(rig: Rig, kind: Shoe) -> list[Piece]:
    """Both shoes. Their `rest` positions are in the ankle's frame at 1.75 m, x outwards on both sides."""
    return [piece for side in ("left", "right") for piece in _shoe(rig, side, kind)]


def _shoe(rig: Rig, side: str, kind: Shoe) -> list[Piece]:
    part = Part.LEFT_FOOT if side == "left" else Part.RIGHT_FOOT
    pieces = [
        _piece(rig, side, _upper(kind), Surface.SHOE, part),
        _piece(rig, side, _sole(kind), Surface.SOLE, part),
    ]
    if kind.shaft is not None:
        stations = np.linspace(kind.shaft, 2.25, 24).astype(np.float32)
        ease = np.full(len(stations), 0.007 * rig.scale, np.float32)
        ease[0] = -0.002
        rings, rest = leg_rings(rig, side, stations, ease)
        pieces.append(loft(rings, Surface.SHOE, part, rest=rest))
    return pieces


def _piece(rig: Rig, side: str, rings: Floats, surface: int, part: int) -> Piece:
    local = rings * np.float32(rig.scale)
    if side == "right":
        local = local[:, ::-1] * np.array([-1, 1, 1], dtype=np.float32)
        rings = rings[:, ::-1]
    offset = rig.at_rest(f"{side}_toes") - rig.at_rest(f"{side}_ankle")
    posed, toes = rig.rigid(f"{side}_ankle", local), rig.rigid(f"{side}_toes", local - offset)
    lead(posed, toes, smooth_step(0.105 * rig.scale, 0.145 * rig.scale, local[..., 2]))
    return loft(posed, surface, part, rest=rings)


def _stations(count: int) -> Floats:
    even = np.linspace(0, np.pi, count)
    dense = (1 - np.cos(even)) / 2 * 0.6 + np.linspace(0, 1, count) * 0.4
    stations: Floats = (_UPPER[0, 0] + (_UPPER[-1, 0] - _UPPER[0, 0]) * dense).astype(np.float32)
    return stations


@lru_cache(maxsize=16)
def _upper(kind: Shoe) -> Floats:
    z = _stations(26)
    width, top, aside = smooth_curve(_UPPER[:, 0], _UPPER[:, 1:], z).T
    bottom = np.full_like(z, -ANKLE_HEIGHT + kind.sole * 0.6)
    top = np.maximum(top - np.float32(kind.low) * smooth_step(0.08, 0.0, z), bottom + np.float32(0.008))
    return _rings(z, width * np.float32(kind.slim), bottom, top, aside, 0.72)


@lru_cache(maxsize=16)
def _sole(kind: Shoe) -> Floats:
    z = _stations(24)
    width, _, aside = smooth_curve(_UPPER[:, 0], _UPPER[:, 1:], z).T
    stretched = z * np.float32(1 + kind.welt / 0.12) - np.float32(0.0012)
    ends = smooth_step(0.194, 0.2072, z) + smooth_step(-0.061, -0.068, z)
    spring = np.float32(0.003) * smooth_step(0.14, 0.21, z)
    bottom = np.float32(-ANKLE_HEIGHT) + np.float32(0.38 * kind.sole) * ends
    top = np.float32(-ANKLE_HEIGHT + kind.sole) + spring - np.float32(0.30 * kind.sole) * ends
    outline = width * np.float32(kind.slim) + np.float32(kind.welt) * (1 - ends)
    return _rings(stretched, outline, bottom, top, aside, 0.35)


def _rings(z: Floats, width: Floats, bottom: Floats, top: Floats, aside: Floats, roundness: float) -> Floats:
    """Rings across the foot, from heel to toe. `roundness`: 1 is an ellipse, lower is squarer."""
    cos, sin = circle(24)
    x = np.sign(cos) * np.abs(cos) ** np.float32(roundness)
    upwards = np.where(sin > 0, sin ** np.float32(1.0), -(np.abs(sin) ** np.float32(0.4)))
    middle, half = (top + bottom) / 2, (top - bottom) / 2
    y = np.broadcast_to(middle, z.shape)[:, None] + np.broadcast_to(half, z.shape)[:, None] * upwards
    across = width[:, None] * x * (1 - np.float32(0.28) * np.maximum(upwards, 0) ** 2) + aside[:, None]
    depth = np.broadcast_to(z[:, None], across.shape)
    return constant(np.stack([across, y, depth], axis=-1).astype(np.float32))
