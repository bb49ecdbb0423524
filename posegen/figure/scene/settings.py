"""The settings of pictures: lamps, wall and floor of each, and their variation by the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegen.figure.geometry.vectors import unit
from posegen.figure.rendering.light import Colour, Lighting, direction
from posegen.figure.rendering.looks import blend, linear, tint
from posegen.poses.camera import Camera


@dataclass(frozen=True)
class Setting:
    """A setting before variation. `wall`, `floor`: linear colours; `glow`: additional brightness of the wall behind the
    figure; `key`, `fill`, `rim`, `ambient`: brightness of the lamps; `warmth`: of the key light, 0 is neutral;
    `softness`: of its shadow, metres; `shade`: darkness of the shadow on the ground, 0 to 1; `scenery`: a key of
    `scenery.paint_scenery`.
    """

    wall: Colour
    floor: Colour
    glow: float = 0.35
    key: float = 0.92
    fill: float = 0.15
    rim: float = 0.45
    ambient: float = 0.29
    warmth: float = 0.05
    softness: float = 0.028
    shade: float = 0.75
    scenery: str = "studio"


SETTINGS = {
    "white_studio": Setting(
        linear(236, 236, 237), linear(240, 240, 240), glow=0.16, ambient=0.34, key=0.72, softness=0.05, shade=0.55
    ),
    "grey_studio": Setting(linear(172, 174, 178), linear(182, 183, 185), glow=0.65),
    "dark_studio": Setting(
        linear(38, 40, 46), linear(46, 47, 52), glow=1.9, key=0.88, fill=0.08, rim=1.0, ambient=0.16, shade=0.85
    ),
    "colour_studio": Setting(linear(232, 150, 128), linear(226, 150, 130), glow=0.30, ambient=0.30),
    "living_room": Setting(
        linear(222, 208, 188), linear(166, 124, 84), glow=0.15, warmth=0.35, key=0.82, scenery="room"
    ),
    "city": Setting(
        linear(176, 186, 198), linear(150, 148, 146), glow=0.0, warmth=0.12, key=0.85, rim=0.6, scenery="city"
    ),
    "park": Setting(
        linear(176, 206, 224), linear(126, 150, 78), glow=0.0, warmth=0.25, key=0.90, rim=0.6, scenery="park"
    ),
    "beach": Setting(
        linear(150, 200, 228),
        linear(226, 204, 166),
        glow=0.0,
        warmth=0.30,
        key=0.95,
        rim=0.5,
        ambient=0.30,
        scenery="beach",
    ),
}

# Backdrops of the colour studio; the seed chooses one. They are light enough for every outfit to stand out.
_BACKDROPS = (
    linear(238, 158, 138),
    linear(128, 190, 186),
    linear(190, 172, 224),
    linear(240, 202, 112),
    linear(156, 194, 150),
    linear(138, 180, 224),
    linear(236, 170, 186),
)


@dataclass(frozen=True)
class Scene:
    """A setting varied by a seed. `wall`, `floor`: linear colours; `variation`: random numbers for the backdrop."""

    setting: Setting
    lighting: Lighting
    wall: Colour
    floor: Colour
    variation: np.random.Generator


def scene(name: str, seed: int, camera: Camera) -> Scene:
    """A setting varied by a seed. `name`: a key of `SETTINGS`; `camera`: the lamps are placed relative to it."""
    setting = SETTINGS[name]
    variation = np.random.default_rng(seed)
    side = 1 if variation.random() < 0.5 else -1
    yaw, pitch = side * variation.uniform(26, 52), variation.uniform(34, 50)
    warmth = setting.warmth + variation.uniform(-0.22, 0.22)
    strength = variation.uniform(0.94, 1.06)
    wall, floor = setting.wall, setting.floor
    backdrop = _BACKDROPS[int(variation.integers(len(_BACKDROPS)))]
    if name == "colour_studio":
        wall, floor = backdrop, tint(backdrop, 1.04)
    shift = variation.uniform(0.90, 1.08)
    cast = _warm(variation.uniform(-0.12, 0.12))
    wall, floor = (_times(tint(colour, shift), cast) for colour in (wall, floor))
    key = _times(tint((1.0, 0.985, 0.95), setting.key * strength), _warm(warmth))
    fill = _times(tint((0.97, 1.0, 1.05), setting.fill * variation.uniform(0.7, 1.3)), _warm(-warmth * 0.6))
    around = blend((1.0, 1.0, 1.0), tint(wall, 1 / max(wall)), 0.35)
    below = blend((1.0, 1.0, 1.0), tint(floor, 1 / max(floor)), 0.55)
    axes = _level_axes(camera)

    def lamp(yaw: float, pitch: float) -> np.ndarray:
        return unit(axes @ direction(yaw, pitch).astype(np.float64))

    lighting = Lighting(
        key=lamp(yaw, pitch),
        key_colour=key,
        fill=lamp(-side * 55, 12),
        fill_colour=fill,
        rim=lamp(-side * 145, 34),
        rim_colour=tint((1.0, 1.0, 1.02), setting.rim),
        sky=tint(around, setting.ambient),
        ground=tint(below, setting.ambient * 0.62),
        softness=setting.softness,
    )
    return Scene(setting, lighting, wall, floor, variation)


def _level_axes(camera: Camera) -> np.ndarray:
    """(3, 3) axes right, up and towards the viewer, level with the ground, so that lamps stay up."""
    towards = camera.orientation[:, 2].copy()
    towards[1] = 0.0
    towards /= max(float(np.linalg.norm(towards)), 1e-6)
    up = np.array([0.0, 1.0, 0.0])
    return np.stack([np.cross(up, towards), up, towards], axis=1)


def _warm(amount: float) -> Colour:
    return (1 + 0.10 * amount, 1.0, 1 - 0.16 * amount)


def _times(colour: Colour, by: Colour) -> Colour:
    return (colour[0] * by[0], colour[1] * by[1], colour[2] * by[2])
