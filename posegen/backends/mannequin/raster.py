"""Triangles to pixels: which triangle is in front at each pixel, exactly and without gaps.

Spans are computed for all triangles at once, edges always from their upper end, so that neighbours share every bit
of their common edge. Nothing here knows about colour, light or figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

SAMPLE_OFFSETS = ((0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875))
"""Where in a pixel the four samples of an edge lie: a rotated grid, which smooths near-upright and near-level edges."""


@dataclass(frozen=True)
class Projected:
    """Triangles on the image plane.

    `x`, `y`: (vertices,) pixels; `inverse_depth`: (vertices,) 1 / metres, which is what is linear on the image plane;
    `triangles`: (triangles, 3) indices of vertices.
    """

    x: Floats
    y: Floats
    inverse_depth: Floats
    triangles: Integers

    def subset(self, chosen: NDArray[np.intp]) -> Projected:
        """The same vertices, only these triangles."""
        return Projected(self.x, self.y, self.inverse_depth, self.triangles[chosen])


@dataclass(frozen=True)
class Fragments:
    """Every pixel of every triangle. `pixel`: row * width + column; `triangle`: index; `inverse_depth`: 1 / metres."""

    pixel: Integers
    triangle: Integers
    inverse_depth: Floats


def front_facing(mesh: Projected, two_sided: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices of the triangles that turn their front (counter-clockwise seen from outside) to the camera."""
    x, y = mesh.x[mesh.triangles], mesh.y[mesh.triangles]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    return np.flatnonzero((area < 0) | (two_sided & (area != 0)))


@dataclass(frozen=True)
class Wanted:
    """Pixels to sample. `pixels`: rising; `before`: (size + 1,) how many of them come before each pixel."""

    pixels: Integers
    before: Integers


def wanted(pixels: Integers, size: int) -> Wanted:
    """These pixels, rising, of a picture with `size` pixels."""
    marked = np.zeros(size + 1, np.int8)
    marked[pixels + 1] = 1
    return Wanted(pixels, np.cumsum(marked, dtype=np.int32))


@dataclass(frozen=True)
class _Rows:
    """Rows of pixels within triangles: which one, first pixel, how many, inverse depth at the first and its growth."""

    triangle: Integers
    first: Integers
    count: Integers
    depth: Floats
    slope: Floats


class Spans:
    """Triangles made ready to be sampled, once for any number of sample positions."""

    def __init__(self, mesh: Projected, width: int, height: int) -> None:
        self._width, self._height = width, height
        corners = _from_the_top(mesh)
        self._x, self._y, self._w = (
            [place[corner] for corner in corners] for place in (mesh.x, mesh.y, mesh.inverse_depth)
        )
        x, y = self._x, self._y
        with np.errstate(divide="ignore", invalid="ignore"):
            self._long, self._upper, self._lower = ((x[b] - x[a]) / (y[b] - y[a]) for a, b in ((0, 2), (0, 1), (1, 2)))
        self._slope_x, self._slope_y = self._planes()

    def _planes(self) -> tuple[Floats, Floats]:
        """How inverse depth changes with x and y; flat for slivers, whose gradient is only noise."""
        (x0, x1, x2), (y0, y1, y2), (w0, w1, w2) = self._x, self._y, self._w
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        scale = np.reciprocal(np.where(np.abs(area) < 1e-3, np.float32(np.inf), area))
        across: Floats = ((w1 - w0) * (y2 - y0) - (w2 - w0) * (y1 - y0)) * scale
        down: Floats = ((w2 - w0) * (x1 - x0) - (w1 - w0) * (x2 - x0)) * scale
        return across, down

    def sample(self, offset: tuple[float, float] = (0.5, 0.5), wanted: Wanted | None = None) -> Fragments:
        """The fragments of all triangles, sampled at `offset` in each pixel or only in those that are wanted.

        In the latter case `pixel` counts through the wanted pixels.
        """
        rows = self._rows(offset, wanted)
        return _every_pixel(rows) if wanted is None else _wanted_pixels(rows, wanted)

    def _rows(self, offset: tuple[float, float], wanted: Wanted | None) -> _Rows:
        over, under = np.float32(offset[0]), np.float32(offset[1])
        y = self._y
        first = np.clip(np.ceil(y[0] - under), 0, self._height).astype(np.int32)
        rows = np.clip(np.ceil(y[2] - under), 0, self._height).astype(np.int32) - first
        triangle = np.repeat(np.arange(len(rows), dtype=np.int32), rows)
        ends = np.cumsum(rows, dtype=np.int32)
        row = np.arange(len(triangle), dtype=np.int32) + (first - (ends - rows))[triangle]
        level = row.astype(np.float32) + under
        below_top = level - y[0][triangle]
        below_middle = level - y[1][triangle]
        left = self._x[0][triangle]
        one = left + below_top * self._long[triangle]
        with np.errstate(invalid="ignore"):
            other = np.where(
                below_middle < 0,
                left + below_top * self._upper[triangle],
                self._x[1][triangle] + below_middle * self._lower[triangle],
            )
        start = np.clip(np.ceil(np.minimum(one, other) - over), 0, self._width).astype(np.int32)
        count = np.clip(np.ceil(np.maximum(one, other) - over), 0, self._width).astype(np.int32) - start
        first_pixel = row * np.int32(self._width) + start
        if wanted is None:
            kept = np.flatnonzero(count > 0)
        else:
            count = np.maximum(count, 0)
            kept = np.flatnonzero(wanted.before[first_pixel + count] > wanted.before[first_pixel])
        triangle = triangle[kept]
        slope = self._slope_x[triangle]
        depth = (
            self._w[0][triangle]
            + (start[kept].astype(np.float32) + over - left[kept]) * slope
            + below_top[kept] * self._slope_y[triangle]
        )
        return _Rows(triangle, first_pixel[kept], count[kept], depth, slope)


def _from_the_top(mesh: Projected) -> list[Integers]:
    """The three corners of each triangle, the upper one first."""
    corners = [np.ascontiguousarray(corner) for corner in mesh.triangles.T]
    heights = [mesh.y[corner] for corner in corners]
    for a, b in ((0, 1), (1, 2), (0, 1)):
        swap = heights[b] < heights[a]
        for row in (corners, heights):
            row[a], row[b] = np.where(swap, row[b], row[a]), np.where(swap, row[a], row[b])
    return corners


def _every_pixel(rows: _Rows) -> Fragments:
    span, step = _counted(rows.count)
    inverse = rows.depth[span] + rows.slope[span] * step.astype(np.float32)
    return Fragments(rows.first[span] + step, rows.triangle[span], np.maximum(inverse, np.float32(1e-6)))


def _wanted_pixels(rows: _Rows, wanted: Wanted) -> Fragments:
    low = wanted.before[rows.first]
    span, step = _counted(wanted.before[rows.first + rows.count] - low)
    index = low[span] + step
    away = wanted.pixels[index] - rows.first[span]
    inverse = rows.depth[span] + rows.slope[span] * away.astype(np.float32)
    return Fragments(index, rows.triangle[span], np.maximum(inverse, np.float32(1e-6)))


def _counted(count: Integers) -> tuple[Integers, Integers]:
    """For each of `count` many: which one it belongs to, and the how-manieth of it it is."""
    span = np.repeat(np.arange(len(count), dtype=np.int32), count)
    ends = np.cumsum(count, dtype=np.int32)
    return span, np.arange(len(span), dtype=np.int32) - (ends - count)[span]


def nearest(found: Fragments, size: int) -> NDArray[np.int64]:
    """(size,) for each pixel the bits of inverse depth, then those of the triangle in front; 0 where none is."""
    keys = (found.inverse_depth.view(np.int32).astype(np.int64) << 32) | found.triangle
    front = np.zeros(size, np.int64)
    np.maximum.at(front, found.pixel, keys)
    return front


def unpack(front: NDArray[np.int64]) -> tuple[Integers, Floats]:
    """Triangle and inverse depth out of what `nearest` returned."""
    return (front & 0xFFFFFFFF).astype(np.int32), (front >> 32).astype(np.int32).view(np.float32)
