"""Triangles to pixels: which triangle is in front at each pixel, exactly and without gaps.

Many triangles are taken at once, step by step: all that have a first row of pixels, then all that have a second one,
and so on, and likewise along the pixels of each row. Nothing here knows about colour, light or figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int32]
Indices = NDArray[np.intp]
Keys = NDArray[np.int64]

_PORTION = 12_000  # triangles taken at once: few enough for the processor's cache
_LONGEST = 16  # steps taken in one go; longer runs are cut into pieces

# A key holds a triangle's name in its lower bits and the inverse depth above them, in fixed point: the greatest key is
# the nearest triangle, and along a row of pixels keys grow by a constant.
_NAME_BITS = 20
_UNIT = 2.0**36


@dataclass(frozen=True)
class Projected:
    """Triangles on the image plane.

    `x`, `y`: (vertices,) pixels; `inverse_depth`: (vertices,) 1 / metres, which is what is linear on the image plane,
    0 to 64; `corners`: (3, triangles) indices of vertices.
    """

    x: Floats
    y: Floats
    inverse_depth: Floats
    corners: Indices


def projected(x: Floats, y: Floats, inverse_depth: Floats, triangles: Integers) -> Projected:
    """Triangles (t, 3)."""
    return Projected(x, y, inverse_depth, np.ascontiguousarray(triangles.T).astype(np.intp))


def front_facing(mesh: Projected, two_sided: NDArray[np.bool_]) -> Indices:
    """Indices of the triangles that turn their front (counter-clockwise seen from outside) to the camera."""
    (x0, x1, x2), (y0, y1, y2) = mesh.x.take(mesh.corners), mesh.y.take(mesh.corners)
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    return np.flatnonzero((area < 0) | (two_sided & (area != 0)))


class Outlines(NamedTuple):
    """Triangles ready to be cut into rows of pixels, each array (triangles,).

    `top`, `middle`, `bottom`: y of the corners; `left`, `right`: the least and the greatest x; `long`, `upper`,
    `lower`: x at which the edges from top to bottom, from top to middle and from middle to bottom would cross y = 0,
    and how it grows with y; `depth`, `across`, `down`: inverse depth at 0, 0, and how it grows with x and y; `name`:
    what the triangle is called in what is found.
    """

    top: Doubles
    middle: Doubles
    bottom: Doubles
    left: Doubles
    right: Doubles
    long: Doubles
    long_slope: Doubles
    upper: Doubles
    upper_slope: Doubles
    lower: Doubles
    lower_slope: Doubles
    depth: Doubles
    across: Doubles
    down: Doubles
    name: Indices

    def take(self, chosen: Indices) -> Outlines:
        """These triangles only, under their names."""
        return Outlines(*(values.take(chosen) for values in self))

    def portions(self) -> Iterator[Outlines]:
        """All triangles, some at a time."""
        for start in range(0, len(self.name), _PORTION):
            yield Outlines(*(values[start : start + _PORTION] for values in self))


def outlines(mesh: Projected, chosen: Indices) -> Outlines:
    """The outlines of these triangles, called by their place in the mesh."""
    x, y, w = _from_the_top(mesh, mesh.corners.take(chosen, axis=1))
    left, right = np.minimum(np.minimum(x[0], x[1]), x[2]), np.maximum(np.maximum(x[0], x[1]), x[2])
    # An edge is always taken from its upper end, so that neighbours share every bit of it.
    long, upper, lower = (_edge(x, y, a, b) for a, b in ((0, 2), (0, 1), (1, 2)))
    return Outlines(*y, left, right, *long, *upper, *lower, *_plane(x, y, w), chosen)


def _from_the_top(mesh: Projected, corners: Indices) -> tuple[list[Doubles], list[Doubles], list[Doubles]]:
    """x, y and inverse depth of each triangle's corners, the upper one first."""
    index = list(corners)
    y = [mesh.y.take(corner) for corner in index]
    for a, b in ((0, 1), (1, 2), (0, 1)):
        swap = y[b] < y[a]
        index[a], index[b] = np.where(swap, index[b], index[a]), np.where(swap, index[a], index[b])
        y[a], y[b] = np.minimum(y[a], y[b]), np.maximum(y[a], y[b])
    x, w = ([values.take(corner).astype(np.float64) for corner in index] for values in (mesh.x, mesh.inverse_depth))
    return x, [level.astype(np.float64) for level in y], w


def _edge(x: list[Doubles], y: list[Doubles], a: int, b: int) -> tuple[Doubles, Doubles]:
    """Level edges, which meet no row, get any slope."""
    rise = y[b] - y[a]
    slope = (x[b] - x[a]) / np.where(rise > 0, rise, 1)
    return x[a] - y[a] * slope, slope


def _plane(x: list[Doubles], y: list[Doubles], w: list[Doubles]) -> tuple[Doubles, Doubles, Doubles]:
    """Inverse depth at 0, 0 and how it grows with x and y; flat for slivers, whose gradient is only noise."""
    x1, x2, y1, y2, w1, w2 = x[1] - x[0], x[2] - x[0], y[1] - y[0], y[2] - y[0], w[1] - w[0], w[2] - w[0]
    area = x1 * y2 - x2 * y1
    scale = np.reciprocal(np.where(np.abs(area) < 1e-3, np.inf, area))
    across = (w1 * y2 - w2 * y1) * scale
    down = (w2 * x1 - w1 * x2) * scale
    return w[0] - x[0] * across - y[0] * down, across, down


class Spans(NamedTuple):
    """Rows of pixels within triangles. `pixel`: the first one, row * width + column; `count`: how many; `key`: see
    `unpack`, at the first; `growth`: of the key from one pixel to the next.
    """

    pixel: Indices
    count: Indices
    key: Keys
    growth: Keys


def spans(shapes: Outlines, width: int, height: int) -> Spans:
    """The pixels whose middle lies in a triangle; a span may be empty."""
    rows = [np.clip(np.ceil(y - 0.5), 0, height).astype(np.intp) for y in (shapes.top, shapes.middle, shapes.bottom)]
    # The long edge bounds both halves of a triangle, above and below its middle corner; the others one half each.
    pieces = cut(np.concatenate([rows[1] - rows[0], rows[2] - rows[1]]))
    short = np.concatenate([shapes.upper, shapes.lower]).take(pieces.of)
    short_slope = np.concatenate([shapes.upper_slope, shapes.lower_slope]).take(pieces.of)
    row = np.concatenate(rows[:2]).take(pieces.of) + pieces.start
    triangle = pieces.of % len(shapes.name)
    long, long_slope = shapes.long.take(triangle), shapes.long_slope.take(triangle)
    depth, across, down = shapes.depth.take(triangle), shapes.across.take(triangle), shapes.down.take(triangle)
    name, growth = shapes.name.take(triangle), to_key(across)
    total = int(pieces.length.sum())
    found = Spans(*(np.empty(total, np.int64) for _ in Spans._fields))
    done = 0
    for many in pieces.steps():
        place = slice(done, done + many)
        y = row[:many] + 0.5
        one, other = long[:many] + y * long_slope[:many], short[:many] + y * short_slope[:many]
        start, end = (np.clip(np.ceil(x - 0.5), 0, width) for x in (np.minimum(one, other), np.maximum(one, other)))
        found.pixel[place] = row[:many] * width + start.astype(np.intp)
        found.count[place] = end - start
        found.key[place] = to_key(depth[:many] + (start + 0.5) * across[:many] + y * down[:many]) + name[:many]
        found.growth[place] = growth[:many]
        row[:many] += 1
        done += many
    return found


def nearest(shapes: Outlines, width: int, height: int) -> Keys:
    """(height * width,) for each pixel's middle the key of the triangle in front, see `unpack`; 0 where none is."""
    front = np.zeros(height * width, np.int64)
    for portion in shapes.portions():
        found = spans(portion, width, height)
        pieces = cut(found.count)
        growth = found.growth.take(pieces.of)
        pixel = found.pixel.take(pieces.of) + pieces.start
        key = found.key.take(pieces.of) + pieces.start * growth
        for many in pieces.steps():
            np.maximum.at(front, pixel[:many], key[:many])
            pixel[:many] += 1
            key[:many] += growth[:many]
    return front


def unpack(front: Keys) -> tuple[Indices, Floats]:
    """Triangle and inverse depth out of keys."""
    return front & ((1 << _NAME_BITS) - 1), (front >> _NAME_BITS).astype(np.float32) * np.float32(1 / _UNIT)


def to_key(depth: Doubles) -> Keys:
    """Inverse depth, or its growth, as a key without a name."""
    return (depth * _UNIT).astype(np.int64) << _NAME_BITS


class Pieces(NamedTuple):
    """Runs of steps, cut into pieces, the longest first. `of`: which run; `start`: its step there; `length`."""

    of: Indices
    start: Indices
    length: Indices

    def steps(self) -> Iterator[int]:
        """For each step, how many pieces have it: the first ones."""
        yield from (len(self.length) - np.cumsum(np.bincount(self.length)))[:-1].tolist()


def cut(count: Indices) -> Pieces:
    """Runs of `count` many steps."""
    first, long = np.flatnonzero(count > 0), np.flatnonzero(count > _LONGEST)
    again, piece = counted((count.take(long) - 1) // _LONGEST)
    of = np.concatenate([first, long.take(again)])
    start = np.zeros(len(of), np.intp)
    start[len(first) :] = (piece + 1) * _LONGEST
    length = np.minimum(count.take(of) - start, _LONGEST)
    order = np.argsort((_LONGEST - length).astype(np.uint8), kind="stable")
    return Pieces(of.take(order), start.take(order), length.take(order))


def counted(count: NDArray[np.integer[Any]]) -> tuple[Indices, Indices]:
    """For each of `count` many: which one it belongs to, and the how-manieth of it it is."""
    span = np.repeat(np.arange(len(count)), count)
    return span, np.arange(len(span)) - (np.cumsum(count) - count).take(span)
