"""Colours and materials: what a surface looks like under light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.light import Colour

Paint = Callable[[Floats, Floats, Floats, Floats], None]
"""Changes linear colours (3, N) in place, given the places x, y, z at rest of the N points, metres."""


@dataclass(frozen=True)
class Look:
    """A material. `colour`: linear; `wrap`: how far light reaches around, for red, green and blue; `gloss` and `glint`:
    broad and sharp highlights; `sheen`: brightness of the grazing edge, as of cloth.
    """

    colour: Colour
    wrap: Colour = (0.12, 0.12, 0.12)
    gloss: float = 0.03
    glint: float = 0.0
    sheen: float = 0.10
    paint: Paint | None = None


def linear(red: float, green: float, blue: float) -> Colour:
    """A colour of the screen, 0 to 255, as the amount of light; the inverse of `shading.to_screen`."""
    return ((red / 255) ** 2, (green / 255) ** 2, (blue / 255) ** 2)


def tint(colour: Colour, factor: float) -> Colour:
    """The colour, darker or lighter."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """Between two colours; `share` of the other."""
    return tuple(a + (b - a) * share for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def mix(colours: Floats, over: Colour, share: Floats) -> None:
    """Paints `over` onto linear colours (3, ...), in place. `share` (...): 0 leaves a colour, 1 replaces it."""
    for channel, value in zip(colours, over, strict=True):
        channel += share * (np.float32(value) - channel)
