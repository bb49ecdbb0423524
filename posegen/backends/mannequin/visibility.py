"""What the camera sees: for each pixel the point of the mesh in front, and for each edge pixel four of them.

Only edges are sampled four times, and only with triangles near an edge: smooth outlines for a fraction of the work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.backends.mannequin.geometry import Floats, Mesh
from posegen.backends.mannequin.raster import Indices, Keys, Projected, front_facing, nearest, outlines, projected, unpack
from posegen.backends.mannequin.samples import OFFSETS, nearest_samples
from posegen.poses.camera import Camera

BEYOND = np.float32(1e3)
"""Metres: the depth of pixels where there is nothing."""

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

    def image(self, pixel: Indices, values: NDArray[Any], outside: float) -> NDArray[Any]:
        """(height, width) with the values at these pixels and `outside` elsewhere."""
        picture = np.full(self.size, outside, values.dtype)
        picture[pixel] = values
        return picture.reshape(self.height, self.width)


@dataclass(frozen=True)
class Seen:
    """Points to shade, and images of the window. Arrays of points have one value for each, images are (height, width).

    Points: `triangle`: of the mesh; `x`, `y`: where in the window, pixels; `depth`: metres; `pixel`: row * width +
    column; `share`: of the pixel's colour, 0 to 1. The first `centres` points are the pixels' middles, in order of
    their pixels. Images: `look`: see `_looks`, 0 where nothing is; `far`: metres, or `BEYOND`; `gap`: what the
    background shares in each pixel.
    """

    window: Window
    triangle: Indices
    x: Floats
    y: Floats
    depth: Floats
    pixel: Indices
    share: Floats
    centres: int
    look: NDArray[np.uint16]
    far: Floats
    gap: Floats

    @property
    def piece(self) -> NDArray[np.uint8]:
        """(height, width) number of the mesh's piece plus 1, 0 where nothing is."""
        return (self.look >> 8).astype(np.uint8)


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
    visible = outlines(flat, front_facing(flat, mesh.two_sided))
    front = nearest(visible, window.width, window.height)
    middles = _middles(mesh, front, window)
    edge = _edges(middles)
    samples = nearest_samples(visible, window.width, window.height, edge)
    return _resolve(mesh, samples, edge, front.take(edge), middles)


def _looks(mesh: Mesh) -> NDArray[np.uint16]:
    """(triangles,) one number for each piece and surface: its piece plus 1 in the upper byte, its surface below."""
    return (mesh.piece.astype(np.uint16) + np.uint16(1)) * np.uint16(256) + mesh.surface


def _middles(mesh: Mesh, front: Keys, window: Window) -> Seen:
    pixel = np.flatnonzero(front > 0)
    triangle, inverse = unpack(front.take(pixel))
    depth = np.reciprocal(inverse)
    share = np.ones(len(pixel), np.float32)
    look = window.image(pixel, _looks(mesh).take(triangle), 0)
    far, gap = window.image(pixel, depth, BEYOND), window.image(pixel, 1 - share, 1)
    x, y = _places(pixel, window, (0.5, 0.5))
    return Seen(window, triangle, x, y, depth, pixel, share, len(pixel), look, far, gap)


def _places(pixel: Indices, window: Window, offset: tuple[Any, Any]) -> tuple[Floats, Floats]:
    row = pixel // window.width
    column = pixel - row * window.width
    return column.astype(np.float32) + np.float32(offset[0]), row.astype(np.float32) + np.float32(offset[1])


def _edges(middles: Seen) -> Indices:
    """Pixels beside a change of piece or look, or beside a jump in depth."""
    look, far = middles.look, middles.far
    edge = np.zeros(look.shape, np.bool_)
    across = (look[:, 1:] != look[:, :-1]) | (np.abs(far[:, 1:] - far[:, :-1]) > _JUMP)
    down = (look[1:] != look[:-1]) | (np.abs(far[1:] - far[:-1]) > _JUMP)
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return np.flatnonzero(edge)


def _resolve(mesh: Mesh, samples: Keys, edge: Indices, front: Keys, middles: Seen) -> Seen:
    """Samples that show what the middle of their pixel shows take its colour; only the others are shaded apart.

    `samples`: (4, edges), `front`: (edges,) keys of the samples and the middles of the edge pixels.
    """
    triangle, inverse = unpack(samples)
    hit = samples > 0
    depth = np.reciprocal(np.where(hit, inverse, 1))
    same = hit & (front > 0) & (np.abs(depth - middles.far.ravel().take(edge)) < _JUMP)
    same &= _looks(mesh).take(triangle) == middles.look.ravel().take(edge)
    quarter = np.float32(1 / len(samples))
    share, gap = np.ones(middles.window.size, np.float32), middles.gap.copy()
    share[edge] = same.sum(axis=0, dtype=np.float32) * quarter
    gap.ravel()[edge] = (~hit).sum(axis=0, dtype=np.float32) * quarter
    sample, place = np.nonzero(hit & ~same)
    pixel = edge[place]
    x, y = _places(pixel, middles.window, np.array(OFFSETS, dtype=np.float32)[sample].T)
    return replace(
        middles,
        triangle=np.concatenate([middles.triangle, triangle[sample, place]]),
        x=np.concatenate([middles.x, x]),
        y=np.concatenate([middles.y, y]),
        depth=np.concatenate([middles.depth, depth[sample, place]]),
        pixel=np.concatenate([middles.pixel, pixel]),
        share=np.concatenate([share.take(middles.pixel), np.full(len(place), quarter)]),
        gap=gap,
    )
