"""Several samples in some pixels: which triangle is in front at each of them, for smooth edges.

Only triangles and rows near wanted pixels are looked at, and there is one pass for each place within a pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from posegen.backends.mannequin.raster import Doubles, Indices, Integers, Keys, Outlines, counted, cut, to_key

OFFSETS = ((0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875))
"""Where in a pixel the samples lie: a rotated grid, which smooths near-upright and near-level edges."""

_BLOCK = 2  # pixels
_PORTION = 16_000  # rows of triangles taken at once: few enough for the processor's cache


def nearest_samples(shapes: Outlines, width: int, height: int, pixels: Indices) -> Keys:
    """(4, pixels) what `raster.nearest` says, for each of `OFFSETS` in these pixels, whose numbers rise."""
    marked = np.zeros(width * height + 1, np.int8)
    marked[pixels + 1] = 1
    wanted = _Wanted(pixels, np.cumsum(marked, dtype=np.int32), width, height)
    near = shapes.take(_near(shapes, wanted))
    triangle, row = _rows_near(near, wanted)
    front = np.zeros((len(OFFSETS), len(pixels)), np.int64)
    for start in range(0, len(row), _PORTION):
        portion = slice(start, start + _PORTION)
        _sample(front, near, triangle[portion], row[portion], wanted)
    return front


class _Wanted(NamedTuple):
    """`pixels`: their numbers, rising; `before`: (size + 1,) how many of them come before each pixel."""

    pixels: Indices
    before: Integers
    width: int
    height: int


def _near(shapes: Outlines, wanted: _Wanted) -> Indices:
    """Indices of the triangles whose bounding box touches a block of pixels with a wanted one."""
    rows, columns = wanted.height // _BLOCK + 1, wanted.width // _BLOCK + 1
    total = np.zeros((rows + 1, columns + 1), np.int32)
    row, column = np.divmod(wanted.pixels, wanted.width)
    total[row // _BLOCK + 1, column // _BLOCK + 1] = 1
    total = total.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)

    def blocks(place: Doubles, size: int, after: int) -> Indices:
        return np.clip(place * (1 / _BLOCK), 0, (size - 1) // _BLOCK).astype(np.intp) + after

    left, right = blocks(shapes.left, wanted.width, 0), blocks(shapes.right, wanted.width, 1)
    top, bottom = (
        blocks(place, wanted.height, after) * (columns + 1) for place, after in ((shapes.top, 0), (shapes.bottom, 1))
    )
    held = total.take(bottom + right) - total.take(top + right) - total.take(bottom + left) + total.take(top + left)
    return np.flatnonzero(held > 0)


def _rows_near(shapes: Outlines, wanted: _Wanted) -> tuple[Indices, Indices]:
    """Triangles and rows where the triangle's bounding box holds a wanted pixel."""
    before, width, height = wanted.before, wanted.width, wanted.height
    top, bottom = (np.clip(y, 0, height).astype(np.intp) for y in (shapes.top, shapes.bottom + 1))
    left, right = (np.clip(x, 0, width).astype(np.intp) for x in (shapes.left, shapes.right + 1))
    pieces = cut(bottom - top)
    row = top.take(pieces.of) + pieces.start
    first, wide = row * width + left.take(pieces.of), (right - left).take(pieces.of)
    triangles, rows = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for many in pieces.steps():
        holds = np.flatnonzero(before.take(first[:many] + wide[:many]) > before.take(first[:many]))
        triangles.append(pieces.of.take(holds))
        rows.append(row.take(holds))
        row[:many] += 1
        first[:many] += width
    return np.concatenate(triangles), np.concatenate(rows)


def _sample(front: Keys, shapes: Outlines, triangle: Indices, row: Indices, wanted: _Wanted) -> None:
    """Enters these rows of triangles into `front`, for all offsets."""
    top, middle, bottom = (y.take(triangle) for y in (shapes.top, shapes.middle, shapes.bottom))
    long, long_slope = shapes.long.take(triangle), shapes.long_slope.take(triangle)
    upper, upper_slope = shapes.upper.take(triangle), shapes.upper_slope.take(triangle)
    lower, lower_slope = shapes.lower.take(triangle), shapes.lower_slope.take(triangle)
    for keys, (over, under) in zip(front, OFFSETS, strict=True):
        y = row + under
        one = long + y * long_slope
        other = np.where(y < middle, upper + y * upper_slope, lower + y * lower_slope)
        start, end = (np.clip(np.ceil(x - over), 0, wanted.width) for x in (np.minimum(one, other), np.maximum(one, other)))
        first = row * wanted.width + start.astype(np.intp)
        low, high = wanted.before.take(first), wanted.before.take(first + (end - start).astype(np.intp))
        held = np.flatnonzero((low < high) & (top <= y) & (y < bottom))
        of, low, first = triangle.take(held), low.take(held), first.take(held)
        across = shapes.across.take(of)
        depth = shapes.depth.take(of) + (start.take(held) + over) * across + y.take(held) * shapes.down.take(of)
        key = to_key(depth) + shapes.name.take(of)
        span, step = counted(high.take(held) - low)
        index = low.take(span) + step
        away = wanted.pixels.take(index) - first.take(span)
        np.maximum.at(keys, index, key.take(span) + away * to_key(across).take(span))
