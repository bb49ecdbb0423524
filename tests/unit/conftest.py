"""Pictures made on the spot: one like a studio photograph, one full of texture, and pure noise."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from posegen.images.pixels import Pixels


def studio_picture(width: int = 1024, height: int = 1024) -> Pixels:
    """A figure in a blue shirt before a wall that darkens downwards, on a floor, with a little grain."""
    rows, columns = np.mgrid[0:height, 0:width] / max(width, height)
    wall = np.stack([200 - 60 * rows + 20 * columns, 205 - 70 * rows, 215 - 60 * rows - 15 * columns], axis=-1)
    wall[int(height * 0.82) :] *= 0.85
    image = Image.fromarray(wall.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    x, y = width / 1024, height / 1024
    draw.ellipse((462 * x, 60 * y, 562 * x, 190 * y), fill=(210, 165, 135))
    draw.rectangle((400 * x, 200 * y, 624 * x, 560 * y), fill=(40, 80, 140))
    draw.rectangle((415 * x, 550 * y, 609 * x, 960 * y), fill=(50, 50, 60))
    sharp = np.asarray(image.filter(ImageFilter.GaussianBlur(1)), dtype=np.float64)
    grain = np.random.default_rng(1).normal(0, 1.5, (height, width, 1))
    return (sharp + grain).clip(0, 255).round().astype(np.uint8)


def textured_picture(side: int = 1024) -> Pixels:
    """The spectrum of photographs of nature, where amplitudes fall with the frequency, with shades and hard edges."""
    chance = np.random.default_rng(5)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    frequency[0, 0] = 1
    layers = [np.fft.ifft2(np.fft.fft2(chance.normal(size=(side, side))) / frequency**1.1).real for _ in range(4)]
    light, *colours = [layer / layer.std() for layer in layers]
    rows, columns = np.mgrid[0:side, 0:side] / side
    picture = np.stack([120 + 38 * light + 12 * colour + 40 * (columns - 0.5) for colour in colours], axis=-1)
    picture[(columns - 0.5) ** 2 / 0.03 + (rows - 0.5) ** 2 / 0.12 < 1] *= 0.6
    for _ in range(10):
        angle, middle = chance.uniform(0, np.pi), chance.uniform(0.3, 0.7, 2)
        line = np.abs(np.cos(angle) * (columns - middle[0]) + np.sin(angle) * (rows - middle[1])) < 0.002
        picture[line] = chance.uniform(0, 255, 3)
    return picture.clip(0, 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def picture() -> Pixels:
    pixels = studio_picture()
    pixels.flags.writeable = False
    return pixels


@pytest.fixture(scope="session")
def photograph() -> Pixels:
    pixels = textured_picture()
    pixels.flags.writeable = False
    return pixels


@pytest.fixture(scope="session")
def noise() -> Pixels:
    """The hardest picture to compress: every channel of every pixel black or white by chance."""
    pixels = (np.random.default_rng(3).integers(0, 2, (1024, 1024, 3)) * 255).astype(np.uint8)
    pixels.flags.writeable = False
    return pixels
