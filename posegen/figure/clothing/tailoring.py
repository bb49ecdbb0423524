"""Seams, buttons, pockets, lapels, belts and straps of clothes. Each function returns a `Paint`.

Positions are at rest, metres at a body height of 1.75 m, pelvis joint at the origin.
"""

from __future__ import annotations

import numpy as np

from posegen.figure.clothing.cuts import TROUSER_WAIST
from posegen.figure.clothing.details import darker, inside, stroke, within
from posegen.figure.geometry.curves import modulo
from posegen.figure.geometry.vectors import Floats, hypotenuse
from posegen.figure.rendering.light import Colour
from posegen.figure.rendering.looks import Paint, mix, tint


def buttons(over: Colour, lowest: float, highest: float, pitch: float, placket: float = 0.016) -> Paint:
    """A row of buttons down the front, on a placket with seams on both sides."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        darker(colour, stroke(np.abs(x) - placket, 0.0028), 0.26)
        v = modulo(y - lowest + pitch / 2, pitch) - pitch / 2
        mix(colour, over, inside(0.0062 - hypotenuse(x, v)) * (y > lowest - 0.01) * (y < highest + 0.01))

    return within(paint, lowest - 0.03, highest + 0.03, placket + 0.01, front=True)


def patch(centre: tuple[float, float], size: tuple[float, float], depth: float = 0.28) -> Paint:
    """The outline of a pocket on the front, on the figure's left."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        u = x - centre[0]
        edge = np.maximum(np.abs(u) - size[0] / 2, np.abs(y - centre[1]) - size[1] / 2)
        darker(colour, stroke(edge, 0.0034), depth)

    reach = size[1] / 2 + 0.01
    return within(paint, centre[1] - reach, centre[1] + reach, front=True)


def worn_denim() -> Paint:
    """Denim that is faded on thighs and knees."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        side = np.abs(x)
        worn = np.exp(-(((side - 0.095) / 0.045) ** 2 + ((y + 0.20) / 0.17) ** 2))
        worn += 0.6 * np.exp(-(((side - 0.09) / 0.04) ** 2 + ((y + 0.44) / 0.07) ** 2))
        colour *= 1 + 0.38 * worn

    return within(paint, -0.62, 0.105, front=True)


def denim_seams(thread: Colour) -> Paint:
    """Seams, fly, pockets and the button of jeans."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        side, front, below = np.abs(x), z > 0, y < TROUSER_WAIST - 0.03
        seams = stroke(y - (TROUSER_WAIST - 0.031), 0.0036)
        curve = 0.030 + 0.045 * np.clip((0.155 - side) / 0.085, 0, 1) ** 2
        seams = np.maximum(seams, stroke(y - curve, 0.0042) * (side > 0.068) * front * below)
        seams = np.maximum(seams, stroke(hypotenuse(x - 0.024, np.minimum(y + 0.005, 0)), 0.0036) * front * below)
        seams = np.maximum(seams, 0.5 * stroke(x, 0.0030) * below * (y > -0.11))
        pocket = np.maximum(np.abs(side - 0.078) - 0.040, np.abs(y + 0.012) - 0.046)
        seams = np.maximum(seams, stroke(pocket, 0.0038) * (z < 0))
        mix(colour, thread, 0.75 * seams)
        mix(colour, (0.55, 0.42, 0.22), inside(0.0068 - hypotenuse(x, y - (TROUSER_WAIST - 0.016))) * front)

    return within(paint, -0.115, TROUSER_WAIST + 0.01)


def outer_seams() -> Paint:
    """The seams down the outside of the legs."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        darker(colour, stroke(z + 0.002, 0.0040) * (np.abs(x) > 0.09) * (y < 0.07), 0.30)

    return paint


def pressed_crease() -> Paint:
    """The crease down the front of each leg of pressed trousers."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        colour *= 1 + 0.16 * stroke(np.abs(x) - 0.091, 0.0045) * (y < -0.06) * (z > 0)

    return paint


def tailored_waist() -> Paint:
    """Slanted pockets, fly, waistband and slit pockets behind."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        side, front = np.abs(x), z > 0
        pocket = stroke((side - 0.118) + (y - 0.03) * 0.35, 0.0040) * (np.abs(y - 0.032) < 0.045) * front
        darker(colour, pocket, 0.32)
        darker(colour, stroke(x - 0.008, 0.0032) * front * (y < TROUSER_WAIST - 0.03) * (y > -0.05), 0.25)
        darker(colour, stroke(y - (TROUSER_WAIST - 0.030), 0.0032), 0.25)
        darker(colour, stroke(y - 0.012, 0.0040) * (np.abs(side - 0.078) < 0.045) * (z < 0), 0.40)

    return within(paint, -0.06, TROUSER_WAIST + 0.01)


def belt(leather: Colour, buckle: Colour) -> Paint:
    """A belt with its buckle, on a waistband."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        mix(colour, leather, np.ones_like(x))
        middle = np.float32(TROUSER_WAIST - 0.014)
        outer = np.maximum(np.abs(x) - np.float32(0.021), np.abs(y - middle) - np.float32(0.0155))
        mix(colour, buckle, stroke(outer + np.float32(0.003), 0.0065) * (z > 0))

    return paint


def side_stripe(over: Colour) -> Paint:
    """Two stripes down the outer side of the legs."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        outer = (np.abs(x) > 0.10) & (y > -0.84) & (y < 0.07)
        mix(
            colour, over, inside(np.float32(0.0065) - np.abs(np.abs(z + np.float32(0.004)) - np.float32(0.012))) * outer
        )

    return paint


def lapels(bottom: float, slope: float, width: float, notch: float) -> Paint:
    """Lapels of a jacket. Its V begins at the height `bottom` and widens by `slope` metres per metre."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        out = np.abs(x) - (y - bottom) * slope
        reach = width * np.clip((y - bottom) / (notch - bottom), 0, 1)
        beyond = out - reach
        colour *= np.where((beyond < 0) & (y < notch), np.float32(0.86), np.float32(1.0))
        outline = stroke(beyond, 0.0042) * (y < notch)
        upper = stroke(y - notch - beyond * 0.35, 0.0042) * (beyond < 0) * (out > reach * 0.45)
        collar = stroke(out - width * 0.72, 0.0042) * (y > notch) * (y < notch + 0.12)
        darker(colour, np.maximum(np.maximum(outline, upper), collar), 0.55)

    return within(paint, bottom - 0.02, 1.0, front=True)


def closing(lowest: float, highest: float, count: int, button: Colour, aside: float = 0.0) -> Paint:
    """The edge of the left front of a jacket or coat over the right one, with buttons."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        darker(colour, stroke(x + 0.018, 0.0040) * (y < highest + 0.01), 0.42)
        pitch = (highest - lowest) / (count - 1)
        v = modulo(y - lowest + pitch / 2, pitch) - pitch / 2
        row = (y > lowest - pitch / 2) & (y < highest + pitch / 2)
        mix(colour, button, inside(0.0090 - hypotenuse(np.abs(x) - aside, v)) * row)

    return within(paint, -1.0, highest + 0.02, aside + 0.025, front=True)


def flaps(height: float, aside: float, width: float = 0.085) -> Paint:
    """Pocket flaps on both sides of the front."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        edge = np.maximum(np.abs(np.abs(x) - aside) - width / 2, np.abs(y - height) - 0.017)
        darker(colour, stroke(edge, 0.0042), 0.40)

    return within(paint, height - 0.025, height + 0.025, front=True)


def vent() -> Paint:
    """The slit at the back of a jacket."""

    def paint(colour: Floats, x: Floats, _y: Floats, _z: Floats) -> None:
        darker(colour, stroke(x, 0.0046), 0.55)

    return within(paint, -1.0, 0.02, 0.01, front=False)


def shirt_front(tie: Colour | None, skin: Colour) -> Paint:
    """The shirt between lapels: with a tie, or with an open collar when `tie` is None."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        front = z > 0
        if tie is None:
            mix(colour, skin, inside((y - np.float32(0.395)) * np.float32(0.42) - np.abs(x)) * front * (y < 0.507))
            return
        width = np.where(
            y > 0.482, np.float32(0.021), np.float32(0.013) + np.clip((0.485 - y) * np.float32(0.085), 0, 0.03)
        )
        blade = inside(width - np.abs(x)) * front * (y < 0.522)
        mix(colour, tie, blade)
        slanted = modulo(y - x * np.float32(0.8), 0.05) < 0.012
        mix(colour, tint(tie, 2.2), blade * slanted * (y < 0.48) * np.float32(0.5))
        darker(colour, stroke(y - np.float32(0.484), 0.004) * blade, 0.45)

    return paint


def armholes(skin: Colour, trim: Colour) -> Paint:
    """Bare shoulders: skin around the shoulder joints, with a bound edge."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        u = (np.float32(0.198) - np.abs(x)) / np.float32(0.075)
        v = (y - np.float32(0.445)) / np.float32(0.115)
        edge = (1 - np.sqrt(np.maximum(u, 0) ** 2 + v * v)) * np.float32(0.08)
        mix(colour, trim, stroke(edge + np.float32(0.004), 0.008))
        mix(colour, skin, inside(edge))

    return paint


def straps(skin: Colour) -> Paint:
    """A top that ends above the bust and hangs from two straps."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        side = np.abs(x)
        line = np.float32(0.395) + np.float32(0.030) * np.exp(-(((side - 0.075) / 0.040) ** 2)) * (z > 0)
        strap = inside(np.float32(0.0095) - np.abs(side - np.float32(0.082)))
        mix(colour, skin, inside(y - line) * (1 - strap))

    return paint


def hood_strings(string: Colour) -> Paint:
    """Drawstrings, and the pouch pocket of a hoodie."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        for sign, end in ((1, 0.335), (-1, 0.355)):
            mix(colour, string, inside(0.0045 - np.abs(x - sign * 0.030)) * (y > end) * (y < 0.50))
        slant = 0.122 - np.clip((y - 0.035) / 0.10, 0, 1) * 0.05
        edge = np.maximum(np.abs(x) - slant, np.maximum(y - 0.135, 0.020 - y))
        darker(colour, stroke(edge, 0.0045), 0.38)

    return within(paint, 0.0, 0.51, 0.14, front=True)
