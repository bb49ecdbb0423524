"""Rasterises triangles: the nearest triangle at each pixel, exactly and without gaps.

NumPy processes many triangles at once: first the first pixel row of all of them, then the second row of all that have
one, and so on; likewise the pixels of each row. Colour, light and figures are elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.figure.geometry.vectors import Floats

Integers = NDArray[np.int32]
Indices = NDArray[np.intp]
Keys = NDArray[np.int64]

_PORTION = 12_000  # triangles processed at once: they fit into the processor's cache
LONGEST = 16  # steps in one pass; longer runs are cut into pieces

# A key holds the index of a triangle in its lower bits and the inverse depth, in fixed point, in its upper bits. The
# greatest key is the nearest triangle, and along a row of pixels keys grow by a constant.
_NAME_BITS = 20
_UNIT = 2.0**36


@dataclass(frozen=True)
class Projected:
    """Triangles on the image plane.

    `x`, `y`: (vertices,) pixels; `inverse_depth`: (vertices,) 1 / metres, 0 to 64, which is linear on the
    image plane; `corners`: (3, triangles) indices of vertices, 2**20 triangles at most.
    """

    x: Floats
    y: Floats
    inverse_depth: Floats
    corners: Indices


def front_facing(mesh: Projected, two_sided: NDArray[np.bool_]) -> Indices:
    """Indices of the triangles that face the camera: two-sided ones, and those with counter-clockwise corners."""
    (x0, x1, x2), (y0, y1, y2) = mesh.x.take(mesh.corners), mesh.y.take(mesh.corners)
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    return np.flatnonzero((area < 0) | (two_sided & (area != 0)))


@dataclass(frozen=True)
class Outlines:
    """Triangles prepared for cutting into rows of pixels; each array is (triangles,).

    `top`, `middle`, `bottom`: y of the corners; `start`, `turn`: x of the upper two; `left`, `right`: the least and the
    greatest x; `long`, `upper`, `lower`: how x grows with y along the edges from top to bottom, from top to middle and
    from middle to bottom; `depth`: inverse depth at the top, `across`, `down`: how it grows with x and y; `name`:
    index of the triangle in its mesh.
    """

    top: Floats
    middle: Floats
    bottom: Floats
    start: Floats
    turn: Floats
    left: Floats
    right: Floats
    long: Floats
    upper: Floats
    lower: Floats
    depth: Floats
    across: Floats
    down: Floats
    name: Indices

    def take(self, chosen: Indices) -> Outlines:
        """A selection of the triangles. `chosen`: positions in these arrays."""
        return Outlines(**{name: values.take(chosen) for name, values in vars(self).items()})

    def portions(self) -> Iterator[Outlines]:
        """All triangles in portions of `_PORTION`."""
        for start in range(0, len(self.name), _PORTION):
            portion = slice(start, start + _PORTION)
            yield Outlines(**{name: values[portion] for name, values in vars(self).items()})


def outlines(mesh: Projected, chosen: Indices) -> Outlines:
    """The outlines of some triangles. `chosen`: their indices in the mesh."""
    x, y, w = _from_the_top(mesh, mesh.corners.take(chosen, axis=1))
    across, down = _gradient(x, y, w)
    # Edges are computed from their upper end, so that both triangles at an edge get the same bits.
    return Outlines(
        top=y[0],
        middle=y[1],
        bottom=y[2],
        start=x[0],
        turn=x[1],
        left=np.minimum(np.minimum(x[0], x[1]), x[2]),
        right=np.maximum(np.maximum(x[0], x[1]), x[2]),
        long=_slope(x, y, 0, 2),
        upper=_slope(x, y, 0, 1),
        lower=_slope(x, y, 1, 2),
        depth=w[0],
        across=across,
        down=down,
        name=chosen,
    )


def _from_the_top(mesh: Projected, corners: Indices) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """x, y and inverse depth of each triangle's corners, from the top down."""
    index = list(corners)
    y = [mesh.y.take(corner) for corner in index]
    for a, b in ((0, 1), (1, 2), (0, 1)):
        swap = y[b] < y[a]
        index[a], index[b] = np.where(swap, index[b], index[a]), np.where(swap, index[a], index[b])
        y[a], y[b] = np.minimum(y[a], y[b]), np.maximum(y[a], y[b])
    return [mesh.x.take(corner) for corner in index], y, [mesh.inverse_depth.take(corner) for corner in index]


def _slope(x: list[Floats], y: list[Floats], a: int, b: int) -> Floats:
    """Growth of x with y between corners a and b. The slope of level edges does not matter: they cross no row."""
    rise = y[b] - y[a]
    return np.asarray((x[b] - x[a]) / np.where(rise > 0, rise, np.float32(1)))


def _gradient(x: list[Floats], y: list[Floats], w: list[Floats]) -> tuple[Floats, Floats]:
    """Growth of inverse depth with x and y; 0 for slivers, whose gradients would be noise."""
    x1, x2, y1, y2, w1, w2 = x[1] - x[0], x[2] - x[0], y[1] - y[0], y[2] - y[0], w[1] - w[0], w[2] - w[0]
    area = x1 * y2 - x2 * y1
    scale = np.reciprocal(np.where(np.abs(area) < 1e-3, np.float32(np.inf), area))
    return (w1 * y2 - w2 * y1) * scale, (w2 * x1 - w1 * x2) * scale


@dataclass(frozen=True)
class Spans:
    """Runs of pixels within triangles. `pixel`: the first one, row * width + column; `count`: number of pixels; `key`:
    at the first pixel, see `unpack`; `growth`: of the key from pixel to pixel.
    """

    pixel: Indices
    count: Indices
    key: Keys
    growth: Keys


def spans(shapes: Outlines, width: int, height: int) -> Spans:
    """The runs of pixels whose centres are within triangles; a run may be empty."""
    levels = (shapes.top, shapes.middle, shapes.bottom)
    rows = [np.clip(np.ceil(y - np.float32(0.5)), 0, height).astype(np.intp) for y in levels]
    # The long edge bounds both halves of a triangle, above and below its middle corner; the other edges bound one each.
    half, step, count = cut(np.concatenate([rows[1] - rows[0], rows[2] - rows[1]]))
    order, steps = longest_first(count)
    half = half.take(order)
    row = np.concatenate(rows[:2]).take(half) + step.take(order)
    sides = ((shapes.start, shapes.turn), (shapes.top, shapes.middle), (shapes.upper, shapes.lower))
    short_x, short_y, short = (np.concatenate(values).take(half) for values in sides)
    own = shapes.take(half % len(shapes.name))
    growth = to_key(own.across)
    found = Spans(*np.empty((4, sum(steps)), np.int64))
    done = 0
    for many in steps:
        place = slice(done, done + many)
        y = row[:many].astype(np.float32) + np.float32(0.5)
        below = y - own.top[:many]
        one, other = own.start[:many] + below * own.long[:many], short_x[:many] + (y - short_y[:many]) * short[:many]
        start, end = row_ends(one, other, 0.5, width)
        away = start + np.float32(0.5) - own.start[:many]
        found.pixel[place] = row[:many] * width + start.astype(np.intp)
        found.count[place] = end - start
        found.key[place] = to_key(own.depth[:many] + away * own.across[:many] + below * own.down[:many])
        found.key[place] += own.name[:many]
        found.growth[place] = growth[:many]
        row[:many] += 1
        done += many
    return found


def row_ends(one: Floats, other: Floats, over: float, width: int) -> tuple[Floats, Floats]:
    """The first column between two edges, and the first one beyond them. `over`: position of samples within pixels."""
    first, beyond = np.minimum(one, other), np.maximum(one, other)
    for x in (first, beyond):
        x -= np.float32(over)
        np.clip(np.ceil(x, out=x), 0, width, out=x)
    return first, beyond


def nearest(shapes: Outlines, width: int, height: int) -> Keys:
    """(height * width,) the key of the nearest triangle at each pixel's centre, see `unpack`; 0 for none."""
    front = np.zeros(height * width, np.int64)
    for portion in shapes.portions():
        found = spans(portion, width, height)
        _enter(front, found)
        long = np.flatnonzero(found.count > LONGEST)
        of, step, count = cut(found.count.take(long) - LONGEST)
        of, step = long.take(of), step + LONGEST
        growth = found.growth.take(of)
        _enter(front, Spans(found.pixel.take(of) + step, count, found.key.take(of) + step * growth, growth))
    return front


def _enter(front: Keys, found: Spans) -> None:
    """Updates `front` with the first pixels of each run, at most `LONGEST`."""
    order, steps = longest_first(found.count)
    pixel, key, growth = found.pixel.take(order), found.key.take(order), found.growth.take(order)
    for many in steps:
        np.maximum.at(front, pixel[:many], key[:many])
        pixel[:many] += 1
        key[:many] += growth[:many]


def names(front: Keys) -> Indices:
    """The triangles in keys."""
    return front & ((1 << _NAME_BITS) - 1)


def unpack(front: Keys) -> tuple[Indices, Floats]:
    """Triangles and inverse depths in keys."""
    rest = front >> _NAME_BITS
    depth = rest.astype(np.float32)
    depth *= np.float32(1 / _UNIT)
    return np.bitwise_and(front, (1 << _NAME_BITS) - 1, out=rest), depth


def to_key(depth: Floats) -> Keys:
    """Inverse depth, or its growth, as a key without a triangle."""
    key = (depth * np.float32(_UNIT)).astype(np.int64)
    key <<= _NAME_BITS
    return key


def cut(count: Indices) -> tuple[Indices, Indices, Indices]:
    """Cuts runs of `count` steps into pieces of at most `LONGEST`: for each piece its run, first step and length."""
    of, piece = counted((count + (LONGEST - 1)) // LONGEST)
    start = piece * LONGEST
    return of, start, np.minimum(count.take(of) - start, LONGEST)


def longest_first(count: Indices) -> tuple[Indices, list[int]]:
    """Sorts runs by falling length, capped at `LONGEST`, without empty ones.

    Returns the order, and for each step the number of runs that have it; these runs are first in the order.
    """
    missing = (LONGEST - np.minimum(count, LONGEST)).astype(np.uint8)
    order = np.argsort(missing, kind="stable")
    steps = np.cumsum(np.bincount(missing, minlength=LONGEST))[LONGEST - 1 :: -1]
    return order[: steps[0]], [int(many) for many in steps if many]


def counted(count: NDArray[np.integer[Any]]) -> tuple[Indices, Indices]:
    """For each of `count.sum()` elements: the index of its run, and its offset within that run."""
    span = np.repeat(np.arange(len(count)), count)
    return span, np.arange(len(span)) - (np.cumsum(count) - count).take(span)
