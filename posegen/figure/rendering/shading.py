"""Materials under lamps, and conversion between linear light and screen values."""

from __future__ import annotations

import numpy as np

from posegen.figure.geometry.vectors import Floats, unit
from posegen.figure.rendering.light import Lighting
from posegen.figure.rendering.looks import Look


def albedo(look: Look, count: int) -> Floats:
    """(3, count) copies of the look's linear colour."""
    colour = np.empty((3, count), np.float32)
    colour[:] = np.array(look.colour, dtype=np.float32)[:, None]
    return colour


def shade(
    out: Floats,
    look: Look,
    colour: Floats,
    normal: tuple[Floats, Floats, Floats],
    view: Floats,
    lighting: Lighting,
    lit: Floats,
    hidden: Floats,
) -> None:
    """Writes the light from points of one look to the camera into `out`.

    Args:
        out: (3, n) linear light, overwritten.
        look: the material.
        colour: (3, n) linear colours of the points.
        normal: unit normals, three arrays (n,).
        view: (3,) unit vector to the camera.
        lighting: the lamps.
        lit: (n,) share of the key light that arrives, 0 to 1.
        hidden: (n,) ambient occlusion, 0 to 1.
    """
    to_key, to_fill, to_rim = (_dot(normal, lamp) for lamp in (lighting.key, lighting.fill, lighting.rim))
    half = np.clip(_dot(normal, unit(lighting.key + view)), 0, 1)
    grazing = 1 - np.clip(_dot(normal, view), 0, 1)
    grazing *= grazing
    grazing *= grazing
    open_share = 1 - hidden
    # Surroundings reflect some key light into its shadow.
    key_share = (0.20 + 0.80 * lit) * (1 - 0.35 * hidden)
    eighth = _square(_square(_square(half)))
    fortieth = eighth * _square(_square(eighth))
    highlight = key_share * (1.6 * look.gloss * eighth + 5 * look.glint * fortieth)
    # A small part of cloth's sheen comes from all sides, the rest from the rim light.
    edge = grazing * (np.clip(to_rim + 0.35, 0, 1) + 0.15) * open_share
    fill = np.clip(to_fill * 0.75 + 0.25, 0, 1) * open_share
    up = (0.5 + 0.5 * normal[1]) * open_share
    down = open_share - up
    direct = {around: np.clip((to_key + around) * (1 / (1 + around)), 0, 1) * key_share for around in set(look.wrap)}
    for c, around in enumerate(look.wrap):
        key, rim = lighting.key_colour[c], lighting.rim_colour[c]
        light = direct[around] * key + fill * lighting.fill_colour[c] + up * lighting.sky[c] + down * lighting.ground[c]
        out[c] = colour[c] * (light + edge * (1.2 * rim)) + highlight * key + edge * (look.sheen * rim)


def _dot(normal: tuple[Floats, Floats, Floats], lamp: Floats) -> Floats:
    product: Floats = normal[0] * lamp[0] + normal[1] * lamp[1] + normal[2] * lamp[2]
    return product


def _square(values: Floats) -> Floats:
    square: Floats = values * values
    return square


def to_screen(light: Floats) -> Floats:
    """Screen values of linear light, 0 to 255, not rounded; the inverse of `looks.linear` below its soft shoulder."""
    value = np.maximum(light, 0)
    if value.size and value.max() > 0.8:
        # A soft shoulder: light above 0.8 approaches white gradually.
        over = np.maximum(value - np.float32(0.8), 0)
        np.minimum(value, np.float32(0.8), out=value)
        over /= 1 + over * np.float32(3.0)
        value += over
    np.sqrt(value, out=value)
    value *= np.float32(255)
    return np.asarray(np.minimum(value, np.float32(255), out=value))


def to_light(screen: Floats) -> Floats:
    """Linear light of screen values, 0 to 255, without the soft shoulder."""
    light: Floats = (screen * np.float32(1 / 255)) ** 2
    return light
