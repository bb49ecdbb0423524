"""Curves and falloffs of one variable: interpolation, steps, bells, circles."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posegen.figure.geometry.vectors import Floats, constant


def modulo(x: NDArray[Any], period: float) -> Floats:
    """The remainder of x by `period`, several times faster than `np.mod`."""
    rest: Floats = x - np.floor(x * np.float32(1 / period)) * np.float32(period)
    return rest


@lru_cache(maxsize=64)
def circle(sides: int) -> tuple[Floats, Floats]:
    """Cosine and sine of `sides` even steps, counter-clockwise."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return constant(np.cos(angle).astype(np.float32)), constant(np.sin(angle).astype(np.float32))


def smooth_curve(knots: ArrayLike, values: ArrayLike, at: ArrayLike) -> Floats:
    """Interpolates values (k,) or (k, c) at the knots (k,) smoothly and without overshoot, at places (n,)."""
    return Curve(knots, values)(at)


class Curve:
    """`smooth_curve` with precomputed coefficients, for tables that are evaluated more than once."""

    def __init__(self, knots: ArrayLike, values: ArrayLike) -> None:
        x, y = np.asarray(knots, dtype=np.float64), np.asarray(values, dtype=np.float64)
        self._flat = y.ndim == 1
        y = y[:, None] if self._flat else y
        step = np.diff(x)[:, None]
        rise = np.diff(y, axis=0)
        slope = rise / step
        tangent = np.empty_like(y)
        tangent[0], tangent[-1] = slope[0], slope[-1]
        before, after = slope[:-1], slope[1:]
        together = before * after
        turning = together <= 0
        tangent[1:-1] = np.where(turning, 0.0, 2 * together / np.where(turning, 1.0, before + after))
        start, end = tangent[:-1] * step, tangent[1:] * step
        terms = (y[:-1], start, 3 * rise - 2 * start - end, start + end - 2 * rise)
        self._knots, self._step = x, step[:, 0]
        self._terms = [term.astype(np.float32) for term in terms]

    def __call__(self, at: ArrayLike) -> Floats:
        """(n,) or (n, c) values of the curve at places (n,)."""
        t = np.asarray(at, dtype=np.float64)
        index = np.clip(np.searchsorted(self._knots, t, side="right") - 1, 0, len(self._step) - 1)
        u = np.clip((t - self._knots[index]) / self._step[index], 0, 1).astype(np.float32)[:, None]
        level, linear, square, cube = (term[index] for term in self._terms)
        curve: Floats = level + u * (linear + u * (square + u * cube))
        return curve[:, 0] if self._flat else curve


def smooth_step(low: float, high: float, at: ArrayLike) -> Floats:
    """A smooth step from 0 at `low` to 1 at `high`; with `low` above `high` it falls instead."""
    u = np.clip((np.asarray(at, dtype=np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    step: Floats = u * u * (3 - 2 * u)
    return step


def bell(centre: float, width: float, at: ArrayLike) -> Floats:
    """exp(-((at - centre) / width)^2): 1 at the centre, falling to 0."""
    curve: Floats = np.exp(-(((np.asarray(at, dtype=np.float32) - np.float32(centre)) / np.float32(width)) ** 2))
    return curve
