"""Surfaces as triangles: lofts through rings, with their normals, and how pieces become one mesh.

A piece knows where each of its vertices lies at rest, so that whatever is painted on it moves along with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Piece:
    """A surface. `vertices`, `normals`, `rest`: (V, 3); `triangles`: (T, 3); `surface`: (T,) number of its look.

    `part`: number in the part mask; `group`: pieces of one group melt into each other where they meet, 0 is none;
    `two_sided`: whether its inside may be seen, as of a skirt.
    """

    vertices: Floats
    normals: Floats
    rest: Floats
    triangles: Integers
    surface: NDArray[np.uint8]
    part: int
    group: int = 0
    two_sided: bool = False


@dataclass(frozen=True)
class Mesh:
    """All pieces of a picture in one. Arrays as in `Piece`; from `surface` on, one value for each triangle."""

    vertices: Floats
    normals: Floats
    rest: Floats
    triangles: Integers
    surface: NDArray[np.uint8]
    part: NDArray[np.uint8]
    group: NDArray[np.uint8]
    piece: NDArray[np.uint8]
    two_sided: NDArray[np.bool_]


def assemble(pieces: Sequence[Piece]) -> Mesh:
    """One mesh of all pieces, in their order."""
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    counts = [len(piece.triangles) for piece in pieces]

    def spread(values: Sequence[int | bool], kind: type) -> NDArray[np.uint8]:
        return np.repeat(np.array(values, dtype=kind), counts)

    return Mesh(
        vertices=np.concatenate([piece.vertices for piece in pieces]),
        normals=np.concatenate([piece.normals for piece in pieces]),
        rest=np.concatenate([piece.rest for piece in pieces]),
        triangles=np.concatenate(
            [piece.triangles + start for piece, start in zip(pieces, starts, strict=False)]
        ).astype(np.int32),
        surface=np.concatenate([piece.surface for piece in pieces]),
        part=spread([piece.part for piece in pieces], np.uint8),
        group=spread([piece.group for piece in pieces], np.uint8),
        piece=spread(range(len(pieces)), np.uint8),
        two_sided=spread([piece.two_sided for piece in pieces], np.bool_).astype(np.bool_),
    )


def loft(
    rings: ArrayLike,
    surface: ArrayLike,
    part: int,
    rest: ArrayLike | None = None,
    group: int = 0,
    two_sided: bool = False,
    open_ends: bool = False,
) -> Piece:
    """The surface through rings of points that run counter-clockwise when seen against the direction of the loft.

    `rings`: (n, m, 3); `surface`: one number, or one for each of the n - 1 bands; `rest`: like `rings`. The ends are
    closed with a fan unless `open_ends`.
    """
    grid = np.asarray(rings, dtype=np.float32)
    count, sides = grid.shape[:2]
    at_rest = grid if rest is None else np.asarray(rest, dtype=np.float32)
    vertices, rests = grid.reshape(-1, 3), at_rest.reshape(-1, 3)
    normals = grid_normals(grid).reshape(-1, 3)
    bands = np.broadcast_to(np.asarray(surface, dtype=np.uint8), (count - 1,))
    triangles = _grid_triangles(count, sides)
    surfaces = np.repeat(bands, 2 * sides)
    if not open_ends:
        middles = grid[[0, 1, -2, -1]].sum(axis=1) / np.float32(sides)
        hubs, axes = middles[[0, 3]], middles[[0, 3]] - middles[[1, 2]]
        vertices = np.concatenate([vertices, hubs])
        rests = np.concatenate([rests, at_rest[[0, -1]].sum(axis=1) / np.float32(sides)])
        normals = np.concatenate([normals, unit(axes)])
        triangles = np.concatenate([triangles, _fans(count, sides)])
        surfaces = np.concatenate([surfaces, np.repeat(bands[[0, -1]], sides)])
    return Piece(vertices, normals, rests, triangles, surfaces, part, group, two_sided)


def _grid_triangles(count: int, sides: int) -> Integers:
    first = np.arange(sides, dtype=np.int32)
    after = np.roll(first, -1)
    band = np.empty((2, sides, 3), np.int32)
    band[0, :, 0], band[0, :, 1], band[0, :, 2] = first, after, after + sides
    band[1, :, 0], band[1, :, 1], band[1, :, 2] = first, after + sides, first + sides
    starts = np.arange(0, (count - 1) * sides, sides, dtype=np.int32)
    return (band.reshape(-1, 3) + starts[:, None, None]).reshape(-1, 3)


def _fans(count: int, sides: int) -> Integers:
    edge = np.arange(sides, dtype=np.int32)
    after = np.roll(edge, -1)
    start = np.stack([after, edge, np.full_like(edge, count * sides)], axis=-1)
    last = (count - 1) * sides
    end = np.stack([edge + last, after + last, np.full_like(edge, count * sides + 1)], axis=-1)
    return np.concatenate([start, end])


def grid_normals(grid: Floats) -> Floats:
    """(n, m, 3) unit normals of a grid that closes along its second axis."""
    around = np.roll(grid, -1, axis=1) - np.roll(grid, 1, axis=1)
    along = np.empty_like(grid)
    along[1:-1] = grid[2:] - grid[:-2]
    along[0], along[-1] = grid[1] - grid[0], grid[-1] - grid[-2]
    return unit(cross(around, along))


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
    length = np.sqrt(array[..., 0] ** 2 + array[..., 1] ** 2 + array[..., 2] ** 2)
    directions: Floats = array / np.maximum(length, np.float32(1e-9))[..., None]
    return directions


def hypotenuse(x: Floats, y: Floats) -> Floats:
    """Length of (x, y), several times faster than `np.hypot`; for lengths whose square is neither tiny nor huge."""
    length: Floats = np.sqrt(x * x + y * y)
    return length


def modulo(x: Floats, period: float) -> Floats:
    """What of x goes beyond whole periods, several times faster than `np.mod`."""
    rest: Floats = x - np.floor(x * np.float32(1 / period)) * np.float32(period)
    return rest


def circle(sides: int) -> tuple[Floats, Floats]:
    """Cosine and sine of `sides` even steps, counter-clockwise."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def smooth_curve(knots: ArrayLike, values: ArrayLike, at: ArrayLike) -> Floats:
    """A curve through the values (k,) or (k, c) at the knots, without corners and, between equal values, level."""
    x, y, t = (np.asarray(array, dtype=np.float64) for array in (knots, values, at))
    y = y[:, None] if y.ndim == 1 else y
    step = np.diff(x)[:, None]
    rise = np.diff(y, axis=0)
    slope = rise / step
    tangent = np.empty_like(y)
    tangent[0], tangent[-1] = slope[0], slope[-1]
    before, after = slope[:-1], slope[1:]
    together = before * after
    with np.errstate(divide="ignore", invalid="ignore"):
        tangent[1:-1] = np.where(together > 0, 2 * together / (before + after), 0.0)
    start, end = tangent[:-1] * step, tangent[1:] * step
    terms = [term.astype(np.float32) for term in (y[:-1], start, 3 * rise - 2 * start - end, start + end - 2 * rise)]
    index = np.clip(np.searchsorted(x, t, side="right") - 1, 0, len(x) - 2)
    u = np.clip((t - x[index]) / step[index, 0], 0, 1).astype(np.float32)[:, None]
    constant, linear, square, cube = (term[index] for term in terms)
    curve: Floats = constant + u * (linear + u * (square + u * cube))
    return curve[:, 0] if np.ndim(values) == 1 else curve


def smooth_step(low: float, high: float, at: ArrayLike) -> Floats:
    """0 below `low`, 1 above `high` and an S between them; the other way round when `low` is the greater."""
    u = np.clip((np.asarray(at, dtype=np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    step: Floats = u * u * (3 - 2 * u)
    return step


def bell(centre: float, width: float, at: ArrayLike) -> Floats:
    """1 at the centre, falling off as a Gaussian of this width."""
    curve: Floats = np.exp(-(((np.asarray(at, dtype=np.float32) - np.float32(centre)) / np.float32(width)) ** 2))
    return curve
