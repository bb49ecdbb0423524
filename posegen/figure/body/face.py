"""Paint on the head: eyes, brows, lips and complexion, by the pose's expression and gaze.

Positions are in the head frame at a height of 1.75 m, metres; see `head`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegen.figure.body.head import EYE, MOUTH
from posegen.figure.geometry.curves import bell, smooth_step
from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.light import Colour
from posegen.figure.rendering.looks import mix, tint

_EYE_SIZE = 1.12  # times life size, so that eyes are readable in small pictures


@dataclass(frozen=True)
class Expression:
    """`lids`: how far the eyes are open, 1 is normal; `brows`: metres that the brows are raised; `frown`: metres that
    their inner ends are lowered; `smile`: metres that the corners of the mouth are raised; `gape`: metres between the
    lips; `wide`: factor on the mouth's width; `teeth`: whether they are visible.
    """

    lids: float = 1.0
    brows: float = 0.0
    frown: float = 0.0
    smile: float = 0.0015
    gape: float = 0.0
    wide: float = 1.0
    teeth: bool = False


EXPRESSIONS = {
    "neutral": Expression(),
    "smile": Expression(lids=0.94, brows=0.001, smile=0.0062, wide=1.14),
    "laugh": Expression(lids=0.62, brows=0.003, smile=0.0070, gape=0.0125, wide=1.2, teeth=True),
    "serious": Expression(lids=0.9, brows=-0.0015, frown=0.0022, smile=-0.0016, wide=0.96),
    "surprised": Expression(lids=1.28, brows=0.0065, smile=-0.001, gape=0.015, wide=0.72),
    "effort": Expression(lids=0.66, brows=-0.002, frown=0.0045, smile=-0.0008, gape=0.0065, wide=1.1, teeth=True),
    "eyes_closed": Expression(lids=0.0, smile=0.003, wide=1.04),
}


@dataclass(frozen=True)
class Complexion:
    """Colours of a face, linear. `lashes`, `brow`: how heavy, 1 is normal; `stubble`, `lines`: 0 to 1."""

    skin: Colour
    lips: Colour
    blush: Colour
    hair: Colour
    iris: Colour
    lashes: float
    brow: float
    stubble: float
    lines: float


def paint_face(
    x: Floats,
    y: Floats,
    z: Floats,
    complexion: Complexion,
    expression: Expression,
    gaze: tuple[float, float],
    blur: float,
) -> Floats:
    """(3, N) linear colours of points on the head. `gaze`: yaw and pitch in degrees; `blur`: metres per pixel."""
    colour = np.repeat(np.array(complexion.skin, dtype=np.float32)[:, None], len(x), axis=1)
    front = np.flatnonzero((z > 0.02) & (y < 0.135) & (y > -0.05))
    fx, fy = x[front], y[front]
    painted = colour[:, front]
    _blush(painted, fx, fy, complexion)
    _lips(painted, fx, fy, complexion, expression, blur)
    _nostrils(painted, fx, fy, blur)
    for side in (1, -1):
        _brow(painted, side * fx, fy, complexion, expression, blur)
        _eye(painted, fx - np.float32(side * EYE[0]), fy - np.float32(EYE[1]), side, complexion, expression, gaze, blur)
    colour[:, front] = painted
    return colour


def _inside(distance: Floats, blur: float) -> Floats:
    """Coverage of a pixel at this distance, in metres, inside an outline."""
    return np.asarray(np.clip(distance * np.float32(1 / blur) + np.float32(0.5), 0, 1))


def _blush(colour: Floats, x: Floats, y: Floats, complexion: Complexion) -> None:
    side = np.abs(x)
    cheeks = np.float32(0.32) * bell(0.044, 0.018, side) * bell(0.040, 0.017, y)
    nose = np.float32(0.22) * bell(0.0, 0.013, side) * bell(0.043, 0.010, y)
    mix(colour, complexion.blush, cheeks + nose)
    dark = tint(complexion.skin, 0.55)
    shadow = np.float32(0.30) * bell(EYE[0], 0.021, side) * bell(EYE[1] + 0.006, 0.011, y)
    mix(colour, dark, shadow)
    if complexion.stubble > 0:
        beard = smooth_step(0.030, 0.012, y) * smooth_step(0.070, 0.045, side)
        moustache = bell(0.0, 0.022, side) * bell(0.0215, 0.006, y)
        grey = tuple(0.35 * skin + 0.35 * hair for skin, hair in zip(complexion.skin, complexion.hair, strict=True))
        mix(colour, (grey[0], grey[1], grey[2]), np.float32(0.38 * complexion.stubble) * np.maximum(beard, moustache))
    if complexion.lines > 0:
        folds = bell(0.0, 0.0022, side - (np.float32(0.0165) + np.float32(0.42) * (np.float32(0.036) - y)))
        folds *= smooth_step(0.004, 0.012, y) * smooth_step(0.040, 0.032, y)
        forehead = sum(bell(level, 0.0013, y) for level in (0.118, 0.126)) * bell(0.0, 0.03, side)
        bags = bell(EYE[0], 0.014, side) * bell(EYE[1] - 0.0165, 0.0018, y)
        mix(colour, dark, np.float32(0.5 * complexion.lines) * (folds + forehead + bags))


def _lips(colour: Floats, x: Floats, y: Floats, complexion: Complexion, expression: Expression, blur: float) -> None:
    half = np.float32(0.0228 * expression.wide)
    u = np.clip(np.abs(x) / half, 0, 1.2)
    line = np.float32(MOUTH) + np.float32(expression.smile) * (u * u * np.float32(1.5) - np.float32(0.35))
    roundness = np.sqrt(np.maximum(1 - u * u, 0))
    bow = np.float32(0.0058) * (1 - u**2) * (1 - np.float32(0.20) * bell(0.0, 0.16, u)) + np.float32(0.0008)
    full = np.float32(0.0080) * roundness * np.sqrt(roundness)
    gape = np.float32(expression.gape / 2) * roundness
    top, bottom = line + gape + bow, line - gape - full
    within = _inside(np.minimum(top - y, y - bottom), blur) * (u < 1)
    mix(colour, complexion.lips, within)
    lower = tint(complexion.lips, 1.18)
    mix(
        colour,
        lower,
        within * np.float32(0.6) * bell(float(MOUTH) - 0.0058, 0.0035, y) * (u < 0.7),
    )
    dark = (0.10 * complexion.lips[0], 0.05 * complexion.lips[1], 0.05 * complexion.lips[2])
    open_mouth = _inside(gape - np.abs(y - line), blur) * (u < 1) if expression.gape else None
    if open_mouth is None:
        seam = _inside(np.float32(0.0013) - np.abs(y - line), blur) * _inside(half * np.float32(1.04) - np.abs(x), blur)
        mix(colour, dark, seam * np.float32(0.85))
        return
    mix(colour, dark, open_mouth)
    if expression.teeth:
        row = _inside(y - (line + gape * np.float32(-0.15)), blur) if expression.gape > 0.008 else 1.0
        mix(colour, (0.83, 0.80, 0.76), open_mouth * row * (u < 0.88))


def _nostrils(colour: Floats, x: Floats, y: Floats, blur: float) -> None:
    spot = bell(0.0070, 0.0030, np.abs(x)) * bell(0.0348, 0.0018 + blur / 3, y)
    colour *= 1 - np.float32(0.50) * spot
    # The edges of the nostrils and the shade below the tip make the nose readable in small pictures.
    under = bell(0.0, 0.0115, x) * bell(0.0325, 0.0030, y)
    wing = bell(0.0158, 0.0022, np.abs(x)) * bell(0.0385, 0.0055, y)
    colour *= 1 - np.float32(0.10) * under - np.float32(0.16) * wing


def _brow(colour: Floats, x: Floats, y: Floats, complexion: Complexion, expression: Expression, blur: float) -> None:
    u = (x - np.float32(EYE[0])) / np.float32(0.0215)
    inner = np.clip(-u, 0, 1)
    arch = np.float32(EYE[1] + 0.0215 + expression.brows) - np.float32(0.0042) * (u - np.float32(0.25)) ** 2
    middle = arch - np.float32(expression.frown) * inner
    thick = np.float32(0.0030 * complexion.brow) * (1 - np.float32(0.40) * u) * (np.abs(u) < 1.0)
    share = _inside(thick - np.abs(y - middle), blur * 1.2) * _inside((1 - np.abs(u)) * np.float32(0.0215), blur)
    dark = tint(complexion.hair, 0.75)
    mix(colour, dark, share * np.float32(0.9))


def _eye(
    colour: Floats,
    u: Floats,
    v: Floats,
    side: int,
    complexion: Complexion,
    expression: Expression,
    gaze: tuple[float, float],
    blur: float,
) -> None:
    near = np.flatnonzero((np.abs(u) < 0.03) & (np.abs(v) < 0.022))
    u, v = u[near] / np.float32(_EYE_SIZE), v[near] / np.float32(_EYE_SIZE)
    blur = blur / _EYE_SIZE
    painted = colour[:, near]
    outer = u * side  # grows towards the temple
    half = np.float32(0.0172)
    t = np.clip(outer / half, -1.3, 1.3)
    arc = np.maximum(1 - t * t, 0)
    tilt = np.float32(0.0016) * t
    upper = tilt + np.float32(0.0098 * expression.lids) * arc ** np.float32(0.62) - np.float32(0.0012)
    lower = (
        tilt
        - np.float32(0.0072 * (0.25 + 0.75 * min(expression.lids, 1.0))) * arc ** np.float32(0.8)
        - np.float32(0.0008)
    )
    if expression.lids < 0.1:
        upper = lower
    opening = _inside(np.minimum(upper - v, v - lower), blur) * (np.abs(t) < 1)
    mix(painted, (0.84, 0.82, 0.80), opening)
    x0 = np.float32(0.0098 * np.sin(np.deg2rad(gaze[0])))
    y0 = np.float32(0.0085 * np.sin(np.deg2rad(gaze[1])) + 0.0008)
    away = np.sqrt((u - x0) ** 2 + (v - y0) ** 2)
    dark = tint(complexion.iris, 0.30)
    mix(painted, dark, opening * _inside(np.float32(0.0086) - away, blur))
    lit = np.clip(np.float32(0.75) - (v - y0) * np.float32(60), np.float32(0.45), np.float32(1.5))
    iris = opening * _inside(np.float32(0.0074) - away, blur)
    for channel, value in zip(painted, complexion.iris, strict=True):
        channel += iris * (np.float32(value) * lit - channel)
    mix(painted, (0.008, 0.007, 0.007), opening * _inside(np.float32(0.0040) - away, blur))
    painted *= 1 - opening * np.float32(0.42) * smooth_step(-0.0035, 0.0, v - upper)
    glint = np.sqrt((u - x0 + np.float32(0.0026)) ** 2 + (v - y0 - np.float32(0.0032)) ** 2)
    mix(painted, (1.6, 1.6, 1.6), opening * _inside(np.float32(0.0019) - glint, blur))
    lash = np.float32(0.0011 + 0.0011 * complexion.lashes) * (1 + np.float32(0.5) * np.clip(t, -0.6, 1))
    wing = np.float32(0.0035 * complexion.lashes) * np.clip(t - np.float32(0.75), 0, 0.4)
    rim = _inside(lash - np.abs(v - upper - wing), blur) * _inside(half * np.float32(1.10) - np.abs(outer), blur)
    mix(painted, (0.018, 0.013, 0.012), rim * np.float32(0.93))
    below = _inside(np.float32(0.0007) - np.abs(v - lower), blur) * (np.abs(t) < 0.95)
    mix(painted, tint(complexion.skin, 0.25), below * np.float32(0.5))
    crease = _inside(np.float32(0.0008) - np.abs(v - upper - np.float32(0.0042)), blur) * (np.abs(t) < 0.9)
    mix(painted, tint(complexion.skin, 0.35), crease * np.float32(0.45))
    colour[:, near] = painted
