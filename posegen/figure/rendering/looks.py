"""Colours and materials of surfaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.light import Colour

Paint = Callable[[Floats, Floats, Floats, Floats], None]
"""Changes linear colours (3, N) in place, given the positions x, y, z of the N points at rest, metres."""


@dataclass(frozen=True)
class Look:
    """A material. `colour`: linear; `wrap`: how far red, green and blue light reach around shapes; `gloss`,
    `glint`: strength of broad and sharp highlights; `sheen`: brightness at grazing angles, as of cloth; `paint`:
    changes the colour point by point.
    """

    colour: Colour
    wrap: Colour = (0.12, 0.12, 0.12)
    gloss: float = 0.03
    glint: float = 0.0
    sheen: float = 0.10
    paint: Paint | None = None


def linear(red: float, green: float, blue: float) -> Colour:
    """Linear light of a screen colour, 0 to 255; the inverse of `shading.to_screen` below its shoulder."""
    return ((red / 255) ** 2, (green / 255) ** 2, (blue / 255) ** 2)


def tint(colour: Colour, factor: float) -> Colour:
    """The colour with its light multiplied by `factor`."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """A mixture of two colours: `share` of `other`, the rest of `one`."""
    return tuple(a + (b - a) * share for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def mix(colours: Floats, over: Colour, share: Floats) -> None:
    """Paints `over` onto linear colours (3, ...), in place. `share` (...): 0 leaves a colour, 1 replaces it."""
    for channel, value in zip(colours, over, strict=True):
        channel += share * (np.float32(value) - channel)
