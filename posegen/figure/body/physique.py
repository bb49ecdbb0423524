"""Bodies: proportions by age, gender expression and body type, and the shape of the bare torso.

Lengths are metres at a body height of 1.75 m unless stated otherwise. Bodies are at rest and undressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from posegen.figure.geometry.curves import Curve, bell
from posegen.figure.geometry.vectors import Floats
from posegen.poses.avatar import Avatar
from posegen.poses.skeleton import Build


@dataclass(frozen=True)
class Physique:
    """A build and its soft tissue.

    `masculine`: 0 to 1; `bust`, `belly`, `muscle`: 0 is none, 1 is plenty; `waist`: factor on its width; `age`: 0
    (child) to 1 (senior).
    """

    build: Build
    masculine: float
    bust: float
    belly: float
    muscle: float
    waist: float
    age: float


@dataclass(frozen=True)
class _Type:
    height: float = 1.0
    girth: float = 1.0
    shoulders: float = 1.0
    hips: float = 1.0
    bust: float = 0.8
    belly: float = 0.1
    muscle: float = 0.3
    waist: float = 1.0


_BODY_TYPES = {
    "petite": _Type(height=0.93, girth=0.91, shoulders=0.94, bust=0.6),
    "slim": _Type(girth=0.85, shoulders=0.97, hips=0.95, bust=0.55, belly=0.0, muscle=0.1, waist=0.95),
    "average": _Type(),
    "athletic": _Type(height=1.02, girth=1.03, shoulders=1.10, bust=0.7, belly=0.0, muscle=1.3, waist=0.93),
    "curvy": _Type(girth=1.10, hips=1.15, bust=1.35, belly=0.2, muscle=0.1, waist=0.93),
    "plus_size": _Type(girth=1.32, shoulders=1.10, hips=1.16, bust=1.3, belly=1.2, muscle=0.0, waist=1.13),
}
_HEIGHTS = {"feminine": 1.69, "masculine": 1.80, "androgynous": 1.74}
_MASCULINE = {"feminine": 0.0, "masculine": 1.0, "androgynous": 0.5}


@dataclass(frozen=True)
class _Age:
    age: float
    height: float = 1.0
    head: float = 1.11
    girth: float = 1.0
    shoulders: float = 1.0
    legs: float = 1.0
    grown: float = 1.0  # 0 for a child's shape, 1 for an adult's
    belly: float = 0.0


_AGES = {
    "child": _Age(0.0, height=0.74, head=1.32, girth=0.98, shoulders=0.93, legs=0.95, grown=0.0, belly=0.15),
    "teen": _Age(0.2, height=0.95, head=1.13, girth=0.94, shoulders=0.97, grown=0.6),
    "young_adult": _Age(0.35),
    "adult": _Age(0.5),
    "middle_aged": _Age(0.75, girth=1.03, belly=0.2),
    "senior": _Age(1.0, height=0.97, girth=1.02, belly=0.3, shoulders=0.98),
}


def physique(avatar: Avatar) -> Physique:
    """The body of an avatar."""
    kind, age = _BODY_TYPES[avatar.body_type], _AGES[avatar.age_group]
    masculine = 0.5 + (_MASCULINE[avatar.gender_expression] - 0.5) * age.grown
    height = 1.74 + (_HEIGHTS[avatar.gender_expression] - 1.74) * age.grown
    build = Build(
        height=height * kind.height * age.height,
        head=age.head * (1 - 0.02 * masculine),
        legs=age.legs,
        shoulders=kind.shoulders * age.shoulders * (0.93 + 0.16 * masculine),
        hips=kind.hips * (1.05 - 0.09 * masculine),
        girth=kind.girth * age.girth * (0.96 + 0.06 * masculine),
    )
    return Physique(
        build=build,
        masculine=masculine,
        bust=kind.bust * (1 - masculine) * age.grown,
        belly=min(kind.belly + age.belly, 1.4),
        muscle=kind.muscle * age.grown * (0.55 + 0.45 * masculine),
        waist=kind.waist,
        age=age.age,
    )


# Height over the pelvis joint; then half width, half depth and forward offset of the middle: feminine, masculine.
_TORSO = np.array(
    [
        (-0.115, 0.030, 0.040, -0.010, 0.030, 0.040, -0.008),
        (-0.100, 0.085, 0.075, -0.010, 0.082, 0.074, -0.008),
        (-0.075, 0.134, 0.100, -0.011, 0.126, 0.096, -0.008),
        (-0.040, 0.164, 0.111, -0.012, 0.152, 0.104, -0.008),
        (0.000, 0.170, 0.112, -0.012, 0.156, 0.106, -0.008),
        (0.050, 0.158, 0.103, -0.007, 0.150, 0.102, -0.005),
        (0.100, 0.136, 0.091, -0.003, 0.143, 0.098, -0.002),
        (0.150, 0.121, 0.084, -0.002, 0.138, 0.097, -0.001),
        (0.200, 0.121, 0.086, -0.003, 0.140, 0.100, -0.003),
        (0.260, 0.130, 0.092, -0.006, 0.148, 0.107, -0.005),
        (0.330, 0.141, 0.097, -0.010, 0.158, 0.114, -0.007),
        (0.390, 0.148, 0.094, -0.014, 0.165, 0.113, -0.010),
        (0.430, 0.160, 0.083, -0.016, 0.174, 0.098, -0.013),
        (0.462, 0.168, 0.066, -0.018, 0.180, 0.077, -0.016),
        (0.480, 0.162, 0.056, -0.020, 0.173, 0.065, -0.018),
        (0.494, 0.137, 0.050, -0.021, 0.147, 0.058, -0.020),
        (0.506, 0.104, 0.048, -0.021, 0.114, 0.056, -0.020),
        (0.519, 0.074, 0.048, -0.020, 0.086, 0.056, -0.018),
        (0.536, 0.054, 0.050, -0.017, 0.065, 0.059, -0.015),
        (0.580, 0.049, 0.050, -0.010, 0.059, 0.059, -0.008),
        (0.640, 0.048, 0.050, -0.004, 0.058, 0.059, -0.002),
    ],
    dtype=np.float32,
)
_HIPS = -0.030
TORSO_SIDES = 64
CROTCH, NECK_TOP = float(_TORSO[0, 0]), float(_TORSO[-1, 0])


@lru_cache(maxsize=32)
def _profile(masculine: float) -> Curve:
    """Half width, half depth and forward offset of the middle, by height."""
    feminine, shift = _TORSO[:, 1:4], _TORSO[:, 4:7] - _TORSO[:, 1:4]
    return Curve(_TORSO[:, 0], feminine + shift * np.float32(masculine))


def torso(
    body: Physique, height: ArrayLike, cos: Floats, sin: Floats, ease: ArrayLike = 0.0, drape: float = 0.0
) -> Floats:
    """Points on the torso of a body at rest, or on cloth around it.

    Args:
        body: the body.
        height: (n, 1) or (n, m) heights over the pelvis joint, metres at 1.75 m.
        cos: (m,) cosine of the angle from the figure's left to its front.
        sin: (m,) sine of that angle.
        ease: metres between skin and cloth, broadcast to (n, m).
        drape: 0 follows every hollow of the body; 1 hangs from its most prominent points, like cloth.

    Returns:
        (n, m, 3) metres at the body's own height, pelvis joint at the origin.
    """
    y = np.atleast_1d(np.asarray(height, dtype=np.float32))
    shape = _profile(body.masculine)(y.ravel()).reshape(*y.shape, 3)
    build = body.build
    upper = np.clip((y - 0.15) / 0.25, 0, 1)
    neck = np.clip((y - 0.49) / 0.03, 0, 1)
    widen = np.float32(build.hips) * (1 - upper) + np.float32(build.shoulders * 0.6 + 0.4) * upper
    thick = np.float32(build.girth) + (np.float32(build.girth**0.5) - np.float32(build.girth)) * neck
    waist = 1 + np.float32(body.waist - 1) * bell(0.14, 0.09, y)
    half_width = shape[..., 0] * (widen + (1 - widen) * neck) * (thick * 0.6 + 0.4) * waist
    half_depth = shape[..., 1] * thick
    square = np.float32(0.8) + np.float32(0.2) * neck
    x = half_width * np.sign(cos) * np.abs(cos) ** square
    z = half_depth * np.sign(sin) * np.abs(sin) ** square + shape[..., 2]
    z = z + _softness(body, x, y, sin, np.float32(drape))
    ease = np.asarray(ease, dtype=np.float32) / np.float32(build.scale)
    out = np.empty((*np.broadcast_shapes(x.shape, z.shape, ease.shape), 3), np.float32)
    out[..., 0] = x + ease * cos
    out[..., 1] = y * np.where(y > 0, np.float32(build.torso), np.float32(1.0))
    out[..., 2] = z + ease * sin
    out *= np.float32(build.scale)
    return out


def hanging(
    body: Physique, height: ArrayLike, cos: Floats, sin: Floats, ease: ArrayLike = 0.0, drape: float = 0.0
) -> Floats:
    """Like `torso`, but below the hips the surface hangs straight down instead of closing between the legs."""
    points = torso(body, np.maximum(height, _HIPS), cos, sin, ease, drape)
    points[..., 1] = np.where(np.asarray(height) < _HIPS, np.asarray(height) * body.build.scale, points[..., 1])
    return points


def _softness(body: Physique, x: Floats, y: Floats, sin: Floats, drape: np.float32) -> Floats:
    """Displacement of soft tissue, metres forward: bust or chest muscles, belly, seat, shoulder blades."""
    front, back = np.maximum(sin, 0), np.maximum(-sin, 0)
    side = np.abs(x)
    breasts = bell(0.066, 0.046, side) * bell(0.325, 0.052, y)
    hanging = np.where(y < 0.325, bell(0.325, 0.13, y), bell(0.325, 0.06, y))
    breasts = breasts + drape * (np.float32(0.92) * bell(0.0, 0.115, side) ** 2 * hanging - breasts)
    bust = np.float32(0.040 * body.bust) * breasts
    chest = np.float32(0.012 * body.muscle + 0.004 * body.masculine) * bell(0.07, 0.06, side) * bell(0.36, 0.05, y)
    belly = np.float32(0.055 * body.belly) * bell(0.0, 0.12, side) * bell(0.09, 0.09, y)
    seat = np.float32(0.034 * (1 - 0.35 * body.masculine)) * bell(0.07, 0.055, side) * bell(-0.03, 0.055, y)
    blades = np.float32(0.010) * bell(0.075, 0.04, side) * bell(0.36, 0.06, y)
    thighs = bell(0.085, 0.05, side) + drape * (bell(0.0, 0.13, side) - bell(0.085, 0.05, side))
    thighs = np.float32(0.015) * thighs * bell(-0.07, 0.08, y)
    spine = np.float32(-0.008) * bell(0.0, 0.02, side) * bell(0.2, 0.15, y)
    soft: Floats = front * (bust + chest + belly + thighs) + back * (-seat - blades - (1 - drape) * spine)
    return soft
