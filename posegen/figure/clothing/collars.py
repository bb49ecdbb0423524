"""Folded collars and hoods."""

from __future__ import annotations

import numpy as np

from posegen.figure.body.physique import TORSO_SIDES, torso
from posegen.figure.body.rig import Rig
from posegen.figure.geometry.curves import bell, circle, smooth_curve, smooth_step
from posegen.figure.geometry.mesh import Piece, loft
from posegen.figure.geometry.vectors import Floats
from posegen.figure.parts import Part, Surface

# From the inside of the collar's stand over its fold: height, and distance from the neck, metres at 1.75 m.
_FOLD = ((0.505, 0.000), (0.515, 0.004), (0.540, 0.0045), (0.5525, 0.006), (0.556, 0.009), (0.5535, 0.0125))


def collar(rig: Rig, surface: int) -> Piece:
    """A shirt's collar: a stand around the neck, folded outwards, with two points in front."""
    cos, sin = circle(96)
    from_front = np.abs(np.arctan2(cos, sin)).astype(np.float32)
    gap = smooth_step(0.03, 0.17, from_front)
    points = bell(0.36, 0.22, from_front)
    edge_height = np.float32(0.521) - np.float32(0.036) * points + np.float32(0.004) * smooth_step(1.6, 3.0, from_front)
    edge_ease = np.float32(0.024) + np.float32(0.010) * points
    rows: list[tuple[Floats, Floats]] = [(np.full_like(cos, height), np.full_like(cos, ease)) for height, ease in _FOLD]
    top_height, top_ease = rows[-1]
    for share in (0.3, 0.65, 0.95, 1.0, 1.0):
        inner = np.float32(0.0 if share < 1 or len(rows) < 10 else 0.004)
        height = top_height + (edge_height - top_height) * share * gap
        ease = top_ease + (edge_ease - top_ease) * share * gap - inner
        rows.append((height, ease))
    # The two halves separate at the throat: the stand dips between them.
    dip = np.float32(0.024) * (1 - smooth_step(0.0, 0.85, from_front))
    heights = np.stack([height - dip * (height > 0.52) for height, _ in rows])
    eases = np.stack([ease for _, ease in rows])
    # The collar keeps the neck's width below the neck, where the body widens into the shoulders.
    rest = torso(rig.body, np.maximum(heights, 0.533), cos, sin, eases * np.float32(rig.scale), 0.0)
    rest[..., 1] = heights * np.float32(rig.scale * rig.body.build.torso)
    return loft(rig.torso(rest)[::-1], surface, Part.TORSO, rest=rest[::-1], two_sided=True)


def hood(rig: Rig) -> Piece:
    """A hood that lies on the back, thick around the neck."""
    cos, sin = circle(TORSO_SIDES)
    behind = smooth_step(0.55, -0.75, sin)
    levels = np.linspace(0, 1, 26)
    front = smooth_curve(
        [0, 0.15, 0.35, 0.6, 0.85, 1],
        [[0.515, 0.001], [0.540, 0.004], [0.549, 0.014], [0.533, 0.026], [0.508, 0.024], [0.485, 0.012]],
        levels,
    )
    back = smooth_curve(
        [0, 0.15, 0.35, 0.6, 0.85, 1],
        [[0.530, 0.002], [0.575, 0.010], [0.590, 0.034], [0.545, 0.072], [0.455, 0.062], [0.400, 0.016]],
        levels,
    )
    shape = front[:, None] + (back - front)[:, None] * behind[None, :, None]
    fold = np.float32(0.003) * np.sin(np.arctan2(cos, -sin) * 5) * behind * bell(0.7, 0.2, levels)[:, None]
    rest = torso(rig.body, shape[..., 0], cos, sin, (shape[..., 1] + fold) * np.float32(rig.scale), 0.5)
    return loft(rig.torso(rest), Surface.TOP, Part.TORSO, rest=rest)
