"""Pictures of the far ends: a figure drawn from the control map that was sent, or the words NO POSE.

A pose that was not sent, another pose, another seed and another prompt all show in the picture. Equal orders give equal
files.
"""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tests.hostile_images import chunk, png_of_rows

Pixels = NDArray[np.uint8]

CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
GIANT = 64 * 1024 * 1024
BOMB_SIDE = 30_000
_DRAWING = threading.BoundedSemaphore(2)
"""Fifty pictures drawn at once take half a gigabyte."""
_BLACK = 24  # levels: a map's ground is at most this far from black, and a figure at least this far from its ground
_QUICKLY: dict[str, dict[str, int]] = {"PNG": {"compress_level": 1}, "WEBP": {"method": 0}, "GIF": {}}
"""Options of Pillow."""
_SKIN = ((236, 188, 160), (198, 134, 96), (141, 85, 54), (255, 219, 190))


@dataclass(frozen=True)
class Order:
    """What is to be drawn. `maps`: control maps and references as they were sent, as files."""

    prompt: str
    seed: int
    width: int = 1024
    height: int = 1024
    maps: tuple[bytes, ...] = ()
    format: str = "png"

    @property
    def control(self) -> str:
        """What tells the maps from others: 12 hex digits, or "" without one."""
        return hashlib.sha256(b"".join(self.maps)).hexdigest()[:12] if self.maps else ""


@dataclass(frozen=True)
class File:
    """A picture as it is sent."""

    data: bytes
    content_type: str
    width: int
    height: int


def decoded(file: bytes) -> Pixels:
    """(height, width, 3) RGB of a map.

    Raises:
        ValueError: the bytes are no picture.
    """
    try:
        with Image.open(io.BytesIO(file)) as image:
            return np.array(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"no picture: {error}") from error


@lru_cache(maxsize=64)
def file_of(order: Order, kind: str = "") -> File:
    """The picture of an order. `kind`: the fault in it, "" for none."""
    width, height = (order.width // 2, order.height // 2) if kind == "other_size" else (order.width, order.height)
    with _DRAWING:
        pixels = _drawn(order, width, height)
        if kind == "flagged":
            pixels = np.zeros_like(pixels)
        data = _spoilt(pixels, order.format, kind)
    return File(data, CONTENT_TYPES[order.format], width, height)


def _spoilt(pixels: Pixels, form: str, kind: str) -> bytes:
    if kind == "bomb":
        return _bomb()
    if kind in ("animated", "wrong_format"):
        return _moving(pixels, "GIF" if kind == "wrong_format" or form == "jpeg" else form.upper())
    data = _encoded(pixels, "png" if kind == "giant" else form)
    if kind == "truncated":
        return data[: len(data) * 2 // 3]
    if kind == "giant":
        return data[:33] + chunk(b"giNT", bytes(GIANT)) + data[33:]
    return data


def _encoded(pixels: Pixels, form: str) -> bytes:
    options = {
        "png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, 92],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, 90],
    }
    _, data = cv2.imencode(f".{form}", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options[form])
    return data.tobytes()


def _moving(pixels: Pixels, form: str) -> bytes:
    frames = [Image.fromarray(each) for each in (pixels, np.roll(pixels, 16, axis=1))]
    if form == "GIF":
        # To choose the best palette takes half a second.
        frames = [frame.convert("P") for frame in frames]
    file = io.BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:], duration=200, **_QUICKLY[form])
    return file.getvalue()


@cache
def _bomb() -> bytes:
    """One bit for each pixel: some 100 KB, and 900 MB or more once they are decoded."""
    return png_of_rows(BOMB_SIDE, BOMB_SIDE, 1, 0, bytes(BOMB_SIDE // 8))


def _drawn(order: Order, width: int, height: int) -> Pixels:
    chance = np.random.default_rng(int(hashlib.sha256(f"{order.prompt}\0{order.seed}".encode()).hexdigest()[:16], 16))
    control = _map_of(order.maps)
    if control is None:
        return _no_pose(chance, width, height)
    # At half the size, which takes a quarter of the time; the edges stay sharp.
    mask = _figure(_contained(control, max(1, width // 2), max(1, height // 2)))
    figure = cv2.resize(_dressed(mask, chance), (width, height), interpolation=cv2.INTER_NEAREST)
    ground = _ground(chance, width, height)
    cv2.copyTo(figure, cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), ground)
    return ground


def _map_of(maps: tuple[bytes, ...]) -> Pixels | None:
    """The first map on black ground, otherwise the last reference."""
    pictures = [decoded(file) for file in maps]
    on_black = [each for each in pictures if _rim(each).max() <= _BLACK]
    return next(iter(on_black), pictures[-1] if pictures else None)


def _rim(pixels: Pixels) -> Pixels:
    """The median colour of a picture's rim: its ground."""
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return np.asarray(np.median(rim, axis=0), np.uint8)


def _contained(pixels: Pixels, width: int, height: int) -> Pixels:
    """The whole map in the picture's size, on its own ground."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    inner = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = _rim(pixels)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(pixels, inner, interpolation=cv2.INTER_AREA)
    return canvas


def _figure(control: Pixels) -> Pixels:
    """255 where the figure is. A skeleton's sticks are grown to limbs; a depth map has its shape already."""
    away = cv2.absdiff(control, np.broadcast_to(_rim(control), control.shape).copy())
    mask = np.asarray((away > _BLACK).any(axis=2), np.uint8) * 255
    side = min(mask.shape)
    reach = max(3, side // 20 if np.count_nonzero(mask) < 0.06 * mask.size else side // 200) | 1
    return np.asarray(cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))), np.uint8)


def _ground(chance: np.random.Generator, width: int, height: int) -> Pixels:
    """Soft patches of light colour."""
    patches = chance.integers(150, 245, (5, 5, 3), np.uint8)
    return np.asarray(cv2.resize(patches, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _dressed(mask: Pixels, chance: np.random.Generator) -> Pixels:
    """The figure: head, shirt and trousers by height, lit from the middle of each limb."""
    rows = np.flatnonzero(mask.any(axis=1))
    first, last = (rows[0], rows[-1]) if len(rows) else (0, 1)
    skin = np.array(_SKIN[chance.integers(len(_SKIN))]) * 0.6
    shirt, trousers = chance.integers(20, 110, (2, 3))
    heights = (np.arange(len(mask)) - first) / max(1, last - first)
    by_row = np.where(heights[:, None] < 0.17, skin, np.where(heights[:, None] < 0.55, shirt, trousers))
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    light = (0.7 + 0.5 * np.minimum(depth / (min(mask.shape) / 50), 1)).astype(np.float32)
    return np.asarray(by_row[:, None, :].astype(np.float32) * light[:, :, None], np.float32).astype(np.uint8)


def _no_pose(chance: np.random.Generator, width: int, height: int) -> Pixels:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = chance.integers(40, 150, 3)
    (text_width, text_height), _ = cv2.getTextSize("NO POSE", cv2.FONT_HERSHEY_DUPLEX, 1, 2)
    scale = 0.8 * width / text_width
    corner = round(width * 0.1), round((height + text_height * scale) / 2)
    thick = max(2, round(scale * 2.5))
    cv2.putText(pixels, "NO POSE", corner, cv2.FONT_HERSHEY_DUPLEX, scale, (255, 255, 255), thick)
    return pixels
