"""From points to colours: materials under the lamps, and the way from light to the numbers of a screen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from posegen.backends.mannequin.geometry import Floats, unit
from posegen.backends.mannequin.light import Lighting
from posegen.backends.mannequin.looks import Look

_SURFACES = 256


def albedo(looks: Mapping[int, Look], surface: NDArray[np.uint8], rest: tuple[Floats, Floats, Floats]) -> Floats:
    """(3, N) linear colours of the points, painted."""
    table = np.zeros((3, _SURFACES), np.float32)
    for number, look in looks.items():
        table[:, number] = look.colour
    colour = np.stack([row.take(surface) for row in table])
    for number, look in looks.items():
        if look.paint is None:
            continue
        chosen = np.flatnonzero(surface == number)
        if len(chosen):
            painted = colour[:, chosen]
            look.paint(painted, *(axis[chosen] for axis in rest))
            colour[:, chosen] = painted
    return colour


def shade(
    looks: Mapping[int, Look],
    surface: NDArray[np.uint8],
    colour: Floats,
    normal: tuple[Floats, Floats, Floats],
    view: Floats,
    lighting: Lighting,
    lit: Floats,
    hidden: Floats,
) -> Floats:
    """(3, N) light that the points send to the camera.

    `view`: (3,) direction to the camera; `lit`: share of the key light that arrives; `hidden`: ambient occlusion.
    """
    wrap, (gloss, glint, sheen) = _materials(looks)
    nx, ny, nz = normal
    to_key, to_fill, to_rim = (_dot(normal, lamp) for lamp in (lighting.key, lighting.fill, lighting.rim))
    facing = np.clip(_dot(normal, view), 0, 1)
    half = np.clip(_dot(normal, unit(lighting.key + view)), 0, 1)
    grazing = (1 - facing) ** 2
    grazing *= grazing
    open_share = 1 - hidden
    key_share = (np.float32(0.20) + np.float32(0.80) * lit) * (1 - np.float32(0.35) * hidden)
    eighth = half**8
    highlight = key_share * (
        gloss.take(surface) * eighth * np.float32(1.6) + glint.take(surface) * eighth**5 * np.float32(5)
    )
    # Half a step of cloth's sheen comes from everywhere, the rest with the rim light.
    edge = grazing * (np.clip(to_rim + np.float32(0.35), 0, 1) + np.float32(0.15)) * open_share
    fill = np.clip(to_fill * np.float32(0.75) + np.float32(0.25), 0, 1) * open_share
    up = (np.float32(0.5) + np.float32(0.5) * ny) * open_share
    down = (np.float32(0.5) - np.float32(0.5) * ny) * open_share
    sheen_share = edge * sheen.take(surface)
    del nx, nz
    out = np.empty_like(colour)
    for c in range(3):
        around = wrap[c].take(surface)
        direct = np.clip((to_key + around) / (1 + around), 0, 1) * key_share
        light = (
            direct * np.float32(lighting.key_colour[c])
            + fill * np.float32(lighting.fill_colour[c])
            + up * np.float32(lighting.sky[c])
            + down * np.float32(lighting.ground[c])
        )
        rim = np.float32(lighting.rim_colour[c])
        out[c] = (
            colour[c] * (light + edge * rim * np.float32(1.2))
            + highlight * np.float32(lighting.key_colour[c])
            + sheen_share * rim
        )
    return out


def _materials(looks: Mapping[int, Look]) -> tuple[Floats, Floats]:
    wrap, rest = np.zeros((3, _SURFACES), np.float32), np.zeros((3, _SURFACES), np.float32)
    for number, look in looks.items():
        wrap[:, number] = look.wrap
        rest[:, number] = (look.gloss, look.glint, look.sheen)
    return wrap, rest


def _dot(normal: tuple[Floats, Floats, Floats], lamp: Floats) -> Floats:
    product: Floats = normal[0] * lamp[0] + normal[1] * lamp[1] + normal[2] * lamp[2]
    return product


def to_screen(light: Floats) -> Floats:
    """Screen values, 0 to 255 and still with fractions, of linear light; the inverse of `looks.linear`."""
    value = np.maximum(light, 0)
    # A soft shoulder: what is brighter than 0.8 approaches white without reaching it at once.
    over = np.maximum(value - np.float32(0.8), 0)
    value = np.minimum(value, np.float32(0.8)) + over / (1 + over * np.float32(3.0))
    screen: Floats = np.sqrt(value) * np.float32(255)
    return np.minimum(screen, np.float32(255))


def to_light(screen: Floats) -> Floats:
    """Linear light of screen values, 0 to 255, below the soft shoulder."""
    light: Floats = (screen * np.float32(1 / 255)) ** 2
    return light
