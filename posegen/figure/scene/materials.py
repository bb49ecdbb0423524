"""The materials of props, and their looks."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import numpy as np

from posegen.figure.geometry.curves import modulo
from posegen.figure.geometry.vectors import Floats
from posegen.figure.palettes import Palette
from posegen.figure.parts import Surface
from posegen.figure.rendering.light import Colour
from posegen.figure.rendering.looks import Look, linear, mix


class Material(IntEnum):
    """Surface numbers of the materials of props."""

    CARDBOARD = Surface.PROP
    DARK = Surface.PROP + 1
    SCREEN = Surface.PROP + 2
    CERAMIC = Surface.PROP + 3
    PAPER = Surface.PROP + 4
    STEEL = Surface.PROP + 5
    WOOD = Surface.PROP + 6
    ACCENT = Surface.PROP + 7
    RUBBER = Surface.PROP + 8
    PETAL = Surface.PROP + 9
    BLOSSOM = Surface.PROP + 10
    LEAF = Surface.PROP + 11
    CUSHION = Surface.PROP + 12
    PAGES = Surface.PROP + 13
    BALL = Surface.PROP + 14
    CASE = Surface.PROP + 15


def prop_looks(palette: Palette) -> dict[int, Look]:
    """The look of each material. Some parts of props have the accent colour of the style."""
    plain = {
        Material.DARK: Look(linear(40, 42, 48), gloss=0.10, glint=0.10),
        Material.CERAMIC: Look(linear(238, 236, 232), gloss=0.10, glint=0.10),
        Material.PAPER: Look(linear(244, 240, 232)),
        Material.STEEL: Look(linear(176, 178, 184), gloss=0.30, glint=0.25, sheen=0.2),
        Material.WOOD: Look(linear(176, 128, 84), gloss=0.05),
        Material.ACCENT: Look(palette.accent, gloss=0.05),
        Material.RUBBER: Look(linear(54, 56, 62), gloss=0.06),
        Material.PETAL: Look(linear(238, 128, 142), wrap=(0.3, 0.25, 0.25)),
        Material.BLOSSOM: Look(linear(250, 234, 214), wrap=(0.3, 0.3, 0.25)),
        Material.LEAF: Look(linear(92, 134, 82), wrap=(0.2, 0.3, 0.2)),
        Material.CUSHION: Look(linear(206, 190, 170), sheen=0.15),
        Material.CASE: Look(linear(74, 98, 118), gloss=0.14, glint=0.10),
    }
    painted = {
        Material.CARDBOARD: Look(linear(198, 156, 110), paint=_paint_cardboard),
        Material.SCREEN: Look(linear(120, 170, 220), gloss=0.10, glint=0.20, paint=_paint_screen),
        Material.PAGES: Look(linear(246, 242, 232), paint=_paint_pages),
        Material.BALL: Look(linear(240, 240, 238), gloss=0.07, glint=0.04, paint=_paint_ball(palette.accent)),
    }
    return {int(number): look for number, look in (plain | painted).items()}


def _paint_cardboard(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
    tape = (np.abs(x) < 0.024) & (np.abs(y) > 0.05)
    colour[:, tape] = np.array(linear(224, 196, 156), dtype=np.float32)[:, None]


def _paint_screen(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
    share = np.clip(y * 7 + np.float32(0.5), 0, 1)
    for channel, low, high in zip(colour, linear(250, 160, 140), linear(110, 150, 235), strict=True):
        channel[:] = np.float32(low) + share * np.float32(high - low)
    tiles = (
        (np.abs(modulo(x + 0.0105, 0.021) - 0.0105) < 0.007) & (np.abs(modulo(y, 0.024) - 0.012) < 0.0075) & (y < 0.02)
    )
    colour[:, tiles] = np.float32(0.86)


def _paint_pages(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
    lines = (modulo(y, 0.014) < 0.004) & (np.abs(y) < 0.09) & (np.abs(np.abs(x) - 0.078) < 0.056)
    colour[:, lines] *= np.float32(0.62)


def _paint_ball(accent: Colour) -> Callable[[Floats, Floats, Floats, Floats], None]:
    golden = (1 + 5**0.5) / 2
    upright = [(0.0, a, b) for a in (-1.0, 1.0) for b in (-golden, golden)]
    corners = [corner[k:] + corner[:k] for corner in upright for k in range(3)]
    spots = np.array(corners, dtype=np.float32) / np.float32((1 + golden**2) ** 0.5)

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        radius = np.maximum(np.sqrt(x * x + y * y + z * z), np.float32(1e-6))
        nearest = np.full(x.shape, np.float32(-1))
        for a, b, c in spots:
            nearest = np.maximum(nearest, (x * a + y * b + z * c) / radius)
        share = np.clip((nearest - np.float32(0.935)) * 60, 0, 1)
        mix(colour, accent, share)

    return paint
