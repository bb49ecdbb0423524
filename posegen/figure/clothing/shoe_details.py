"""Laces, toe caps and stripes of shoes. Each function returns a `Paint`.

Positions are in the ankle's frame, metres at a body height of 1.75 m; see `shoes`.
"""

from __future__ import annotations

import numpy as np

from posegen.figure.clothing.details import darker, inside, stroke
from posegen.figure.geometry.curves import modulo
from posegen.figure.geometry.vectors import Floats, hypotenuse
from posegen.figure.rendering.light import Colour
from posegen.figure.rendering.looks import Paint, mix


def sneaker(accent: Colour, lace: Colour) -> Paint:
    """Toe cap, laces, a stripe on both sides and a coloured heel."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        side = np.abs(x)
        mix(colour, accent, inside(np.float32(-0.040) - z) * (y > -0.045))
        slanted = z - (y + np.float32(0.05)) * np.float32(0.9)
        mix(
            colour,
            accent,
            inside(np.float32(0.0075) - np.abs(slanted - np.float32(0.052))) * (side > 0.026) * (y < -0.022),
        )
        darker(
            colour,
            inside(np.float32(0.020) - side) * inside(z - np.float32(0.022)) * inside(np.float32(0.108) - z),
            0.30,
        )
        bars = inside(np.float32(0.0044) - np.abs(modulo(z, 0.0165) - np.float32(0.00825)))
        mix(colour, lace, bars * inside(np.float32(0.022) - side) * (z > 0.026) * (z < 0.106))
        toe = hypotenuse(side * np.float32(0.9), np.maximum(np.float32(0.215) - z, 0)) - np.float32(0.072)
        darker(colour, stroke(toe, 0.0036), 0.34)
        opening = ((z + np.float32(0.012)) / np.float32(0.040)) ** 2 + (x / np.float32(0.030)) ** 2
        darker(colour, inside((1 - opening) * np.float32(0.02)) * (y > -0.02), 0.6)

    return paint


def dress_shoe() -> Paint:
    """Stitched toe cap and laces in the shoe's own colour."""

    def paint(colour: Floats, x: Floats, _y: Floats, z: Floats) -> None:
        side = np.abs(x)
        darker(colour, stroke(np.asarray(z - 0.150 + side * 0.25), 0.0036), 0.45)
        facing = stroke(side - np.float32(0.019), 0.0034) * (z > 0.02) * (z < 0.095)
        bars = (np.abs(modulo(z, 0.018) - np.float32(0.009)) < 0.0042) & (side < 0.018) & (z > 0.028) & (z < 0.09)
        darker(colour, np.maximum(facing, bars), 0.5)

    return paint


def ballerina(skin: Colour) -> Paint:
    """A low shoe with a bare instep and a small bow."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        line = np.float32(-0.047) - np.float32(0.012) * np.exp(-(((z - 0.05) / 0.05) ** 2))
        instep = np.float32(0.122) - z - np.float32(6.0) * x * x
        mix(colour, skin, inside(np.minimum(y - line, instep)))
        bow = np.minimum(
            np.float32(0.011) - np.abs(x), np.float32(0.006) - np.abs(z - np.float32(0.127)) * (1 - np.abs(x) * 30)
        )
        darker(colour, inside(bow) * (y > -0.06), 0.35)

    return paint
