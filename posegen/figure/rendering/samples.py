"""Several samples in some pixels: the nearest triangle at each sample, for smooth edges.

It processes only triangles and rows near those pixels, in one pass for each sample position.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.raster import (
    Indices,
    Integers,
    Keys,
    Outlines,
    counted,
    cut,
    longest_first,
    row_ends,
    to_key,
)

OFFSETS = ((0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875))
"""Positions of samples in a pixel: a rotated grid, which smooths nearly vertical and nearly horizontal edges."""

_BLOCK = 2  # pixels
_PORTION = 16_000  # rows of triangles processed at once: they fit into the processor's cache


def nearest_samples(shapes: Outlines, width: int, height: int, pixels: Indices) -> Keys:
    """(4, pixels) the keys of `raster.nearest`, at each of `OFFSETS` in these pixels. `pixels`: in rising order."""
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
    """The pixels to sample. `pixels`: in rising order; `before`: (size + 1,) number of them before each pixel."""

    pixels: Indices
    before: Integers
    width: int
    height: int


def _near(shapes: Outlines, wanted: _Wanted) -> Indices:
    """Indices of the triangles whose bounding box touches a block that contains a wanted pixel."""
    marked = np.zeros((wanted.height // _BLOCK + 1, wanted.width // _BLOCK + 1), np.uint8)
    row = wanted.pixels // wanted.width
    marked[row // _BLOCK, (wanted.pixels - row * wanted.width) // _BLOCK] = 1
    total = np.asarray(cv2.integral(marked))
    across = total.shape[1]

    def blocks(place: Floats, size: int, after: int) -> Indices:
        block: Indices = np.clip(place * np.float32(1 / _BLOCK), 0, (size - 1) // _BLOCK).astype(np.intp) + after
        return block

    left, right = blocks(shapes.left, wanted.width, 0), blocks(shapes.right, wanted.width, 1)
    top, bottom = (
        blocks(place, wanted.height, after) * across for place, after in ((shapes.top, 0), (shapes.bottom, 1))
    )
    held = total.take(bottom + right) - total.take(top + right) - total.take(bottom + left) + total.take(top + left)
    return np.flatnonzero(held > 0)


def _rows_near(shapes: Outlines, wanted: _Wanted) -> tuple[Indices, Indices]:
    """Pairs of triangle and row in which the triangle's bounding box contains a wanted pixel."""
    before, width, height = wanted.before, wanted.width, wanted.height
    top, bottom = (np.clip(y, 0, height).astype(np.intp) for y in (shapes.top, shapes.bottom + 1))
    left, right = (np.clip(x, 0, width).astype(np.intp) for x in (shapes.left, shapes.right + 1))
    triangle, step, count = cut(bottom - top)
    order, steps = longest_first(count)
    triangle = triangle.take(order)
    row = top.take(triangle) + step.take(order)
    first, wide = row * width + left.take(triangle), (right - left).take(triangle)
    triangles, rows = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for many in steps:
        holds = np.flatnonzero(before.take(first[:many] + wide[:many]) > before.take(first[:many]))
        triangles.append(triangle.take(holds))
        rows.append(row.take(holds))
        row[:many] += 1
        first[:many] += width
    return np.concatenate(triangles), np.concatenate(rows)


def _sample(front: Keys, shapes: Outlines, triangle: Indices, row: Indices, wanted: _Wanted) -> None:
    """Updates `front` with these rows of triangles, at all offsets."""
    top, middle, bottom = (y.take(triangle) for y in (shapes.top, shapes.middle, shapes.bottom))
    start, turn = shapes.start.take(triangle), shapes.turn.take(triangle)
    long, upper, lower = (slope.take(triangle) for slope in (shapes.long, shapes.upper, shapes.lower))
    level = row.astype(np.float32)
    for keys, (over, under) in zip(front, OFFSETS, strict=True):
        y = level + np.float32(under)
        below = y - top
        other = np.where(y < middle, start + below * upper, turn + (y - middle) * lower)
        left, right = row_ends(start + below * long, other, over, wanted.width)
        first = row * wanted.width + left.astype(np.intp)
        low, high = wanted.before.take(first), wanted.before.take(first + (right - left).astype(np.intp))
        held = np.flatnonzero((low < high) & (below >= 0) & (y < bottom))
        of, low, first = triangle.take(held), low.take(held), first.take(held)
        across = shapes.across.take(of)
        away = left.take(held) + np.float32(over) - start.take(held)
        key = to_key(shapes.depth.take(of) + away * across + below.take(held) * shapes.down.take(of))
        key += shapes.name.take(of)
        span, step = counted(high.take(held) - low)
        index = low.take(span) + step
        along = wanted.pixels.take(index) - first.take(span)
        np.maximum.at(keys, index, key.take(span) + along * to_key(across).take(span))
