"""Solids for props, as rings for `mesh.loft`: boxes with rounded edges, solids of revolution, rods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from posegen.figure.geometry.curves import circle
from posegen.figure.geometry.sweeps import tube
from posegen.figure.geometry.vectors import Floats


def rounded_box(size: ArrayLike, radius: float, centre: ArrayLike = (0, 0, 0)) -> Floats:
    """(n, m, 3) rings of a box from the top down. `radius`: of its edges, metres; faces stay flat between them."""
    x, y, z = np.asarray(size, dtype=np.float64) / 2
    radius = float(min(radius, 0.49 * 2 * min(x, y, z)))
    inset = [(1.02, y), (1.0, y)]
    inset += [(1 - np.sin(a), y - radius * (1 - np.cos(a))) for a in np.linspace(0.25, 0.75, 2) * np.pi / 2]
    inset += [(0.0, y - radius), (0.0, y - 1.05 * radius)]
    levels = inset + [(shrink, -height) for shrink, height in reversed(inset)]
    rings = [_rounded_rectangle(x, z, radius, shrink * radius, height) for shrink, height in levels]
    return (np.array(rings) + np.asarray(centre, dtype=np.float64)).astype(np.float32)


def _rounded_rectangle(
    x: float, z: float, radius: float, inset: float, height: float
) -> list[tuple[float, float, float]]:
    points = []
    reach = max(radius - inset, 1e-5)
    for quarter, (sx, sz) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        centre = (sx * (x - radius), sz * (z - radius))
        points += [
            (centre[0] + reach * np.cos(angle), height, centre[1] + reach * np.sin(angle))
            for angle in np.linspace(0, np.pi / 2, 4) + quarter * np.pi / 2
        ]
    flat = []
    for corner in range(4):
        arc = points[corner * 4 : corner * 4 + 4]
        before = _towards(arc[0], points[corner * 4 - 1], radius * 0.1)
        after = _towards(arc[3], points[(corner * 4 + 4) % 16], radius * 0.1)
        flat += [before, *arc, after]
    return flat


def _towards(
    start: tuple[float, float, float], end: tuple[float, float, float], step: float
) -> tuple[float, float, float]:
    a, b = np.array(start), np.array(end)
    x, y, z = a + (b - a) * min(step / max(float(np.linalg.norm(b - a)), 1e-9), 0.3)
    return float(x), float(y), float(z)


def turned(
    profile: Sequence[tuple[float, float]], sides: int = 28, axis: int = 1, centre: ArrayLike = (0, 0, 0)
) -> Floats:
    """(n, m, 3) rings around an axis (0 = x, 1 = y, 2 = z). `profile`: (position on it, radius) from the far end on."""
    along, radius = np.array(profile, dtype=np.float32).T
    cos, sin = circle(sides)
    one, other = radius[:, None] * cos, radius[:, None] * sin
    level = np.broadcast_to(along[:, None], one.shape)
    # Rings run from x to z seen along -y; the other axes follow by cyclic permutation.
    order = {1: (one, level, other), 0: (level, other, one), 2: (other, one, level)}[axis]
    return (np.stack(order, axis=-1) + np.asarray(centre, dtype=np.float32)).astype(np.float32)


def cylinder(bottom: float, top: float, radius: float, edge: float = 0.003, sides: int = 28, axis: int = 1) -> Floats:
    """Rings of a cylinder between two positions on its axis, with rounded edges."""
    edge = min(edge, radius * 0.45, (top - bottom) * 0.45)
    end = [
        (0.0, radius - 1.1 * edge),
        (0.0, radius - edge),
        (0.3 * edge, radius - 0.3 * edge),
        (edge, radius),
        (1.1 * edge, radius),
    ]
    profile = [(top - depth, size) for depth, size in end] + [(bottom + depth, size) for depth, size in reversed(end)]
    return turned(profile, sides, axis)


def ball(radius: float, centre: ArrayLike = (0, 0, 0), rings: int = 22, sides: int = 32) -> Floats:
    """Rings of a sphere."""
    angles = np.linspace(0.03, np.pi - 0.03, rings)
    return turned([(radius * np.cos(a), radius * np.sin(a)) for a in angles], sides, 1, centre)


def rod(points: ArrayLike, radius: float, across: ArrayLike = (0, 0, 1)) -> Floats:
    """Rings along a polyline (k, 3)."""
    sweep = tube(points, across, 6, 0.6)
    cos, sin = circle(12)
    thickness = np.full((len(sweep.centres), 1), radius, np.float32)
    rings, _ = sweep.rings(thickness * cos, thickness * sin)
    return rings
