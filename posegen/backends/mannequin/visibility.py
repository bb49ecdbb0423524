"""What the camera sees: for each pixel the point of the mesh in front, and for each edge pixel four of them.

Only edges are sampled four times, and only with triangles near an edge: smooth outlines for a fraction of the work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.backends.mannequin.geometry import Floats, Integers, Mesh
from posegen.backends.mannequin.raster import (
    SAMPLE_OFFSETS,
    Fragments,
    Projected,
    Spans,
    front_facing,
    nearest,
    unpack,
    wanted,
)
from posegen.poses.camera import Camera

_BLOCK = 2  # pixels
_JUMP = np.float32(0.02)  # metres between neighbours from which on one surface hides another


@dataclass(frozen=True)
class Window:
    """The part of a picture that holds the figure, with a rim of a pixel. All numbers are pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> int:
        """How many pixels it has."""
        return self.width * self.height


@dataclass(frozen=True)
class Seen:
    """Points to shade. All arrays have one value for each point, places are in the window.

    `pixel`: row * width + column; `x`, `y`: where in the window, pixels; `triangle`: which one; `inverse_depth`:
    1 / metres; `share`: of the pixel's colour, 0 to 1. The first `centres` points are the pixels' middles, in order of
    their pixels; `gap`: (size,) what the background shares in each pixel.
    """

    window: Window
    pixel: Integers
    x: Floats
    y: Floats
    triangle: Integers
    inverse_depth: Floats
    share: Floats
    centres: int
    gap: Floats

    def image(self, values: NDArray[Any], outside: float, kind: type = np.float32) -> NDArray[Any]:
        """(height, width) of the window: the values of the pixels' middles, `outside` where the figure is not."""
        return _image(self.window, self.pixel[: self.centres], values[: self.centres], outside, kind)


def _image(window: Window, pixel: Integers, values: NDArray[Any], outside: float, kind: type) -> NDArray[Any]:
    picture: NDArray[Any] = np.full(window.size, outside, kind)
    picture[pixel] = values
    return picture.reshape(window.height, window.width)


def project(mesh: Mesh, camera: Camera, width: int, height: int) -> tuple[Projected, Window]:
    """The mesh on a picture of this size: the window that holds it, and where it is in there."""
    local = mesh.vertices - camera.position.astype(np.float32)
    axes = camera.orientation.astype(np.float32)
    right, up, back = (local[:, 0] * axes[0, k] + local[:, 1] * axes[1, k] + local[:, 2] * axes[2, k] for k in range(3))
    inverse = np.float32(-1) / np.minimum(back, np.float32(-0.05))
    focal = np.float32(camera.focal * height)
    x = np.float32(width / 2) + focal * right * inverse
    y = np.float32(height / 2) - focal * up * inverse
    left, top = (int(np.clip(place.min() - 2, 0, side - 1)) for place, side in ((x, width), (y, height)))
    end, bottom = (int(np.clip(place.max() + 3, 1, side)) for place, side in ((x, width), (y, height)))
    window = Window(left, top, max(end - left, 1), max(bottom - top, 1))
    return Projected(x - np.float32(left), y - np.float32(top), inverse, mesh.triangles), window


def look(mesh: Mesh, projected: Projected, window: Window) -> Seen:
    """The points of the mesh that are seen in its window."""
    facing = front_facing(projected, mesh.two_sided)
    visible = projected.subset(facing)
    front = nearest(Spans(visible, window.width, window.height).sample(), window.size)
    pixel = np.flatnonzero(front > 0).astype(np.int32)
    local, inverse = unpack(front[pixel])
    triangle = facing[local].astype(np.int32)

    edge = _edges(mesh, window, pixel, triangle, inverse)
    gap = np.ones(window.size, np.float32)
    gap[pixel] = 0
    share = np.ones(len(pixel), np.float32)
    middles = Seen(window, pixel, *_middles(pixel, window), triangle, inverse, share, len(pixel), gap)
    if not len(edge):
        return middles
    return _resolve(mesh, facing, _sample(visible, edge, window), edge, middles)


def _middles(pixel: Integers, window: Window) -> tuple[Floats, Floats]:
    row, column = np.divmod(pixel, np.int32(window.width))
    return column.astype(np.float32) + np.float32(0.5), row.astype(np.float32) + np.float32(0.5)


def _edges(mesh: Mesh, window: Window, pixel: Integers, triangle: Integers, inverse: Floats) -> Integers:
    """Pixels beside a change of piece or look, or beside a jump in depth."""
    identity = mesh.piece[triangle].astype(np.int32) * 256 + mesh.surface[triangle] + 1
    name = _image(window, pixel, identity, 0, np.int32)
    far = _image(window, pixel, 1 / inverse, 0, np.float32)
    edge = np.zeros(name.shape, np.bool_)
    across = (name[:, 1:] != name[:, :-1]) | (np.abs(far[:, 1:] - far[:, :-1]) > _JUMP)
    down = (name[1:] != name[:-1]) | (np.abs(far[1:] - far[:-1]) > _JUMP)
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return np.flatnonzero(edge).astype(np.int32)


def _sample(visible: Projected, edge: Integers, window: Window) -> NDArray[np.int64]:
    """(4, edges) what `nearest` says for each sample of each edge pixel."""
    names = _near(visible, edge, window)
    spans = Spans(visible.subset(names), window.width, window.height)
    only = wanted(edge, window.size)
    found = np.empty((len(SAMPLE_OFFSETS), len(edge)), np.int64)
    for row, offset in enumerate(SAMPLE_OFFSETS):
        every = spans.sample(offset, only)
        renamed = Fragments(every.pixel, names[every.triangle].astype(np.int32), every.inverse_depth)
        found[row] = nearest(renamed, len(edge))
    return found


def _near(visible: Projected, edge: Integers, window: Window) -> NDArray[np.intp]:
    """Indices of the triangles whose bounding box touches a block of pixels with an edge."""
    rows, columns = window.height // _BLOCK + 1, window.width // _BLOCK + 1
    total = np.zeros((rows + 1, columns + 1), np.int32)
    total[edge // window.width // _BLOCK + 1, edge % window.width // _BLOCK + 1] = 1
    total = total.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)

    def blocks(place: Floats, size: int, after: int) -> NDArray[np.int32]:
        block = np.clip(place * np.float32(1 / _BLOCK), 0, (size - 1) // _BLOCK)
        return np.asarray(block.astype(np.int32) + after)

    x, y = ([place[corner] for corner in visible.triangles.T] for place in (visible.x, visible.y))
    left, right = blocks(_least(x), window.width, 0), blocks(_most(x), window.width, 1)
    top, bottom = blocks(_least(y), window.height, 0), blocks(_most(y), window.height, 1)
    inside = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    return np.flatnonzero(inside > 0)


def _least(corners: list[Floats]) -> Floats:
    return np.minimum(np.minimum(corners[0], corners[1]), corners[2])


def _most(corners: list[Floats]) -> Floats:
    return np.maximum(np.maximum(corners[0], corners[1]), corners[2])


def _resolve(mesh: Mesh, facing: NDArray[np.intp], samples: NDArray[np.int64], edge: Integers, middles: Seen) -> Seen:
    """Samples that show what the middle of their pixel shows take its colour; only the others are shaded apart."""
    local, depth = unpack(samples)
    hit = samples > 0
    shown = np.where(hit, facing[local], 0).astype(np.int32)
    index = np.minimum(np.searchsorted(middles.pixel, edge), len(middles.pixel) - 1)
    has_middle = middles.pixel[index] == edge
    at_middle = middles.triangle[index]
    same = hit & has_middle
    same &= (mesh.piece[shown] == mesh.piece[at_middle]) & (mesh.surface[shown] == mesh.surface[at_middle])
    same &= np.abs(1 / np.where(hit, depth, 1) - 1 / middles.inverse_depth[index]) < _JUMP
    quarter = np.float32(1 / len(samples))
    share, gap = middles.share.copy(), middles.gap.copy()
    share[index[has_middle]] = same.sum(axis=0, dtype=np.float32)[has_middle] * quarter
    gap[edge] = (~hit).sum(axis=0, dtype=np.float32) * quarter
    sample, place = np.nonzero(hit & ~same)
    offsets = np.array(SAMPLE_OFFSETS, dtype=np.float32)[sample]
    row, column = np.divmod(edge[place], np.int32(middles.window.width))
    return replace(
        middles,
        pixel=np.concatenate([middles.pixel, edge[place]]),
        x=np.concatenate([middles.x, column.astype(np.float32) + offsets[:, 0]]),
        y=np.concatenate([middles.y, row.astype(np.float32) + offsets[:, 1]]),
        triangle=np.concatenate([middles.triangle, shown[sample, place]]),
        inverse_depth=np.concatenate([middles.inverse_depth, depth[sample, place]]),
        share=np.concatenate([share, np.full(len(place), quarter)]),
        gap=gap,
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
