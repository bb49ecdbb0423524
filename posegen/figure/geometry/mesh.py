"""Surfaces as triangles: lofts through rings with their normals, and one mesh of many pieces.

A piece keeps the position of each vertex at rest, so that paint moves with the surface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posegen.figure.geometry.vectors import Floats, constant, cross, unit

Integers = NDArray[np.int32]
_MANY = 12  # rings; of more than these, shadows use every second one


@dataclass(frozen=True)
class Piece:
    """A surface. `vertices`, `normals`, `rest`: (V, 3); `triangles`: (T, 3); `surface`: (T,) number of the look;
    `coarse`: (S, 3) fewer triangles through some of the vertices, exact enough for shadows.

    `part`: number in the part mask; `group`: creases between pieces of one group are smoothed, 0 is none; `two_sided`:
    whether its inside can be visible, like that of a skirt.
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
    """Triangles of a mesh. `corners`: (3, T) indices of vertices; `piece`: (T,) index of the piece of each triangle."""

    corners: NDArray[np.intp]
    piece: NDArray[np.uint8]


@dataclass(frozen=True)
class Mesh:
    """All pieces of a picture as one mesh; see `Piece`.

    `vertices`, `normals`, `rest`: (V, 3); `faces`, `coarse`: all triangles, and the fewer ones for shadows; `surface`:
    one for each of `faces`; `part`, `group`, `two_sided`: one for each piece.
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
    """Joins pieces into one mesh, in their order."""
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
    """The surface through rings of points, with both ends closed by fans.

    Args:
        rings: (n, m, 3) metres; counter-clockwise seen against the direction from the first ring to the last.
        surface: number of the look, one or (n - 1,) for the bands between rings.
        part: number in the part mask.
        rest: (n, m, 3) the rings at rest; without it, `rings`.
        group: see `Piece`.
        two_sided: see `Piece`.
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
    """All triangles of a closed loft, and the coarse ones, through every second ring and side if it has many rings.

    The last two rings are always included: many garments end with a hem and an edge turned inwards.
    """
    index = np.arange(count * sides, dtype=np.int32).reshape(count, sides)
    if count <= _MANY:
        return _through(index, count * sides), _through(index, count * sides)
    coarse = np.concatenate([index[:-2:2], index[-2:]])[:, :: 2 - sides % 2]
    return _through(index, count * sides), _through(coarse, count * sides)


def _through(index: Integers, hub: int) -> Integers:
    """Triangles between rings of vertices (n, m), and fans at both ends to the vertices `hub` and `hub + 1`."""
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
