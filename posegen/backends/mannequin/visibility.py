"""What the camera sees: for each pixel the point of the mesh in front, and for each edge pixel four of them.

Only edges are sampled four times, and only with triangles near an edge: smooth outlines for a fraction of the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.backends.mannequin.geometry import Floats, Integers, Mesh
from posegen.backends.mannequin.raster import SAMPLE_OFFSETS, Projected, Spans, front_facing, nearest, unpack
from posegen.poses.camera import Camera

_BLOCK = 2  # pixels
_JUMP = np.float32(0.02)  # metres between neighbours from which on one surface hides another


@dataclass(frozen=True)
class Crop:
    """The part of a picture that holds the figure, with a rim of a pixel: its corner and size, and for each pixel of
    the figure, in order, its place in the part."""

    top: int
    left: int
    rows: int
    columns: int
    cell: NDArray[np.int64]

    def image(self, values: NDArray[Any], outside: float, kind: type = np.float32) -> NDArray[Any]:
        """(rows, columns) with the values where the figure is."""
        picture: NDArray[Any] = np.full(self.rows * self.columns, outside, kind)
        picture[self.cell] = values
        return picture.reshape(self.rows, self.columns)


def crop(pixel: NDArray[np.int64], width: int, height: int) -> Crop:
    """The crop around these pixels (row * width + column, rising)."""
    row, column = np.divmod(pixel, width)
    top, left = max(int(row[0]) - 1, 0), max(int(column.min()) - 1, 0)
    rows, columns = min(int(row[-1]) + 2, height) - top, min(int(column.max()) + 2, width) - left
    return Crop(top, left, rows, columns, (row - top) * columns + (column - left))


@dataclass(frozen=True)
class Seen:
    """Points to shade. All arrays have one value for each point.

    `pixel`: row * width + column; `x`, `y`: where in the picture, pixels; `triangle`: which one; `inverse_depth`:
    1 / metres; `share`: of the pixel's colour, 0 to 1. The first `centres` points are the pixels' middles, in order of
    their pixels; `gap`: (height * width,) what the background shares in each pixel; `crop`: where the middles are.
    """

    pixel: NDArray[np.int64]
    x: Floats
    y: Floats
    triangle: Integers
    inverse_depth: Floats
    share: Floats
    centres: int
    gap: Floats
    crop: Crop


def project(mesh: Mesh, camera: Camera, width: int, height: int) -> Projected:
    """The mesh on the picture of this size."""
    local = mesh.vertices - camera.position.astype(np.float32)
    axes = camera.orientation.astype(np.float32)
    right, up, back = (local[:, 0] * axes[0, k] + local[:, 1] * axes[1, k] + local[:, 2] * axes[2, k] for k in range(3))
    inverse = np.float32(-1) / np.minimum(back, np.float32(-0.05))
    focal = np.float32(camera.focal * height)
    x = np.float32(width / 2) + focal * right * inverse
    y = np.float32(height / 2) - focal * up * inverse
    return Projected(x, y, inverse, mesh.triangles)


def look(mesh: Mesh, projected: Projected, width: int, height: int) -> Seen:
    """The points of the mesh that are seen in a picture of this size."""
    facing = front_facing(projected, mesh.two_sided)
    visible = projected.subset(facing)
    front = nearest(Spans(visible, width, height).sample(), width * height)
    pixel = np.flatnonzero(front > 0)
    local, inverse = unpack(front[pixel])
    triangle = facing[local].astype(np.int32)

    around = crop(pixel, width, height)
    edge = _edges(mesh, around, triangle, inverse, width)
    gap = np.ones(width * height, np.float32)
    gap[pixel] = 0
    share = np.ones(len(pixel), np.float32)
    if not len(edge):
        return Seen(pixel, *_middles(pixel, width), triangle, inverse, share, len(pixel), gap, around)
    samples = _sample(visible, edge, width, height)
    return _resolve(mesh, facing, samples, edge, (pixel, triangle, inverse), share, gap, width, around)


def _middles(pixel: NDArray[np.int64], width: int) -> tuple[Floats, Floats]:
    row, column = np.divmod(pixel, width)
    return column.astype(np.float32) + np.float32(0.5), row.astype(np.float32) + np.float32(0.5)


def _edges(mesh: Mesh, around: Crop, triangle: Integers, inverse: Floats, width: int) -> NDArray[np.int64]:
    """Pixels beside a change of piece or look, or beside a jump in depth."""
    identity = mesh.piece[triangle].astype(np.int32) * 256 + mesh.surface[triangle] + 1
    name, far = around.image(identity, 0, np.int32), around.image(1 / inverse, 0)
    edge = np.zeros(name.shape, np.bool_)
    across = (name[:, 1:] != name[:, :-1]) | (np.abs(far[:, 1:] - far[:, :-1]) > _JUMP)
    down = (name[1:] != name[:-1]) | (np.abs(far[1:] - far[:-1]) > _JUMP)
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    found_row, found_column = np.nonzero(edge)
    return (found_row + around.top) * width + (found_column + around.left)


def _sample(visible: Projected, edge: NDArray[np.int64], width: int, height: int) -> NDArray[np.int64]:
    """(4, edges) what `nearest` says for each sample of each edge pixel."""
    names = _near(visible, edge, width, height)
    spans = Spans(visible.subset(names), width, height)
    slot = np.full(width * height, -1, np.int32)
    slot[edge] = np.arange(len(edge), dtype=np.int32)
    found = np.empty((len(SAMPLE_OFFSETS), len(edge)), np.int64)
    for row, offset in enumerate(SAMPLE_OFFSETS):
        every = spans.sample(offset)
        place = slot[every.pixel]
        hit = np.flatnonzero(place >= 0)
        keys = (every.inverse_depth[hit].view(np.int32).astype(np.int64) << 32) | names[every.triangle[hit]]
        front = np.zeros(len(edge), np.int64)
        np.maximum.at(front, place[hit], keys)
        found[row] = front
    return found


def _near(visible: Projected, edge: NDArray[np.int64], width: int, height: int) -> NDArray[np.intp]:
    """Indices of the triangles whose bounding box touches a block of pixels with an edge."""
    rows, columns = height // _BLOCK + 1, width // _BLOCK + 1
    total = np.zeros((rows + 1, columns + 1), np.int32)
    total[edge // width // _BLOCK + 1, edge % width // _BLOCK + 1] = 1
    total = total.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)

    def blocks(place: Floats, size: int, after: int) -> NDArray[np.int32]:
        block = np.clip(place * np.float32(1 / _BLOCK), 0, (size - 1) // _BLOCK)
        return np.asarray(block.astype(np.int32) + after)

    x, y = ([place[corner] for corner in visible.triangles.T] for place in (visible.x, visible.y))
    left, right = blocks(_least(x), width, 0), blocks(_most(x), width, 1)
    top, bottom = blocks(_least(y), height, 0), blocks(_most(y), height, 1)
    inside = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    return np.flatnonzero(inside > 0)


def _least(corners: list[Floats]) -> Floats:
    return np.minimum(np.minimum(corners[0], corners[1]), corners[2])


def _most(corners: list[Floats]) -> Floats:
    return np.maximum(np.maximum(corners[0], corners[1]), corners[2])


def _resolve(
    mesh: Mesh,
    facing: NDArray[np.intp],
    samples: NDArray[np.int64],
    edge: NDArray[np.int64],
    middles: tuple[NDArray[np.int64], Integers, Floats],
    share: Floats,
    gap: Floats,
    width: int,
    around: Crop,
) -> Seen:
    """Samples that show what the middle of their pixel shows take its colour; only the others are shaded apart."""
    pixel, triangle, inverse = middles
    local, depth = unpack(samples)
    hit = samples > 0
    shown = np.where(hit, facing[local], 0).astype(np.int32)
    index = np.searchsorted(pixel, edge)
    index = np.minimum(index, len(pixel) - 1)
    has_middle = pixel[index] == edge
    middle_triangle = triangle[index]
    same = (
        hit
        & has_middle
        & (mesh.piece[shown] == mesh.piece[middle_triangle])
        & (mesh.surface[shown] == mesh.surface[middle_triangle])
        & (np.abs(1 / np.where(hit, depth, 1) - 1 / inverse[index]) < _JUMP)
    )
    quarter = np.float32(1 / len(samples))
    share[index[has_middle]] = same.sum(axis=0, dtype=np.float32)[has_middle] * quarter
    gap[edge] = (~hit).sum(axis=0, dtype=np.float32) * quarter
    sample, place = np.nonzero(hit & ~same)
    offsets = np.array(SAMPLE_OFFSETS, dtype=np.float32)[sample]
    extra = edge[place]
    x, y = _middles(pixel, width)
    row, column = np.divmod(extra, width)
    return Seen(
        pixel=np.concatenate([pixel, extra]),
        x=np.concatenate([x, column.astype(np.float32) + offsets[:, 0]]),
        y=np.concatenate([y, row.astype(np.float32) + offsets[:, 1]]),
        triangle=np.concatenate([triangle, shown[sample, place]]),
        inverse_depth=np.concatenate([inverse, depth[sample, place]]),
        share=np.concatenate([share, np.full(len(extra), quarter)]),
        centres=len(pixel),
        gap=gap,
        crop=around,
    )


def interpolate(mesh: Mesh, projected: Projected, seen: Seen, attributes: Floats) -> list[Floats]:
    """The attributes (V, k) at each point, as k arrays."""
    corners = mesh.triangles[seen.triangle]
    first, second, third = (np.ascontiguousarray(corners[:, k]) for k in range(3))
    x0, y0 = projected.x[first], projected.y[first]
    x1, y1 = projected.x[second] - x0, projected.y[second] - y0
    x2, y2 = projected.x[third] - x0, projected.y[third] - y0
    dx, dy = seen.x - x0, seen.y - y0
    area = x1 * y2 - x2 * y1
    scale = np.float32(1) / np.where(np.abs(area) < 1e-6, np.float32(1e-6), area)
    b = np.clip((dx * y2 - x2 * dy) * scale, 0, 1)
    c = np.clip((x1 * dy - dx * y1) * scale, 0, 1)
    a = np.maximum(1 - b - c, 0)
    table = np.ascontiguousarray(attributes.T)
    return [row.take(first) * a + row.take(second) * b + row.take(third) * c for row in table]
