"""Control maps from outside, made into the size of a pose: what they may be, and padding that keeps their geometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from posegen.errors import ImageInvalid
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.png import encode_png
from posegen.images.transparency import may_be_transparent
from posegen.images.validation import FROM_OUTSIDE, examine

SMALLEST_SIDE = 64
LARGEST_ASPECT = 4.0


def control_map_of(data: bytes, decode: Callable[[bytes], Pixels], *, side: int) -> EncodedImage:
    """A square map of a file from outside: scaled to fit, and padded with black, which stands for no figure.

    Args:
        data: the file.
        decode: returns the pixels of an untrusted file.
        side: pixels of the map.

    Raises:
        ImageInvalid: what is wrong with the file, and the fix.
    """
    header = examine(data, FROM_OUTSIDE)
    size = f"{header.width:,}x{header.height:,} pixels"
    shorter, longer = sorted((header.width, header.height))
    if shorter < SMALLEST_SIDE:
        raise ImageInvalid(f"A map of {size} shows no pose; each side needs at least {SMALLEST_SIDE}.")
    if longer > shorter * LARGEST_ASPECT:
        raise ImageInvalid(
            f"A map of {size} has a wrong ratio: one side may be at most {LARGEST_ASPECT:g} times the other. "
            "Pad it with black."
        )
    if may_be_transparent(data):
        raise ImageInvalid("The map has an alpha channel or a transparent colour. Save it without, on black ground.")
    pixels = decode(data)
    if not (pixels != pixels[0, 0]).any():
        raise ImageInvalid("The map has one colour only, so it shows no pose.")
    return encode_png(_padded(pixels, side))


def _padded(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = side / max(width, height)
    fitted = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Image.fromarray(pixels)
    if fitted != picture.size:
        picture = picture.resize(fitted, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (side, side))
    canvas.paste(picture, ((side - fitted[0]) // 2, (side - fitted[1]) // 2))
    return np.asarray(canvas)
