"""Surfaces as triangles: lofts through rings, with their normals, and how pieces become one mesh.

A piece knows where each of its vertices lies at rest, so that whatever is painted on it moves along with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
_MANY = 12  # rings: with more, every second one does for shadows

Number = TypeVar("Number", bound=np.number[Any])


@dataclass(frozen=True)
class Piece:
    """A surface. `vertices`, `normals`, `rest`: (V, 3); `triangles`: (T, 3); `surface`: (T,) number of its look;
    `coarse`: (S, 3) fewer triangles through some of the vertices, exact enough for shadows.

    `part`: number in the part mask; `group`: pieces of one group melt into each other where they meet, 0 is none;
    `two_sided`: whether its inside may be seen, as of a skirt.
    """

    vertices: Floats
    normals: Floats
    rest: Floats
    triangles: Integers
    surface: NDArray[np.uint8]
    coarse: Integers
    part: int
    group: int = 0
    two_sided: bool = False


@dataclass(frozen=True)
class Faces:
    """Triangles of a mesh. `corners`: (3, T) indices of vertices; `piece`: (T,) which one they belong to."""

    corners: NDArray[np.intp]
    piece: NDArray[np.uint8]


@dataclass(frozen=True)
class Mesh:
    """All pieces of a picture in one: what each vertex has, all triangles and the coarse ones, the surface of each of
    the former, and one value for each piece; see `Piece`.
    """

    vertices: Floats
    normals: Floats
    rest: Floats
    faces: Faces
    coarse: Faces
    surface: NDArray[np.uint8]
    part: NDArray[np.uint8]
    group: NDArray[np.uint8]
    two_sided: NDArray[np.bool_]


def assemble(pieces: Sequence[Piece]) -> Mesh:
    """One mesh of all pieces, in their order."""
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    return Mesh(
        vertices=np.concatenate([piece.vertices for piece in pieces]),
        normals=np.concatenate([piece.normals for piece in pieces]),
        rest=np.concatenate([piece.rest for piece in pieces]),
        faces=_joined([piece.triangles for piece in pieces], starts),
        coarse=_joined([piece.coarse for piece in pieces], starts),
        surface=np.concatenate([piece.surface for piece in pieces]),
        part=np.array([piece.part for piece in pieces], dtype=np.uint8),
        group=np.array([piece.group for piece in pieces], dtype=np.uint8),
        two_sided=np.array([piece.two_sided for piece in pieces], dtype=np.bool_),
    )


def _joined(triangles: Sequence[Integers], starts: NDArray[np.intp]) -> Faces:
    counts = [len(own) for own in triangles]
    corners = np.empty((3, sum(counts)), np.intp)
    done = 0
    for own, start in zip(triangles, starts, strict=False):
        np.add(own.T, start, out=corners[:, done : done + len(own)])
        done += len(own)
    return Faces(corners, np.repeat(np.arange(len(counts), dtype=np.uint8), counts))


def loft(
    rings: ArrayLike,
    surface: ArrayLike,
    part: int,
    rest: ArrayLike | None = None,
    group: int = 0,
    two_sided: bool = False,
) -> Piece:
    """The surface through rings of points that run counter-clockwise when seen against the direction of the loft.

    `rings`: (n, m, 3); `surface`: one number, or one for each of the n - 1 bands; `rest`: like `rings`. The ends are
    closed with a fan.
    """
    grid = np.asarray(rings, dtype=np.float32)
    count, sides = grid.shape[:2]
    at_rest = grid if rest is None else np.asarray(rest, dtype=np.float32)
    ends = grid[[0, -1]]
    hubs = ends.sum(axis=1, keepdims=True) / np.float32(sides)
    spokes = ends - hubs
    outwards = cross(spokes, np.concatenate([spokes[:, 1:], spokes[:, :1]], axis=1)).sum(axis=1)
    outwards[0] *= -1
    bands = np.broadcast_to(np.asarray(surface, dtype=np.uint8), (count - 1,))
    triangles, coarse = _triangles(count, sides)
    return Piece(
        vertices=np.concatenate([grid.reshape(-1, 3), hubs[:, 0]]),
        normals=np.concatenate([grid_normals(grid).reshape(-1, 3), unit(outwards)]),
        rest=np.concatenate([at_rest.reshape(-1, 3), at_rest[[0, -1]].sum(axis=1) / np.float32(sides)]),
        triangles=triangles,
        surface=np.concatenate([np.repeat(bands, 2 * sides), np.repeat(bands[[0, -1]], sides)]),
        coarse=coarse,
        part=part,
        group=group,
        two_sided=two_sided,
    )


@lru_cache(maxsize=256)
def _triangles(count: int, sides: int) -> tuple[Integers, Integers]:
    """Of a closed loft: all of its triangles, and those through every second ring and side if it has many.

    The last two rings always count: many garments end with a hem and an edge turned inwards.
    """
    index = np.arange(count * sides, dtype=np.int32).reshape(count, sides)
    if count <= _MANY:
        return _through(index, count * sides), _through(index, count * sides)
    coarse = np.concatenate([index[:-2:2], index[-2:]])[:, :: 2 - sides % 2]
    return _through(index, count * sides), _through(coarse, count * sides)


def _through(index: Integers, hub: int) -> Integers:
    """Triangles between rings of vertices (n, m), and fans to the hubs, of which the first one has this number."""
    after = np.roll(index, -1, axis=1)
    ones = np.stack([index[:-1], after[:-1], after[1:]], axis=-1)
    others = np.stack([index[:-1], after[1:], index[1:]], axis=-1)
    start = np.stack([after[0], index[0], np.full_like(index[0], hub)], axis=-1)
    end = np.stack([index[-1], after[-1], np.full_like(index[0], hub + 1)], axis=-1)
    return constant(np.concatenate([np.stack([ones, others], axis=1).reshape(-1, 3), start, end]))


def grid_normals(grid: Floats) -> Floats:
    """(n, m, 3) unit normals of a grid that closes along its second axis."""
    around, along = np.empty_like(grid), np.empty_like(grid)
    np.subtract(grid[:, 2:], grid[:, :-2], out=around[:, 1:-1])
    around[:, 0], around[:, -1] = grid[:, 1] - grid[:, -1], grid[:, 0] - grid[:, -2]
    np.subtract(grid[2:], grid[:-2], out=along[1:-1])
    along[0], along[-1] = grid[1] - grid[0], grid[-1] - grid[-2]
    return unit(cross(around, along))


def transformed(points: Floats, orientation: Floats, position: Floats) -> Floats:
    """Points (..., 3) in a frame whose axes are the columns of `orientation` (3, 3), seen from outside it."""
    motion = np.column_stack([orientation, position])
    return np.asarray(cv2.transform(points.reshape(1, -1, 3), motion), np.float32).reshape(points.shape)


def cross(a: Floats, b: Floats) -> Floats:
    """Cross product along the last axis; several times faster than NumPy's for many small vectors."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), dtype=np.float32)
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def unit(vectors: ArrayLike) -> Floats:
    """The vectors along the last axis at length 1; a zero vector stays one."""
    array = np.asarray(vectors, dtype=np.float32)
    x, y, z = array[..., 0], array[..., 1], array[..., 2]
    scale = np.reciprocal(np.maximum(np.sqrt(x * x + y * y + z * z), np.float32(1e-9)))
    directions = np.empty_like(array)
    for axis, values in enumerate((x, y, z)):
        np.multiply(values, scale, out=directions[..., axis])
    return directions


def hypotenuse(x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """Length of (x, y), several times faster than `np.hypot`; for lengths whose square is neither tiny nor huge."""
    length: Floats = np.sqrt(x * x + y * y)
    return length


def modulo(x: NDArray[Any], period: float) -> Floats:
    """What of x goes beyond whole periods, several times faster than `np.mod`."""
    rest: Floats = x - np.floor(x * np.float32(1 / period)) * np.float32(period)
    return rest


@lru_cache(maxsize=64)
def circle(sides: int) -> tuple[Floats, Floats]:
    """Cosine and sine of `sides` even steps, counter-clockwise."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return constant(np.cos(angle).astype(np.float32)), constant(np.sin(angle).astype(np.float32))


def constant(array: NDArray[Number]) -> NDArray[Number]:
    """The array, locked: it is kept and handed out more than once."""
    array.flags.writeable = False
    return array


def smooth_curve(knots: ArrayLike, values: ArrayLike, at: ArrayLike) -> Floats:
    """A curve through the values (k,) or (k, c) at the knots, without corners and, between equal values, level."""
    return Curve(knots, values)(at)


class Curve:
    """`smooth_curve` for tables that are read more than once."""

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
        """(n,) or (n, c) the curve at places (n,)."""
        t = np.asarray(at, dtype=np.float64)
        index = np.clip(np.searchsorted(self._knots, t, side="right") - 1, 0, len(self._step) - 1)
        u = np.clip((t - self._knots[index]) / self._step[index], 0, 1).astype(np.float32)[:, None]
        level, linear, square, cube = (term[index] for term in self._terms)
        curve: Floats = level + u * (linear + u * (square + u * cube))
        return curve[:, 0] if self._flat else curve


def smooth_step(low: float, high: float, at: ArrayLike) -> Floats:
    """0 below `low`, 1 above `high` and an S between them; the other way round when `low` is the greater."""
    u = np.clip((np.asarray(at, dtype=np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    step: Floats = u * u * (3 - 2 * u)
    return step


def bell(centre: float, width: float, at: ArrayLike) -> Floats:
    """1 at the centre, falling off as a Gaussian of this width."""
    curve: Floats = np.exp(-(((np.asarray(at, dtype=np.float32) - np.float32(centre)) / np.float32(width)) ** 2))
    return curve
