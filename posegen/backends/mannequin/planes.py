"""What vertices carry, at the points that are seen: within a triangle it changes evenly over the picture."""

from __future__ import annotations

import numpy as np

from posegen.backends.mannequin.geometry import Floats
from posegen.backends.mannequin.raster import Indices, Projected
from posegen.backends.mannequin.visibility import Seen


class Planes:
    """For each triangle that is seen, how something that vertices carry changes over the picture."""

    def __init__(self, flat: Projected, seen: Seen, attributes: Floats) -> None:
        """`attributes`: (vertices, k)."""
        self._seen = seen
        marked = np.zeros(flat.corners.shape[1], np.bool_)
        marked[seen.triangle] = True
        shown = np.flatnonzero(marked)
        self._index = (np.cumsum(marked) - 1).take(seen.triangle)
        self._planes = _planes(flat, shown, np.ascontiguousarray(attributes.T))

    def at(self, points: slice | Indices) -> list[Floats]:
        """The k attributes of these points."""
        x, y, index = self._seen.x[points], self._seen.y[points], self._index[points]
        return [
            start.take(index) + x * across.take(index) + y * down.take(index) for start, across, down in self._planes
        ]


def _planes(flat: Projected, triangles: Indices, attributes: Floats) -> list[tuple[Floats, Floats, Floats]]:
    """For each attribute its value at 0, 0 and how it grows with x and y; slivers are flat."""
    first, second, third = flat.corners.take(triangles, axis=1)
    x0, y0 = flat.x.take(first), flat.y.take(first)
    x1, y1 = flat.x.take(second) - x0, flat.y.take(second) - y0
    x2, y2 = flat.x.take(third) - x0, flat.y.take(third) - y0
    area = x1 * y2 - x2 * y1
    scale = np.reciprocal(np.where(np.abs(area) < 1e-3, np.float32(np.inf), area))
    planes = []
    for values in attributes:
        start = values.take(first)
        one, other = (values.take(second) - start) * scale, (values.take(third) - start) * scale
        across, down = one * y2 - other * y1, other * x1 - one * x2
        planes.append((start - x0 * across - y0 * down, across, down))
    return planes
