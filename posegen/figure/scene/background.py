"""The picture behind the figure: scenery, a wall for poses that lean on one, and the figure's shadows on both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.figure.geometry.curves import smooth_step
from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.light import ShadowMap, sample, soften
from posegen.figure.rendering.looks import linear
from posegen.figure.rendering.shading import to_screen
from posegen.figure.scene.backdrop import Rays, blurred, cast_rays, enlarge
from posegen.figure.scene.scenery import paint_scenery
from posegen.figure.scene.settings import Scene
from posegen.poses.camera import Camera
from posegen.poses.posed_skeleton import PlacedProp, PosedSkeleton

_CONTACT = 0.30  # metres over the ground below which surfaces darken it
_CELLS = 96  # side of the grid of contact shadows
_GRAIN = 256  # side of the tile of grain, pixels


def paint_background(
    scene: Scene, camera: Camera, skeleton: PosedSkeleton, vertices: Floats, shadow: ShadowMap, width: int, height: int
) -> NDArray[np.uint8]:
    """(height, width, 3) sRGB, with a fine grain that prevents banding of gradients.

    `vertices`: (V, 3) of the figure, metres; `width`, `height`: pixels.
    """
    rays = cast_rays(camera, width, height)
    picture = paint_scenery(scene, rays)
    _shade_ground(picture, scene, rays, vertices, shadow)
    for prop in skeleton.props:
        if prop.kind == "wall":
            _paint_wall(picture, prop, scene, rays, shadow)
    _vignette(picture)
    # Random dithering before rounding. 253 leaves room for the grain, which adds up to 2.
    spread = scene.variation.random(rays.shape, dtype=np.float32)
    coarse = np.minimum(to_screen(picture) + spread, 253).astype(np.uint8)
    screen = enlarge(np.ascontiguousarray(coarse.transpose(1, 2, 0)), width, height)
    _add_grain(screen, scene)
    return screen


def _add_grain(screen: NDArray[np.uint8], scene: Scene) -> None:
    """Adds grain of 0 to 2 screen values, equal for red, green and blue."""
    height, width = screen.shape[:2]
    tile = np.repeat(scene.variation.integers(0, 3, (_GRAIN, _GRAIN), dtype=np.uint8), 3, axis=1)
    grain = np.tile(tile, (1, -(-width // _GRAIN)))[:, : 3 * width].reshape(_GRAIN, width, 3)
    for top in range(0, height, _GRAIN):
        rows = screen[top : top + _GRAIN]
        rows += grain[: len(rows)]


def _shade_ground(picture: Floats, scene: Scene, rays: Rays, vertices: Floats, shadow: ShadowMap) -> None:
    near = rays.floor_away < 8
    if not near.any():
        return
    x, z = rays.world_x, rays.world_z
    lit = np.where(near, shadow.lit(x, np.zeros_like(x), z), np.float32(1))
    contact = _contact(vertices, x, z) * near
    # A shadow is sharp at the feet and fades with distance.
    away = smooth_step(0.15, 1.3, np.sqrt(x * x + z * z))
    lit = lit + away * (soften(lit, 3) - lit)
    shade = np.float32(scene.setting.shade)
    depth = np.float32(0.55) * shade * (1 - np.float32(0.45) * away)
    picture *= (1 - depth * (1 - soften(lit, 1))) * (1 - np.float32(0.72) * shade * contact)


def _contact(vertices: Floats, x: Floats, z: Floats) -> Floats:
    """How close the figure is to points of the ground below it, 0 to 1."""
    low = vertices[vertices[:, 1] < _CONTACT]
    if not len(low):
        return np.zeros_like(x)
    margin = np.float32(0.45)
    corner = low[:, [0, 2]].min(axis=0) - margin
    extent = float(np.ptp(low[:, [0, 2]], axis=0).max()) + 2 * float(margin)
    scale = np.float32(_CELLS / extent)
    cell = ((low[:, [0, 2]] - corner) * scale).astype(np.int32)
    weight = (1 - np.clip(low[:, 1], 0, _CONTACT) / np.float32(_CONTACT)) ** 2
    grid = np.zeros(_CELLS * _CELLS, np.float32)
    np.maximum.at(grid, cell[:, 1] * _CELLS + cell[:, 0], weight)
    image = grid.reshape(_CELLS, _CELLS)
    wide = soften(image, max(round(0.07 * float(scale)), 1))
    tight = soften(image, max(round(0.022 * float(scale)), 1))
    dark = np.float32(0.8) * wide + np.float32(0.65) * tight
    column, row = (x - corner[0]) * scale, (z - corner[1]) * scale
    inside = (column > 1) & (column < _CELLS - 1) & (row > 1) & (row < _CELLS - 1)
    contact: Floats = np.clip(sample(dark, column, row), 0, 1) * inside
    return contact


def _paint_wall(picture: Floats, wall: PlacedProp, scene: Scene, rays: Rays, shadow: ShadowMap) -> None:
    """A plain plastered wall with a skirting board, where the rays meet it."""
    front = wall.orientation[:, 2]
    origin = wall.position + front * wall.size[2] / 2
    slope = rays.along(front)
    slope[np.abs(slope) < 1e-5] = -1e-5
    reach = np.float32((origin - rays.origin) @ front) / slope
    start = rays.origin.astype(np.float32)
    x, y, z = (start[k] + rays.along(axis) * reach for k, axis in enumerate(np.eye(3)))
    side = wall.orientation[:, 0]
    across = np.float32((rays.origin - origin) @ side) + rays.along(side) * reach
    seen = (reach > 0) & (y > 0) & (y < wall.size[1]) & (np.abs(across) < wall.size[0] / 2)
    if not seen.any():
        return
    lit = shadow.lit(x, y, z)
    facing = np.float32(max(float(front @ scene.lighting.key), 0.12))
    plaster = np.float32(0.97) + np.float32(0.015) * np.sin(across * 3.1 + np.sin(y * 2.3) * 2)
    light = plaster * (np.float32(0.62) + np.float32(0.42) * facing * (np.float32(0.25) + np.float32(0.75) * lit))
    light *= np.float32(0.90) + np.float32(0.12) * smooth_step(-0.2, 1.6, y)
    board = smooth_step(0.105, 0.095, y)
    share = blurred(seen, 0.6)
    colours = zip(picture, _wall_colour(scene), linear(240, 238, 234), strict=True)
    for channel, value, skirting in colours:
        wanted = (np.float32(value) + board * np.float32(skirting - value) * np.float32(0.6)) * light
        channel += share * (wanted - channel)


def _wall_colour(scene: Scene) -> tuple[float, float, float]:
    outdoors = {"city": linear(188, 132, 110), "park": linear(214, 204, 188), "beach": linear(240, 236, 226)}
    return outdoors.get(scene.setting.scenery, scene.wall)


def _vignette(picture: Floats) -> None:
    height, width = picture.shape[1:]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    radius = x * x + y * y
    picture *= 1 - np.float32(0.045) * radius * radius
