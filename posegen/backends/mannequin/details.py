"""What is painted on clothes: seams, buttons, pockets, lapels, laces, prints. Each function makes a `Paint`.

Places are metres at rest at a height of 1.75 m, the pelvis joint at 0; on shoes in the ankle's frame (see `shoes`).
"""

from __future__ import annotations

import numpy as np

from posegen.backends.mannequin.geometry import Floats
from posegen.backends.mannequin.light import Colour
from posegen.backends.mannequin.looks import Paint, tint

_BLUR = np.float32(0.0016)  # metres over which a painted edge fades: about a pixel


def scaled(scale: float, torso: float, *layers: Paint | None) -> Paint | None:
    """One paint out of several, for a body of another size than 1.75 m."""
    chosen = [layer for layer in layers if layer is not None]
    if not chosen:
        return None
    across, above = np.float32(1 / scale), np.float32(1 / (scale * torso))

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        place = (x * across, np.where(y > 0, y * above, y * across), z * across)
        for layer in chosen:
            layer(colour, *place)

    return paint


def inside(distance: Floats) -> Floats:
    """Coverage at a distance, metres, inside an outline."""
    return np.asarray(np.clip(distance / _BLUR + np.float32(0.5), 0, 1))


def stroke(distance: Floats, width: float) -> Floats:
    """Coverage of a line of this width, metres, at a distance from its middle."""
    return inside(np.float32(width / 2) - np.abs(distance))


def mix(colour: Floats, over: Colour, share: Floats) -> None:
    """Paints over as far as `share` says."""
    for channel, value in zip(colour, over, strict=True):
        channel += share * (np.float32(value) - channel)


def darker(colour: Floats, share: Floats, depth: float) -> None:
    """Darkens by up to `depth`."""
    colour *= 1 - np.float32(depth) * share


def weave(strength: float = 0.05) -> Paint:
    """The slight unevenness of cloth."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        uneven = np.sin(x * 310 + y * 95) * np.sin(y * 270 - z * 120) + np.sin(z * 290 + x * 60 + y * 40) * np.float32(
            0.7
        )
        colour *= 1 + np.float32(strength * 0.5) * uneven

    return paint


def rib(pitch: float = 0.008, depth: float = 0.16, upright: bool = True) -> Paint:
    """Knitted ribs, upright around the body."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        along = np.where(np.abs(x) > np.abs(z), z, x) if upright else y
        colour *= 1 - np.float32(depth) * (
            np.float32(0.5) + np.float32(0.5) * np.sin(along * np.float32(2 * np.pi / pitch))
        )

    return paint


def stripes(over: Colour, pitch: float = 0.042, share: float = 0.38, lowest: float = -1.0) -> Paint:
    """Stripes around body and sleeves."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        within = np.mod(y, np.float32(pitch))
        mix(colour, over, inside(np.float32(pitch * share / 2) - np.abs(within - np.float32(pitch / 2))) * (y > lowest))
        del x, z

    return paint


def dots(over: Colour, pitch: float = 0.052, size: float = 0.0095) -> Paint:
    """A print of small blossoms, in rows that are set off against each other."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        around = np.arctan2(z, x) * np.float32(0.17)
        row = np.floor(y / np.float32(pitch))
        u = np.mod(around + row * np.float32(0.5 * pitch), np.float32(pitch)) - np.float32(pitch / 2)
        v = np.mod(y, np.float32(pitch)) - np.float32(pitch / 2)
        petals = np.float32(size) * (1 + np.float32(0.28) * np.sin(np.arctan2(v, u) * 5))
        mix(colour, over, inside(petals - np.hypot(u, v)))

    return paint


def emblem(over: Colour, other: Colour) -> Paint:
    """A round print on the chest."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        front = z > 0
        away = np.hypot(x, y - np.float32(0.345))
        mix(colour, over, inside(np.float32(0.058) - away) * front)
        wave = np.float32(0.335) + np.float32(0.010) * np.sin(x * 95)
        mix(colour, other, inside(np.float32(0.046) - away) * inside(wave - y) * front)
        mix(colour, other, inside(np.float32(0.014) - np.hypot(x - 0.012, y - np.float32(0.366))) * front)

    return paint


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


def hem_line(heights: tuple[float, ...], depth: float = 0.22) -> Paint:
    """Stitching around the body."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        for height in heights:
            darker(colour, stroke(y - np.float32(height), 0.0030), depth)
        del x, z

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
        for height in np.linspace(lowest, highest, count):
            for place in (-aside, aside) if aside else (0.0,):
                spot = np.hypot(x - np.float32(place), y - np.float32(height))
                mix(colour, button, inside(np.float32(0.0090) - spot) * front)

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
        slant = np.float32(0.150) - np.clip((y - np.float32(0.035)) / np.float32(0.10), 0, 1) * np.float32(0.06)
        edge = np.maximum(side - slant, np.maximum(y - np.float32(0.135), np.float32(0.020) - y))
        darker(colour, stroke(edge, 0.0045) * front, 0.38)

    return paint


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
        bars = inside(np.float32(0.0044) - np.abs(np.mod(z, np.float32(0.0165)) - np.float32(0.00825)))
        mix(colour, lace, bars * inside(np.float32(0.022) - side) * (z > 0.026) * (z < 0.106))
        darker(
            colour,
            stroke(np.hypot(side * np.float32(0.9), np.maximum(np.float32(0.215) - z, 0)) - np.float32(0.072), 0.0036),
            0.34,
        )
        opening = ((z + np.float32(0.012)) / np.float32(0.040)) ** 2 + (x / np.float32(0.030)) ** 2
        darker(colour, inside((1 - opening) * np.float32(0.02)) * (y > -0.02), 0.6)

    return paint


def dress_shoe() -> Paint:
    """Stitched toe cap and laces in the shoe's own colour."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        side = np.abs(x)
        darker(colour, stroke(z - np.float32(0.150) + side * np.float32(0.25), 0.0036), 0.45)
        facing = stroke(side - np.float32(0.019), 0.0034) * (z > 0.02) * (z < 0.095)
        bars = (
            (np.abs(np.mod(z, np.float32(0.018)) - np.float32(0.009)) < 0.0042)
            & (side < 0.018)
            & (z > 0.028)
            & (z < 0.09)
        )
        darker(colour, np.maximum(facing, bars), 0.5)
        del y

    return paint


def ballerina(skin: Colour) -> Paint:
    """A low shoe that leaves the instep free, with a small bow."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        line = np.float32(-0.047) - np.float32(0.012) * np.exp(-(((z - 0.05) / 0.05) ** 2))
        instep = np.float32(0.122) - z - np.float32(6.0) * x * x
        mix(colour, skin, inside(np.minimum(y - line, instep)))
        bow = np.minimum(
            np.float32(0.011) - np.abs(x), np.float32(0.006) - np.abs(z - np.float32(0.127)) * (1 - np.abs(x) * 30)
        )
        darker(colour, inside(bow) * (y > -0.06), 0.35)

    return paint
