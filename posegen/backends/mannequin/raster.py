"""Triangles to pixels: which triangle is in front at each pixel, exactly and without gaps.

Spans are computed for many triangles at once, edges always from their upper end, so that neighbours share every bit of
their common edge. Nothing here knows about colour, light or figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Indices = NDArray[np.intp]

SAMPLE_OFFSETS = ((0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875))
"""Where in a pixel the four samples of an edge lie: a rotated grid, which smooths near-upright and near-level edges."""

# Triangles taken at once: few enough for their fragments to stay in the processor's cache.
_PORTION = 3000


@dataclass(frozen=True)
class Projected:
    """Triangles on the image plane.

    `x`, `y`: (vertices,) pixels; `inverse_depth`: (vertices,) 1 / metres, which is what is linear on the image plane;
    `corners`: (3, triangles) indices of vertices; `names`: (triangles,) what they are called in what is found.
    """

    x: Floats
    y: Floats
    inverse_depth: Floats
    corners: Indices
    names: Indices

    def subset(self, chosen: Indices) -> Projected:
        """The same vertices, only these triangles, under their names."""
        return replace(self, corners=self.corners.take(chosen, axis=1), names=self.names.take(chosen))


def projected(x: Floats, y: Floats, inverse_depth: Floats, triangles: Integers) -> Projected:
    """Triangles (t, 3), called by their place in the list."""
    corners = np.ascontiguousarray(triangles.T).astype(np.intp)
    return Projected(x, y, inverse_depth, corners, np.arange(len(triangles)))


@dataclass(frozen=True)
class Fragments:
    """Pixels of triangles. `pixel`: row * width + column; `triangle`: its name; `inverse_depth`: 1 / metres."""

    pixel: Indices
    triangle: Indices
    inverse_depth: Floats


@dataclass(frozen=True)
class Wanted:
    """Pixels to sample. `pixels`: rising; `before`: (size + 1,) how many of them come before each pixel."""

    pixels: Indices
    before: Integers


def wanted(pixels: Indices, size: int) -> Wanted:
    """These pixels, rising, of a picture with `size` pixels."""
    marked = np.zeros(size + 1, np.int8)
    marked[pixels + 1] = 1
    return Wanted(pixels, np.cumsum(marked, dtype=np.int32))


def front_facing(mesh: Projected, two_sided: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices of the triangles that turn their front (counter-clockwise seen from outside) to the camera."""
    (x0, x1, x2), (y0, y1, y2) = mesh.x.take(mesh.corners), mesh.y.take(mesh.corners)
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    return np.flatnonzero((area < 0) | (two_sided & (area != 0)))


def fragments(
    mesh: Projected, width: int, height: int, offset: tuple[float, float] = (0.5, 0.5), only: Wanted | None = None
) -> Iterator[Fragments]:
    """The fragments of all triangles, in portions, sampled at `offset` in each pixel or in those that are wanted.

    In the latter case `pixel` counts through the wanted pixels.
    """
    for start in range(0, len(mesh.names), _PORTION):
        portion = slice(start, start + _PORTION)
        rows = _rows(mesh, mesh.corners[:, portion], (width, height), offset, only)
        names = mesh.names[portion]
        yield _every_pixel(rows, names) if only is None else _wanted_pixels(rows, names, only)


def nearest(found: Iterable[Fragments], size: int) -> NDArray[np.int64]:
    """(size,) for each pixel the bits of inverse depth, then those of the triangle in front; 0 where none is."""
    front = np.zeros(size, np.int64)
    for portion in found:
        keys = portion.inverse_depth.view(np.int32).astype(np.int64)
        keys <<= 32
        keys |= portion.triangle
        np.maximum.at(front, portion.pixel, keys)
    return front


def unpack(front: NDArray[np.int64]) -> tuple[Indices, Floats]:
    """Triangle and inverse depth out of what `nearest` returned."""
    return front & 0xFFFFFFFF, (front >> 32).astype(np.int32).view(np.float32)


@dataclass(frozen=True)
class _Rows:
    """Rows of pixels within triangles: which one, first pixel, how many, inverse depth at the first and its growth."""

    triangle: Indices
    first: Indices
    count: Indices
    depth: Floats
    slope: Floats


def _rows(
    mesh: Projected, corners: Indices, size: tuple[int, int], offset: tuple[float, float], only: Wanted | None
) -> _Rows:
    width, height = size
    over, under = np.float32(offset[0]), np.float32(offset[1])
    x, y, w = _from_the_top(mesh, corners)
    long, upper, lower = _slants(x, y)
    top = np.clip(np.ceil(y[0] - under), 0, height).astype(np.intp)
    triangle, step = _counted(np.clip(np.ceil(y[2] - under), 0, height).astype(np.intp) - top)
    row = top.take(triangle) + step
    level = row.astype(np.float32) + under
    below_top, below_middle = level - y[0].take(triangle), level - y[1].take(triangle)
    left = x[0].take(triangle)
    one = left + below_top * long.take(triangle)
    with np.errstate(invalid="ignore"):
        in_upper = left + below_top * upper.take(triangle)
        in_lower = x[1].take(triangle) + below_middle * lower.take(triangle)
        other = np.where(below_middle < 0, in_upper, in_lower)
    start = np.clip(np.ceil(np.minimum(one, other) - over), 0, width).astype(np.intp)
    end = np.clip(np.ceil(np.maximum(one, other) - over), 0, width).astype(np.intp)
    count = np.maximum(end - start, 0)
    first = row * width + start
    kept = np.flatnonzero(count if only is None else only.before.take(first + count) > only.before.take(first))
    triangle, first, count = triangle.take(kept), first.take(kept), count.take(kept)
    across, down = _planes(x, y, w)
    slope = across.take(triangle)
    away = start.take(kept).astype(np.float32) + over - left.take(kept)
    depth = w[0].take(triangle) + away * slope + below_top.take(kept) * down.take(triangle)
    return _Rows(triangle, first, count, depth, slope)


def _from_the_top(mesh: Projected, corners: Indices) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """x, y and inverse depth of each triangle's corners, the upper one first."""
    index = list(corners)
    y = [mesh.y.take(corner) for corner in index]
    for a, b in ((0, 1), (1, 2), (0, 1)):
        swap = y[b] < y[a]
        index[a], index[b] = np.where(swap, index[b], index[a]), np.where(swap, index[a], index[b])
        y[a], y[b] = np.minimum(y[a], y[b]), np.maximum(y[a], y[b])
    return [mesh.x.take(corner) for corner in index], y, [mesh.inverse_depth.take(corner) for corner in index]


def _slants(x: list[Floats], y: list[Floats]) -> tuple[Floats, Floats, Floats]:
    """How x changes with y along the long edge, the upper one and the lower one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        long, upper, lower = ((x[b] - x[a]) / (y[b] - y[a]) for a, b in ((0, 2), (0, 1), (1, 2)))
    return long, upper, lower


def _planes(x: list[Floats], y: list[Floats], w: list[Floats]) -> tuple[Floats, Floats]:
    """How inverse depth changes with x and y; flat for slivers, whose gradient is only noise."""
    x1, x2, y1, y2, w1, w2 = x[1] - x[0], x[2] - x[0], y[1] - y[0], y[2] - y[0], w[1] - w[0], w[2] - w[0]
    area = x1 * y2 - x2 * y1
    scale = np.reciprocal(np.where(np.abs(area) < 1e-3, np.float32(np.inf), area))
    across: Floats = (w1 * y2 - w2 * y1) * scale
    down: Floats = (w2 * x1 - w1 * x2) * scale
    return across, down


def _every_pixel(rows: _Rows, names: Indices) -> Fragments:
    span, step = _counted(rows.count)
    inverse = rows.depth.take(span) + rows.slope.take(span) * step.astype(np.float32)
    triangle = names.take(rows.triangle).take(span)
    return Fragments(rows.first.take(span) + step, triangle, np.maximum(inverse, np.float32(1e-6)))


def _wanted_pixels(rows: _Rows, names: Indices, only: Wanted) -> Fragments:
    low = only.before.take(rows.first)
    span, step = _counted(only.before.take(rows.first + rows.count) - low)
    index = low.take(span) + step
    away = only.pixels.take(index) - rows.first.take(span)
    inverse = rows.depth.take(span) + rows.slope.take(span) * away.astype(np.float32)
    return Fragments(index, names.take(rows.triangle).take(span), np.maximum(inverse, np.float32(1e-6)))


def _counted(count: NDArray[np.integer[Any]]) -> tuple[Indices, Indices]:
    """For each of `count` many: which one it belongs to, and the how-manieth of it it is."""
    span = np.repeat(np.arange(len(count)), count)
    return span, np.arange(len(span)) - (np.cumsum(count) - count).take(span)
