"""Tools for painting on clothes, and patterns of cloth.

Positions are at rest, metres at a body height of 1.75 m, pelvis joint at the origin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.figure.geometry.curves import modulo
from posegen.figure.geometry.vectors import Floats, hypotenuse
from posegen.figure.rendering.light import Colour
from posegen.figure.rendering.looks import Paint, mix

_BLUR = np.float32(0.0016)  # metres over which a painted edge fades: about a pixel


def scaled(scale: float, torso: float, *layers: Paint | None) -> Paint | None:
    """One paint that applies several in turn, on a body of any size.

    `scale`, `torso`: of the body's build; `layers`: paints in metres at 1.75 m, None is skipped.
    """
    chosen = [layer for layer in layers if layer is not None]
    if not chosen:
        return None
    across, above = np.float32(1 / scale), np.float32(1 / (scale * torso))

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        place = (x * across, np.where(y > 0, y * above, y * across), z * across)
        for layer in chosen:
            layer(colour, *place)

    return paint


def within(paint: Paint, low: float, high: float, side: float = 1.0, front: bool | None = None) -> Paint:
    """The paint restricted to a region, which saves time elsewhere.

    `low`, `high`: heights; `side`: greatest distance from the middle; `front`: only the front, only the back, or both.
    """

    def restricted(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        matters = (y > low) & (y < high) & (np.abs(x) < side)
        if front is not None:
            matters &= (z > 0) == front
        chosen = np.flatnonzero(matters)
        if not len(chosen):
            return
        part = colour.take(chosen, axis=1)
        paint(part, x.take(chosen), y.take(chosen), z.take(chosen))
        colour[:, chosen] = part

    return restricted


def inside(distance: NDArray[Any]) -> Floats:
    """Coverage, 0 to 1, at a distance from an outline: metres, positive inside."""
    return np.asarray(np.clip(distance / _BLUR + np.float32(0.5), 0, 1))


def stroke(distance: NDArray[Any], width: float) -> Floats:
    """Coverage, 0 to 1, of a line. `distance`: from its middle, metres; `width`: metres."""
    return inside(np.asarray(width / 2 - np.abs(distance)))


def darker(colour: Floats, share: Floats, depth: float) -> None:
    """Darkens colours in place. `share`: 0 to 1 for each point; `depth`: the strongest darkening, 0 to 1."""
    colour *= 1 - np.float32(depth) * share


def weave() -> Paint:
    """The slight unevenness of cloth."""

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        uneven = np.sin(x * 310 + y * 95 + z * 40) * np.sin(y * 270 - z * 260)
        colour *= 1 + np.float32(0.04) * uneven

    return paint


def rib(pitch: float = 0.008, depth: float = 0.16) -> Paint:
    """Vertical knitted ribs around the body. `pitch`: metres from rib to rib."""

    def paint(colour: Floats, x: Floats, _y: Floats, z: Floats) -> None:
        along = np.where(np.abs(x) > np.abs(z), z, x)
        colour *= 1 - np.float32(depth) * (
            np.float32(0.5) + np.float32(0.5) * np.sin(along * np.float32(2 * np.pi / pitch))
        )

    return paint


def stripes(over: Colour, pitch: float = 0.042, share: float = 0.38, lowest: float = -1.0) -> Paint:
    """Horizontal stripes above `lowest`. `pitch`: metres from stripe to stripe; `share`: how much of it is coloured."""

    def paint(colour: Floats, _x: Floats, y: Floats, _z: Floats) -> None:
        within = modulo(y, pitch)
        mix(colour, over, inside(np.float32(pitch * share / 2) - np.abs(within - np.float32(pitch / 2))) * (y > lowest))

    return paint


def dots(over: Colour) -> Paint:
    """A print of small blossoms in alternating rows."""
    pitch, size = 0.056, 0.0105

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        around = np.arctan2(z, x) * np.float32(0.17)
        row = np.floor(y / np.float32(pitch))
        u = modulo(around + row * np.float32(0.5 * pitch), pitch) - np.float32(pitch / 2)
        v = modulo(y, pitch) - np.float32(pitch / 2)
        petals = np.float32(size) * (1 + np.float32(0.28) * np.sin(np.arctan2(v, u) * 5))
        mix(colour, over, inside(petals - hypotenuse(u, v)))

    return paint


def emblem(over: Colour, other: Colour) -> Paint:
    """A round print on the chest."""

    def paint(colour: Floats, x: Floats, y: Floats, _z: Floats) -> None:
        away = hypotenuse(x, y - np.float32(0.345))
        mix(colour, over, inside(np.float32(0.058) - away))
        wave = np.float32(0.335) + np.float32(0.010) * np.sin(x * 95)
        mix(colour, other, inside(np.float32(0.046) - away) * inside(wave - y))
        mix(colour, other, inside(np.float32(0.014) - hypotenuse(x - 0.012, y - np.float32(0.366))))

    return within(paint, 0.28, 0.41, 0.065, front=True)


def hem_line(heights: tuple[float, ...], depth: float = 0.22) -> Paint:
    """Stitching around the body at these heights."""

    def paint(colour: Floats, _x: Floats, y: Floats, _z: Floats) -> None:
        for height in heights:
            darker(colour, stroke(y - height, 0.0030), depth)

    return within(paint, min(heights) - 0.01, max(heights) + 0.01)
