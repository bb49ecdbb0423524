"""The coarse picture behind the figure: which ray meets floor and wall where, and painting on it.

It is a quarter of the picture's size: what lies behind a portrait is out of focus anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from posegen.backends.mannequin.geometry import Floats
from posegen.backends.mannequin.light import Colour
from posegen.poses.camera import Camera

STEP = 4
WALL = 2.4  # metres behind the figure
_FAR = 60.0


@dataclass(frozen=True)
class Rays:
    """A coarse picture's rays, each array (h, w), in a level frame: right, up, away from the viewer, figure at 0.

    `elevation`: rise per metre away; `azimuth`: metres right per metre away; `floor_side`, `floor_away`: metres where
    the ray meets the floor, `_FAR` and more where it never does; `world_x`, `world_z`: that point in the world;
    `start`: metres right and away where all rays begin; `origin`: (3,), `directions`: (h, w, 3) in the world.
    """

    elevation: Floats
    azimuth: Floats
    floor_side: Floats
    floor_away: Floats
    world_x: Floats
    world_z: Floats
    start: tuple[float, float]
    origin: NDArray[np.float64]
    directions: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.elevation.shape[0], self.elevation.shape[1]

    def wall(self, away: float) -> tuple[Floats, Floats]:
        """Metres right and up where each ray meets an upright plane this many metres behind the figure."""
        reach = np.float32(away - self.start[1])
        side = np.float32(self.start[0]) + self.azimuth * reach
        return side, np.float32(self.origin[1]) + self.elevation * reach


def cast_rays(camera: Camera, width: int, height: int) -> Rays:
    """The rays through the coarse picture of a picture of this size."""
    columns, rows = -(-width // STEP), -(-height // STEP)
    u = ((np.arange(columns) + 0.5) / columns - 0.5) * camera.aspect / camera.focal
    v = (0.5 - (np.arange(rows) + 0.5) / rows) / camera.focal
    axes, origin = camera.orientation, camera.position
    rays = u[None, :, None] * axes[:, 0] + v[:, None, None] * axes[:, 1] - axes[:, 2]
    away = -axes[:, 2].copy()
    away[1] = 0
    away /= max(float(np.linalg.norm(away)), 1e-6)
    right = np.array([-away[2], 0.0, away[0]])

    def along(axis: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(rays[..., 0] * axis[0] + rays[..., 1] * axis[1] + rays[..., 2] * axis[2])

    x, y, z = along(right), rays[..., 1], np.maximum(along(away), 1e-3)
    start = (float(origin @ right), float(origin @ away))
    reach = np.minimum(np.where(y < 0, max(float(origin[1]), 0.05) / np.maximum(-y, 1e-6), 1e4), 1e4)
    return Rays(
        elevation=(y / z).astype(np.float32),
        azimuth=(x / z).astype(np.float32),
        floor_side=(start[0] + x * reach).astype(np.float32),
        floor_away=np.minimum(start[1] + z * reach, _FAR).astype(np.float32),
        world_x=(origin[0] + rays[..., 0] * reach).astype(np.float32),
        world_z=(origin[2] + rays[..., 2] * reach).astype(np.float32),
        start=start,
        origin=origin,
        directions=rays.astype(np.float32),
    )


def blank(rays: Rays, colour: Colour) -> Floats:
    """(3, h, w) of one colour."""
    return np.stack([np.full(rays.shape, value, np.float32) for value in colour])


def over(picture: Floats, colour: Colour, share: Floats) -> None:
    """Paints a colour over the picture, as far as `share` says."""
    for channel, value in zip(picture, colour, strict=True):
        channel += share * (np.float32(value) - channel)


def blurred(mask: Floats | NDArray[np.bool_], radius: float) -> Floats:
    """A mask from 0 to 1 out of focus; `radius` in coarse pixels."""
    image = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius))).astype(np.float32) * np.float32(1 / 255)


def enlarge(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A coarse picture (h, w, 3) at full size; a new array that may be written to."""
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
