"""Seams, buttons, pockets, lapels, belts and straps, painted on clothes. Each function makes a `Paint`.

Places are metres at rest at a height of 1.75 m, the pelvis joint at 0.
"""

from __future__ import annotations

import numpy as np

from posegen.backends.mannequin.details import darker, inside, mix, stroke
from posegen.backends.mannequin.geometry import Floats
from posegen.backends.mannequin.light import Colour
from posegen.backends.mannequin.looks import Paint, tint


def buttons(over: Colour, lowest: float, highest: float, pitch: float, placket: float = 0.016) -> Paint:
    """A row of buttons down the front, on a placket with seams on both sides."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        front = (z > 0) & (y > lowest - 0.03) & (y < highest + 0.03)
        darker(colour, stroke(np.abs(x) - np.float32(placket), 0.0028) * front, 0.26)
        v = np.mod(y - np.float32(lowest) + np.float32(pitch / 2), np.float32(pitch)) - np.float32(pitch / 2)
        disc = inside(np.float32(0.0062) - np.hypot(x, v)) * front * (y > lowest - 0.01) * (y < highest + 0.01)
        mix(colour, over, disc)

    return paint


def patch(centre: tuple[float, float], size: tuple[float, float], depth: float = 0.28, both: bool = True) -> Paint:
    """The outline of a pocket on the front, on both sides or on the figure's left only."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        u = (np.abs(x) if both else x) - np.float32(centre[0])
        edge = np.maximum(
            np.abs(u) - np.float32(size[0] / 2), np.abs(y - np.float32(centre[1])) - np.float32(size[1] / 2)
        )
        darker(colour, stroke(edge, 0.0034) * (z > 0), depth)

    return paint


def jeans(thread: Colour, waist: float) -> Paint:
    """Worn light on the thighs; seams, fly and pockets in thread."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        side = np.abs(x)
        worn = np.exp(-(((side - 0.095) / 0.045) ** 2 + ((y + 0.20) / 0.17) ** 2)) * (z > 0)
        worn += np.float32(0.6) * np.exp(-(((side - 0.09) / 0.04) ** 2 + ((y + 0.44) / 0.07) ** 2)) * (z > 0)
        colour *= 1 + np.float32(0.38) * worn
        seams = stroke(y - np.float32(waist - 0.031), 0.0036)
        curve = (
            np.float32(0.030) + np.float32(0.045) * np.clip((np.float32(0.155) - side) / np.float32(0.085), 0, 1) ** 2
        )
        pocket = stroke(y - curve, 0.0042) * (side > 0.068) * (z > 0) * (y < waist - 0.03)
        fly = (
            stroke(np.hypot(np.maximum(y + 0.005, 0) * 0 + (x - 0.024), np.minimum(y + 0.005, 0)), 0.0036)
            * (z > 0)
            * (y < waist - 0.03)
            * (y > -0.03)
        )
        middle = stroke(x, 0.0030) * (y < waist - 0.03) * (y > -0.11)
        u, v = np.abs(side - 0.078) - np.float32(0.040), np.abs(y + 0.012) - np.float32(0.046)
        behind = stroke(np.maximum(u, v), 0.0038) * (z < 0)
        mix(colour, thread, np.float32(0.75) * np.clip(seams + pocket + fly + middle * np.float32(0.5) + behind, 0, 1))
        outer = stroke(z + np.float32(0.002), 0.0040) * (side > 0.09) * (y < 0.07)
        darker(colour, outer, 0.30)
        button = inside(np.float32(0.0068) - np.hypot(x, y - np.float32(waist - 0.016))) * (z > 0)
        mix(colour, (0.55, 0.42, 0.22), button)

    return paint


def tailored(waist: float) -> Paint:
    """Trousers with a pressed crease, slanted pockets and a belt loop line."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        side = np.abs(x)
        press = stroke(side - np.float32(0.091), 0.0045) * (y < -0.06) * (z > 0)
        colour *= 1 + np.float32(0.16) * press
        pocket = stroke((side - np.float32(0.118)) + (y - np.float32(0.03)) * np.float32(0.35), 0.0040)
        darker(colour, pocket * (np.abs(y - 0.032) < 0.045) * (z > 0), 0.32)
        darker(colour, stroke(x - np.float32(0.008), 0.0032) * (z > 0) * (y < waist - 0.03) * (y > -0.05), 0.25)
        darker(colour, stroke(y - np.float32(waist - 0.030), 0.0032), 0.25)
        slit = stroke(y - np.float32(0.012), 0.0040) * (np.abs(side - 0.078) < 0.045) * (z < 0)
        darker(colour, slit, 0.40)

    return paint


def belt(leather: Colour, buckle: Colour, waist: float) -> Paint:
    """A belt with its buckle, on a waistband."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        mix(colour, leather, np.ones_like(x))
        middle = np.float32(waist - 0.014)
        outer = np.maximum(np.abs(x) - np.float32(0.021), np.abs(y - middle) - np.float32(0.0155))
        mix(colour, buckle, stroke(outer + np.float32(0.003), 0.0065) * (z > 0))

    return paint


def side_stripe(over: Colour, lowest: float = -0.84) -> Paint:
    """Two stripes down the outer side of the legs."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        outer = (np.abs(x) > 0.10) & (y > lowest) & (y < 0.07)
        mix(
            colour, over, inside(np.float32(0.0065) - np.abs(np.abs(z + np.float32(0.004)) - np.float32(0.012))) * outer
        )

    return paint


def lapels(bottom: float, slope: float, width: float, notch: float) -> Paint:
    """The turned-back edges of a jacket's V, which begins at `bottom` and widens by `slope` metres a metre."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        front = (z > -0.03) & (y > bottom - 0.02)
        edge = (y - np.float32(bottom)) * np.float32(slope)
        out = np.abs(x) - edge
        rise = np.clip((y - np.float32(bottom)) / np.float32(notch - bottom), 0, 1)
        reach = np.float32(width) * rise
        lapel = (out < reach) & (y < notch) & front
        colour *= np.where(lapel, np.float32(0.86), np.float32(1.0))
        outline = stroke(out - reach, 0.0042) * (y < notch)
        outline = np.maximum(
            outline,
            stroke(y - np.float32(notch) - (out - reach) * np.float32(0.35), 0.0042)
            * (out < reach)
            * (out > reach * 0.45),
        )
        collar = stroke(out - np.float32(width * 0.72), 0.0042) * (y > notch) * (y < notch + 0.12)
        darker(colour, np.maximum(outline, collar) * front, 0.55)

    return paint


def closing(lowest: float, highest: float, count: int, button: Colour, aside: float = 0.0) -> Paint:
    """The edge where the left front of a jacket or coat lies over the right one, with its buttons."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        front = z > 0
        darker(colour, stroke(x + np.float32(0.018), 0.0040) * front * (y < highest + 0.01), 0.42)
        pitch = (highest - lowest) / (count - 1)
        v = np.mod(y - lowest + pitch / 2, pitch) - pitch / 2
        spot = np.hypot(np.abs(x) - aside, v)
        row = (y > lowest - pitch / 2) & (y < highest + pitch / 2)
        mix(colour, button, inside(0.0090 - spot) * front * row)

    return paint


def flaps(height: float, aside: float, width: float = 0.085) -> Paint:
    """Pocket flaps on both sides of the front."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        u, v = (
            np.abs(np.abs(x) - np.float32(aside)) - np.float32(width / 2),
            np.abs(y - np.float32(height)) - np.float32(0.017),
        )
        darker(colour, stroke(np.maximum(u, v), 0.0042) * (z > 0), 0.40)

    return paint


def vent(highest: float) -> Paint:
    """The slit at the back of a jacket."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        darker(colour, stroke(x, 0.0046) * (z < 0) * (y < highest), 0.55)

    return paint


def shirt_front(tie: Colour | None, skin: Colour) -> Paint:
    """What shows between lapels: a tie, or an open collar."""

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
        slanted = np.mod(y - x * np.float32(0.8), np.float32(0.05)) < 0.012
        mix(colour, tint(tie, 2.2), blade * slanted * (y < 0.48) * np.float32(0.5))
        darker(colour, stroke(y - np.float32(0.484), 0.004) * blade, 0.45)

    return paint


def armholes(skin: Colour, trim: Colour, inset: float = 0.0) -> Paint:
    """Bare shoulders: what lies around the shoulder joints is skin, with a bound edge."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        u = (np.float32(0.198) - np.abs(x)) / np.float32(0.075 + inset)
        v = (y - np.float32(0.445)) / np.float32(0.115)
        edge = (1 - np.sqrt(np.maximum(u, 0) ** 2 + v * v)) * np.float32(0.08)
        mix(colour, trim, stroke(edge + np.float32(0.004), 0.008))
        mix(colour, skin, inside(edge))
        del z

    return paint


def straps(skin: Colour, height: float = 0.395) -> Paint:
    """A top that ends over the bust and hangs on two straps."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        side = np.abs(x)
        line = np.float32(height) + np.float32(0.030) * np.exp(-(((side - 0.075) / 0.040) ** 2)) * (z > 0)
        strap = inside(np.float32(0.0095) - np.abs(side - np.float32(0.082)))
        mix(colour, skin, inside(y - line) * (1 - strap))

    return paint


def hood_strings(string: Colour) -> Paint:
    """Drawstrings, and the pouch pocket of a hoodie."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        front = z > 0
        side = np.abs(x)
        for sign, end in ((1, 0.335), (-1, 0.355)):
            string_share = (
                inside(np.float32(0.0045) - np.abs(x - np.float32(sign * 0.030))) * (y > end) * (y < 0.50) * front
            )
            mix(colour, string, string_share)
        slant = np.float32(0.122) - np.clip((y - np.float32(0.035)) / np.float32(0.10), 0, 1) * np.float32(0.06)
        edge = np.maximum(side - slant, np.maximum(y - np.float32(0.135), np.float32(0.020) - y))
        darker(colour, stroke(edge, 0.0045) * front, 0.38)

    return paint
