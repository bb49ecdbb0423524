"""The coarse picture behind the figure: where its rays meet floor and wall, and tools for painting on it.

Its sides are a quarter of the picture's: a background is out of focus anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.light import Colour
from posegen.poses.camera import Camera

STEP = 4  # pixels of the picture to a pixel of the coarse one, along each side
WALL = 2.4  # metres behind the figure
_FAR = 60.0  # metres
_EAST, _UP, _SOUTH = np.eye(3)


@dataclass(frozen=True)
class Rays:
    """The rays of a coarse picture, arrays (h, w), in a level frame: right, up, away from the viewer; figure at 0.

    `elevation`: rise per metre away; `azimuth`: metres right per metre away; `floor_side`, `floor_away`: where the
    ray meets the floor, metres, at most `_FAR` away; `world_x`, `world_z`: that point in the world; `start`: origin of
    all rays, metres right and away; `origin`: (3,) the same in the world; `columns`, `rows`: (3, w), (3, h), whose sum
    is a ray's direction in the world.
    """

    elevation: Floats
    azimuth: Floats
    floor_side: Floats
    floor_away: Floats
    world_x: Floats
    world_z: Floats
    start: tuple[float, float]
    origin: NDArray[np.float64]
    columns: NDArray[np.float64]
    rows: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.elevation.shape[0], self.elevation.shape[1]

    def along(self, axis: NDArray[np.float64]) -> Floats:
        """(h, w) component of each ray's direction along an axis (3,) of the world."""
        return _along(axis, self.columns, self.rows)

    def wall(self, away: float) -> tuple[Floats, Floats]:
        """Where each ray meets a vertical plane `away` metres behind the figure: metres right and up."""
        reach = np.float32(away - self.start[1])
        side = np.float32(self.start[0]) + self.azimuth * reach
        return side, np.float32(self.origin[1]) + self.elevation * reach


def cast_rays(camera: Camera, width: int, height: int) -> Rays:
    """The rays of the coarse picture, for a picture of this size in pixels."""
    across, down = -(-width // STEP), -(-height // STEP)
    u = ((np.arange(across) + 0.5) / across - 0.5) * camera.aspect / camera.focal
    v = (0.5 - (np.arange(down) + 0.5) / down) / camera.focal
    axes, origin = camera.orientation, camera.position
    columns, rows = axes[:, :1] * u, axes[:, 1:2] * v - axes[:, 2:]
    away = -axes[:, 2].copy()
    away[1] = 0
    away /= max(float(np.linalg.norm(away)), 1e-6)
    right = np.array([-away[2], 0.0, away[0]])
    x, y, z = _along(right, columns, rows), _along(_UP, columns, rows), _along(away, columns, rows)
    z = np.maximum(z, np.float32(1e-3))
    start = (float(origin @ right), float(origin @ away))
    reach = np.minimum(np.float32(max(float(origin[1]), 0.05)) / np.maximum(-y, np.float32(1e-6)), np.float32(1e4))
    return Rays(
        elevation=y / z,
        azimuth=x / z,
        floor_side=np.float32(start[0]) + x * reach,
        floor_away=np.minimum(np.float32(start[1]) + z * reach, np.float32(_FAR)),
        world_x=np.float32(origin[0]) + _along(_EAST, columns, rows) * reach,
        world_z=np.float32(origin[2]) + _along(_SOUTH, columns, rows) * reach,
        start=start,
        origin=origin,
        columns=columns,
        rows=rows,
    )


def _along(axis: NDArray[np.float64], columns: NDArray[np.float64], rows: NDArray[np.float64]) -> Floats:
    along: Floats = (axis @ columns).astype(np.float32) + (axis @ rows).astype(np.float32)[:, None]
    return along


def blank(rays: Rays, colour: Colour) -> Floats:
    """(3, h, w) of one colour."""
    picture = np.empty((3, *rays.shape), np.float32)
    picture[:] = np.array(colour, dtype=np.float32)[:, None, None]
    return picture


def blurred(mask: Floats | NDArray[np.bool_], radius: float) -> Floats:
    """A mask, 0 to 1, out of focus. `radius`: pixels of the coarse picture."""
    sharp = np.clip(mask, 0, 1).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(sharp, (0, 0), radius, borderType=cv2.BORDER_REPLICATE), np.float32)


def enlarge(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A coarse picture (h, w, 3) at full size, as a new writable array."""
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
