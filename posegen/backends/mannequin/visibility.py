"""What the camera sees: for each pixel the point of the mesh in front, and for each edge pixel four of them.

Only edges are sampled four times, and only with triangles near an edge: smooth outlines for a fraction of the work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.backends.mannequin.geometry import Floats, Mesh
from posegen.backends.mannequin.raster import (
    SAMPLE_OFFSETS,
    Indices,
    Projected,
    fragments,
    front_facing,
    nearest,
    projected,
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
    pixel: Indices
    x: Floats
    y: Floats
    triangle: Indices
    inverse_depth: Floats
    share: Floats
    centres: int
    gap: Floats

    def image(self, values: NDArray[Any], outside: float, kind: type = np.float32) -> NDArray[Any]:
        """(height, width) of the window: the values of the pixels' middles, `outside` where the figure is not."""
        return _image(self.window, self.pixel[: self.centres], values[: self.centres], outside, kind)


def _image(window: Window, pixel: Indices, values: NDArray[Any], outside: float, kind: type) -> NDArray[Any]:
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
    return projected(x - np.float32(left), y - np.float32(top), inverse, mesh.triangles), window


def look(mesh: Mesh, flat: Projected, window: Window) -> Seen:
    """The points of the mesh that are seen in its window."""
    visible = flat.subset(front_facing(flat, mesh.two_sided))
    front = nearest(fragments(visible, window.width, window.height), window.size)
    pixel = np.flatnonzero(front > 0)
    triangle, inverse = unpack(front[pixel])

    edge = _edges(mesh, window, pixel, triangle, inverse)
    gap = np.ones(window.size, np.float32)
    gap[pixel] = 0
    share = np.ones(len(pixel), np.float32)
    middles = Seen(window, pixel, *_middles(pixel, window), triangle, inverse, share, len(pixel), gap)
    if not len(edge):
        return middles
    return _resolve(mesh, _sample(visible, edge, window), edge, middles)


def _middles(pixel: Indices, window: Window) -> tuple[Floats, Floats]:
    row, column = np.divmod(pixel, window.width)
    return column.astype(np.float32) + np.float32(0.5), row.astype(np.float32) + np.float32(0.5)


def _edges(mesh: Mesh, window: Window, pixel: Indices, triangle: Indices, inverse: Floats) -> Indices:
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
    return np.flatnonzero(edge)


def _sample(visible: Projected, edge: Indices, window: Window) -> NDArray[np.int64]:
    """(4, edges) what `nearest` says for each sample of each edge pixel."""
    near = visible.subset(_near(visible, edge, window))
    only = wanted(edge, window.size)
    samples = (fragments(near, window.width, window.height, offset, only) for offset in SAMPLE_OFFSETS)
    return np.stack([nearest(found, len(edge)) for found in samples])


def _near(visible: Projected, edge: Indices, window: Window) -> NDArray[np.intp]:
    """Indices of the triangles whose bounding box touches a block of pixels with an edge."""
    rows, columns = window.height // _BLOCK + 1, window.width // _BLOCK + 1
    total = np.zeros((rows + 1, columns + 1), np.int32)
    total[edge // window.width // _BLOCK + 1, edge % window.width // _BLOCK + 1] = 1
    total = total.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)

    def blocks(place: Floats, size: int, after: int) -> NDArray[np.int32]:
        block = np.clip(place * np.float32(1 / _BLOCK), 0, (size - 1) // _BLOCK)
        return np.asarray(block.astype(np.int32) + after)

    x, y = visible.x.take(visible.corners), visible.y.take(visible.corners)
    left, right = blocks(x.min(axis=0), window.width, 0), blocks(x.max(axis=0), window.width, 1)
    top, bottom = blocks(y.min(axis=0), window.height, 0), blocks(y.max(axis=0), window.height, 1)
    inside = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    return np.flatnonzero(inside > 0)


def _resolve(mesh: Mesh, samples: NDArray[np.int64], edge: Indices, middles: Seen) -> Seen:
    """Samples that show what the middle of their pixel shows take its colour; only the others are shaded apart."""
    shown, depth = unpack(samples)
    hit = samples > 0
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
    row, column = np.divmod(edge[place], middles.window.width)
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


def interpolate(flat: Projected, seen: Seen, attributes: Floats, chosen: slice | Indices) -> list[Floats]:
    """The attributes (k, V) of the vertices at the chosen points, as k arrays."""
    triangle = seen.triangle[chosen]
    first, second, third = (corner.take(triangle) for corner in flat.corners)
    x0, y0 = flat.x.take(first), flat.y.take(first)
    x1, y1 = flat.x.take(second) - x0, flat.y.take(second) - y0
    x2, y2 = flat.x.take(third) - x0, flat.y.take(third) - y0
    dx, dy = seen.x[chosen] - x0, seen.y[chosen] - y0
    area = x1 * y2 - x2 * y1
    scale = np.reciprocal(np.where(np.abs(area) < 1e-6, np.float32(1e-6), area))
    b = np.clip((dx * y2 - x2 * dy) * scale, 0, 1)
    c = np.clip((x1 * dy - dx * y1) * scale, 0, 1)
    a = np.maximum(1 - b - c, 0)
    return [row.take(first) * a + row.take(second) * b + row.take(third) * c for row in attributes]
