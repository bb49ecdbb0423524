"""Interpolates attributes of vertices at visible points, linearly over the picture within each triangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.raster import Indices, Projected
from posegen.figure.rendering.visibility import Seen


@dataclass(frozen=True)
class Planes:
    """An attribute of k values as linear functions. `triangle`: for each point, the index of its triangle among the
    visible ones; `terms`: for each of the k values, and for each visible triangle, the value at x = y = 0 and its
    growth with x and y.
    """

    seen: Seen
    triangle: Indices
    terms: list[tuple[Floats, Floats, Floats]]

    def at(self, points: slice) -> list[Floats]:
        """The k values at these points."""
        x, y, triangle = self.seen.x[points], self.seen.y[points], self.triangle[points]
        return [
            start.take(triangle) + x * across.take(triangle) + y * down.take(triangle)
            for start, across, down in self.terms
        ]


def planes(flat: Projected, seen: Seen, *attributes: Floats) -> list[Planes]:
    """The linear functions of each attribute (vertices, k)."""
    marked = np.zeros(flat.corners.shape[1], np.bool_)
    marked[seen.triangle] = True
    triangle = (np.cumsum(marked) - 1).take(seen.triangle)
    corners = flat.corners.take(np.flatnonzero(marked), axis=1)
    return [Planes(seen, triangle, _terms(flat, corners, np.ascontiguousarray(values.T))) for values in attributes]


def _terms(flat: Projected, corners: Indices, attributes: Floats) -> list[tuple[Floats, Floats, Floats]]:
    """The terms of `Planes`. Attributes are constant on slivers, whose gradients would be noise."""
    first, second, third = corners
    x0, y0 = flat.x.take(first), flat.y.take(first)
    x1, y1 = flat.x.take(second) - x0, flat.y.take(second) - y0
    x2, y2 = flat.x.take(third) - x0, flat.y.take(third) - y0
    area = x1 * y2 - x2 * y1
    scale = np.reciprocal(np.where(np.abs(area) < 1e-3, np.float32(np.inf), area))
    terms = []
    for values in attributes:
        start = values.take(first)
        one, other = (values.take(second) - start) * scale, (values.take(third) - start) * scale
        across, down = one * y2 - other * y1, other * x1 - one * x2
        terms.append((start - x0 * across - y0 * down, across, down))
    return terms
