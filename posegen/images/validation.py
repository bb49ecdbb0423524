"""The gate for pictures that come from outside or out of a store, and for what a backend hands over.

Nothing else in Posegen opens image bytes. What passes is plain pixels; everything else about the file is left behind.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from posegen.errors import ImageInvalid
from posegen.images.framing import Size
from posegen.images.headers import Header, read_header
from posegen.images.pixels import Pixels

_GREY_16_BIT = "I;16"
_TRANSPARENT_MODES = {"LA", "PA", "RGBA"}
_PLAIN_MODES = {"1", "L", "P", "RGB"}


@dataclass(frozen=True)
class Limits:
    """What a picture may be. `max_bytes`: of the file; `max_pixels`: width times height; sides in pixels.

    The defaults let pass every export that Posegen makes, the largest being 3300x5100.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 20_000_000
    max_side: int = 8192
    min_side: int = 16
    max_aspect: float = 10.0


DEFAULT_LIMITS = Limits()


def open_image(data: bytes, limits: Limits = DEFAULT_LIMITS, *, at_least: Size | None = None) -> Pixels:
    """The pixels of a PNG, JPEG or WebP: upright, transparency laid on white, grey and palettes as RGB.

    `at_least`: width and height that are enough; a larger JPEG may then come at a half, a quarter or an eighth.

    Raises `ImageInvalid` when the file is none of these, is truncated or damaged, holds several pictures, or is
    beyond the limits; those are checked on the header, before any decoder sees the file.
    """
    if len(data) > limits.max_bytes:
        raise ImageInvalid(f"The picture takes {len(data):,} bytes; at most {limits.max_bytes:,} are accepted.")
    header = read_header(data)
    _check_size(header, limits)
    try:
        return _decode(data, header, at_least)
    except ImageInvalid:
        raise
    except Exception as error:  # a decoder that is fed damaged bytes may raise anything
        raise ImageInvalid(f"The {header.format} is truncated or damaged: {error}.") from error


def check_pixels(pixels: Pixels, width: int, height: int) -> None:
    """Raises `ImageInvalid` unless `pixels` are what was asked of a backend: RGB, of this size, and not one colour."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ImageInvalid(f"The backend's picture is {found}; (height, width, 3) of uint8 was expected.")
    if pixels.shape[:2] != (height, width):
        raise ImageInvalid(
            f"The backend's picture is {pixels.shape[1]}x{pixels.shape[0]} pixels; {width}x{height} were asked for."
        )
    if not (pixels != pixels[0, 0]).any():
        red, green, blue = pixels[0, 0].tolist()
        raise ImageInvalid(
            f"The backend's picture is empty: every pixel has the colour #{red:02x}{green:02x}{blue:02x}."
        )


def _check_size(header: Header, limits: Limits) -> None:
    size = f"{header.width:,}x{header.height:,}"
    shorter, longer = sorted((header.width, header.height))
    if shorter < limits.min_side:
        raise ImageInvalid(f"The picture is {size} pixels; each side needs at least {limits.min_side}.")
    if longer > limits.max_side:
        raise ImageInvalid(f"The picture is {size} pixels; a side may have at most {limits.max_side:,}.")
    if header.width * header.height > limits.max_pixels:
        total = header.width * header.height
        raise ImageInvalid(f"The picture has {total:,} pixels ({size}); at most {limits.max_pixels:,} are accepted.")
    if longer > shorter * limits.max_aspect:
        raise ImageInvalid(
            f"The picture is {size} pixels; one side may be at most {limits.max_aspect:g} times the other."
        )


def _decode(data: bytes, header: Header, at_least: Size | None) -> Pixels:
    with Image.open(io.BytesIO(data), formats=[header.format]) as image:
        if image.size != (header.width, header.height):
            raise ImageInvalid(
                f"The {header.format} names two sizes: {header.width}x{header.height} and {image.width}x{image.height}."
            )
        frames = getattr(image, "n_frames", 1)
        if frames != 1:
            raise ImageInvalid(f"The {header.format} holds {frames} pictures; send one with a single picture.")
        if at_least is not None:
            image.draft(None, at_least)
        image.load()
        return np.asarray(_as_rgb(ImageOps.exif_transpose(image)))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == _GREY_16_BIT:
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in _TRANSPARENT_MODES or (image.mode in _PLAIN_MODES and "transparency" in image.info):
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "#ffffff")
        return Image.alpha_composite(ground, layer).convert("RGB")
    if image.mode in _PLAIN_MODES:
        return image.convert("RGB")
    raise ImageInvalid(f"The picture has the colours {image.mode}; send it in RGB, greyscale or with a palette.")
