"""Arms with palms, and legs, as rings along their bones: bare, or with ease for clothes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from posegen.figure.body.rig import Rig
from posegen.figure.geometry.curves import Curve, bell, circle
from posegen.figure.geometry.mesh import Piece, loft
from posegen.figure.geometry.sweeps import Sweep
from posegen.figure.geometry.vectors import Floats

# Station (see `Rig.arm`, `Rig.leg`), half width, half depth, offset of the middle outwards and forward: metres at
# 1.75 m.
_ARM = np.array(
    [
        (-0.078, 0.008, 0.010, -0.024, 0.0),
        (-0.070, 0.020, 0.024, -0.023, 0.0),
        (-0.045, 0.029, 0.037, -0.019, 0.0),
        (0.000, 0.037, 0.047, -0.013, 0.0),
        (0.080, 0.043, 0.053, -0.007, 0.0),
        (0.200, 0.046, 0.054, -0.001, 0.0),
        (0.35, 0.043, 0.050, 0.001, 0.002),
        (0.60, 0.038, 0.045, 0.0, 0.003),
        (0.85, 0.035, 0.039, 0.0, 0.0),
        (1.00, 0.035, 0.038, 0.0, -0.002),
        (1.18, 0.037, 0.041, 0.0, 0.001),
        (1.35, 0.036, 0.040, 0.0, 0.002),
        (1.65, 0.029, 0.033, 0.0, 0.0),
        (1.88, 0.022, 0.028, 0.0, 0.0),
        (2.00, 0.0195, 0.0275, 0.0, 0.0),
        (2.18, 0.0195, 0.031, 0.0, 0.001),
        (2.45, 0.0185, 0.038, 0.0, 0.001),
        (2.75, 0.0155, 0.0415, 0.0, 0.0),
        (2.93, 0.0125, 0.0405, 0.0, 0.0),
        (3.00, 0.0085, 0.0375, 0.0, 0.0),
        (3.03, 0.0020, 0.0330, 0.0, 0.0),
    ],
    dtype=np.float32,
)
_LEG = np.array(
    [
        (-0.20, 0.030, 0.030, -0.012, -0.012),
        (-0.16, 0.064, 0.070, -0.010, -0.012),
        (-0.08, 0.082, 0.094, -0.006, -0.010),
        (0.05, 0.084, 0.096, 0.0, -0.008),
        (0.20, 0.081, 0.090, 0.001, -0.002),
        (0.45, 0.072, 0.080, 0.002, 0.003),
        (0.75, 0.057, 0.062, 0.002, 0.004),
        (0.93, 0.050, 0.053, 0.0, 0.004),
        (1.02, 0.048, 0.053, 0.0, 0.006),
        (1.12, 0.047, 0.051, 0.0, 0.000),
        (1.30, 0.052, 0.057, 0.001, -0.012),
        (1.45, 0.050, 0.055, 0.0, -0.014),
        (1.70, 0.038, 0.042, 0.0, -0.010),
        (1.88, 0.031, 0.036, 0.0, -0.006),
        (2.00, 0.031, 0.037, 0.0, -0.006),
        (2.30, 0.033, 0.042, 0.0, -0.004),
    ],
    dtype=np.float32,
)
_ARM_SHAPE, _LEG_SHAPE = (Curve(table[:, 0], table[:, 1:]) for table in (_ARM, _LEG))
ARM_SIDES, LEG_SIDES = 28, 32

Fold = Callable[[Floats, Floats], Floats]
"""Displacement outwards, metres, at stations (n, 1) and angles (m,)."""


def around_joint(stations: ArrayLike) -> Floats:
    """The stations with additional ones around the elbow or knee, where bending spreads rings out."""
    even = np.asarray(stations, dtype=np.float32)
    dense = np.linspace(0.86, 1.14, 15, dtype=np.float32)
    if not even[0] < dense[0] or not even[-1] > dense[-1]:
        return even
    return np.concatenate([even[even < dense[0]], dense, even[even > dense[-1]]])


def arm_rings(
    rig: Rig, side: str, stations: ArrayLike, ease: ArrayLike = 0.0, fold: Fold | None = None
) -> tuple[Floats, Floats]:
    """Rings of an arm, posed and at rest, (n, m, 3).

    `ease`: metres around the bare arm, one value or one per station.
    """
    at = np.asarray(stations, dtype=np.float32)
    shape = _ARM_SHAPE(at)
    body = rig.body
    hand = np.clip((at - 1.7) / 0.3, 0, 1)
    girth = np.float32(body.build.girth * (0.92 + 0.13 * body.masculine))
    shape[:, :2] *= (girth + (np.float32(body.build.girth**0.3 * (0.94 + 0.1 * body.masculine)) - girth) * hand)[
        :, None
    ]
    strong = np.float32(0.010 * body.muscle) * (
        bell(0.12, 0.14, at) + 0.9 * bell(0.5, 0.2, at) + 0.6 * bell(1.22, 0.16, at)
    )
    shape[:, :2] += strong[:, None]
    return _rings(rig, rig.arm(side, at), side, shape, at, ease, fold, ARM_SIDES, square=hand * np.float32(0.25))


def leg_rings(
    rig: Rig,
    side: str,
    stations: ArrayLike,
    ease: ArrayLike = 0.0,
    fold: Fold | None = None,
    sides: int = LEG_SIDES,
) -> tuple[Floats, Floats]:
    """Rings of a leg, posed and at rest, (n, m, 3).

    `ease`: metres around the bare leg, one value, one per station, or one per point.
    """
    at = np.asarray(stations, dtype=np.float32)
    shape = _LEG_SHAPE(at)
    body = rig.body
    thigh = 1 - np.clip((at - 0.3) / 0.8, 0, 1)
    girth = np.float32(body.build.girth)
    shape[:, :2] *= (girth + np.float32(0.05 * (body.build.hips - 1)) * thigh)[:, None]
    shape[:, :2] += (np.float32(0.006 * body.muscle) * (bell(0.4, 0.3, at) + bell(1.32, 0.15, at)))[:, None]
    return _rings(rig, rig.leg(side, at), side, shape, at, ease, fold, sides, square=np.zeros_like(at))


def _rings(
    rig: Rig,
    sweep: Sweep,
    side: str,
    shape: Floats,
    stations: Floats,
    ease: ArrayLike,
    fold: Fold | None,
    sides: int,
    square: Floats,
) -> tuple[Floats, Floats]:
    cos, sin = circle(sides)
    room = np.asarray(ease, dtype=np.float32)
    extra = np.broadcast_to(room if room.ndim == 2 else room.reshape(-1, 1), (len(stations), sides))
    if fold is not None:
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False, dtype=np.float32)
        outwards = angle if side == "left" else np.float32(np.pi) - angle
        extra = extra + fold(stations[:, None], outwards) * np.float32(rig.scale)
    mirror = np.float32(1 if side == "left" else -1)
    power = (1 - square)[:, None]
    round_x, round_z = np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power
    across = (shape[:, 0, None] * round_x + shape[:, 2, None] * mirror) * rig.scale + extra * cos
    deep = (shape[:, 1, None] * round_z + shape[:, 3, None]) * rig.scale + extra * sin
    return sweep.rings(across, deep)


def bare(rings: tuple[Floats, Floats], surface: ArrayLike, part: int, group: int = 0) -> Piece:
    """The closed surface through posed rings."""
    return loft(rings[0], surface, part, rest=rings[1], group=group)
