"""The visible points of a mesh: one for each pixel, and up to four more for each pixel at an edge.

Only pixels at edges are sampled four times, and only with triangles near an edge, which saves most of the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.figure.geometry.mesh import Mesh
from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.raster import Indices, Keys, Projected, front_facing, names, nearest, outlines, unpack
from posegen.figure.rendering.samples import OFFSETS, nearest_samples
from posegen.poses.camera import Camera

BEYOND = 1e3
"""The depth of empty pixels, metres."""

_MIDDLE = len(OFFSETS)  # number of a pixel's centre among its samples
_JUMP = np.float32(0.02)  # least difference in depth between neighbours on different surfaces, metres


@dataclass(frozen=True)
class Window:
    """The part of a picture that contains the figure, with a rim of two pixels. All numbers are pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def image(self, pixel: Indices, values: NDArray[Any], outside: float) -> NDArray[Any]:
        """(height, width) image with values at some pixels, and `outside` elsewhere."""
        picture = np.full(self.size, outside, values.dtype)
        picture[pixel] = values
        return picture.reshape(self.height, self.width)


@dataclass(frozen=True)
class Seen:
    """Visible points, arrays (points,), and images of the window, (height, width).

    Points, those of one surface side by side: `triangle`: index in the mesh; `x`, `y`: position in the window, pixels;
    `depth`: metres; `pixel`: row * width + column; `share`: of the pixel's colour, 0 to 1; `middle`: whether the point
    is its pixel's centre. Images: `piece`: index of the piece plus 1, 0 for none; `far`: depth, metres, or `BEYOND`;
    `gap`: share of the background, 0 to 1.
    """

    window: Window
    triangle: Indices
    x: Floats
    y: Floats
    depth: Floats
    pixel: Indices
    share: Floats
    middle: NDArray[np.bool_]
    piece: NDArray[np.uint8]
    far: Floats
    gap: Floats


def project(mesh: Mesh, camera: Camera, width: int, height: int) -> tuple[Projected, Window]:
    """Projects a mesh into a picture of this size, in pixels. Returns its triangles within a window, and the window."""
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
    return Projected(x - np.float32(left), y - np.float32(top), inverse, mesh.faces.corners), window


def look(mesh: Mesh, flat: Projected, window: Window) -> Seen:
    """The visible points of a mesh in its window."""
    visible = outlines(flat, front_facing(flat, mesh.two_sided.take(mesh.faces.piece)))
    covered, keys = _covered(nearest(visible, window.width, window.height))
    shown, far = _images(mesh, covered, keys, window)
    edge = _edges(shown, far)
    samples = nearest_samples(visible, window.width, window.height, edge)
    same = _same(mesh, samples, shown.take(edge), far.take(edge))
    whole, gap = _shares(window, covered, edge, samples, same)
    sample, place = np.nonzero((samples > 0) & ~same)

    keys = np.concatenate([keys, samples[sample, place]])
    order = np.argsort(mesh.surface.take(names(keys)), kind="stable")
    triangle, inverse = unpack(keys.take(order))
    pixel = np.concatenate([covered, edge.take(place)]).take(order)
    which = np.concatenate([np.full(len(covered), _MIDDLE, np.uint8), sample.astype(np.uint8)]).take(order)
    x, y = _places(pixel, which, window)
    middle = which == _MIDDLE
    return Seen(
        window=window,
        triangle=triangle,
        x=x,
        y=y,
        depth=np.reciprocal(inverse),
        pixel=pixel,
        share=np.where(middle, whole.take(pixel), np.float32(1 / len(OFFSETS))),
        middle=middle,
        piece=(shown >> 8).astype(np.uint8),
        far=far,
        gap=gap,
    )


def _covered(front: Keys) -> tuple[Indices, Keys]:
    """The pixels that are not empty, and their keys."""
    covered = np.flatnonzero(front > 0)
    return covered, front.take(covered)


def _looks(mesh: Mesh) -> NDArray[np.uint16]:
    """(triangles,) a number for piece and surface: index of the piece plus 1 in the upper byte, surface below."""
    return (mesh.faces.piece.astype(np.uint16) + np.uint16(1)) * np.uint16(256) + mesh.surface


def _images(mesh: Mesh, covered: Indices, keys: Keys, window: Window) -> tuple[NDArray[np.uint16], Floats]:
    """Images of `_looks` and depth, metres, at the centres of pixels. Empty pixels are 0 and `BEYOND`."""
    triangle, inverse = unpack(keys)
    return window.image(covered, _looks(mesh).take(triangle), 0), window.image(covered, np.reciprocal(inverse), BEYOND)


def _edges(shown: NDArray[np.uint16], far: Floats) -> Indices:
    """Pixels beside a change of piece or surface, or beside a jump in depth."""
    edge = np.zeros(shown.shape, np.bool_)
    across = (shown[:, 1:] != shown[:, :-1]) | (np.abs(far[:, 1:] - far[:, :-1]) > _JUMP)
    down = (shown[1:] != shown[:-1]) | (np.abs(far[1:] - far[:-1]) > _JUMP)
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return np.flatnonzero(edge)


def _same(mesh: Mesh, samples: Keys, shown: NDArray[np.uint16], far: Floats) -> NDArray[np.bool_]:
    """(4, edges) whether a sample is on the same surface as its pixel's centre, given by `shown` and `far`."""
    triangle, inverse = unpack(samples)
    depth = np.reciprocal(np.maximum(inverse, np.float32(1e-6)))
    return np.asarray((_looks(mesh).take(triangle) == shown) & (np.abs(depth - far) < _JUMP))


def _shares(
    window: Window, covered: Indices, edge: Indices, samples: Keys, same: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Two images: the share of each pixel's centre in the pixel's colour, and the share of the background."""
    quarter = np.float32(1 / len(OFFSETS))
    whole, gap = np.ones((2, window.height, window.width), np.float32)
    whole.ravel()[edge] = same.sum(axis=0, dtype=np.float32) * quarter
    gap.ravel()[covered] = 0
    gap.ravel()[edge] = (samples == 0).sum(axis=0, dtype=np.float32) * quarter
    return whole, gap


def _places(pixel: Indices, sample: NDArray[np.uint8], window: Window) -> tuple[Floats, Floats]:
    """x and y of samples, pixels. `sample`: index in `OFFSETS`, or `_MIDDLE`."""
    over, under = np.array([*OFFSETS, (0.5, 0.5)], dtype=np.float32).T.take(sample, axis=1)
    narrow = pixel.astype(np.int32)
    row = narrow // np.int32(window.width)
    return (narrow - row * np.int32(window.width)).astype(np.float32) + over, row.astype(np.float32) + under
