"""The gate for pictures: what a file may be, the decoding of our own files, and the pixels that a backend hands over.

Nothing else in Posegen opens image bytes. Files from outside pass `examine` and then the decoder process
(`posegen.images.decoding`); files that we stored and whose hash was verified may be decoded here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegen.errors import ImageInvalid
from posegen.images.file_bytes import Header
from posegen.images.framing import Size
from posegen.images.headers import check_suffix, read_header
from posegen.images.normalising import decode_upright
from posegen.images.pixels import Pixels


@dataclass(frozen=True)
class Limits:
    """What a picture may be. `max_bytes`: of the file; `max_pixels`: width times height; sides in pixels;
    `max_unpacked`: bytes that the decoder gets out of the file, which are more than the pixels for 16 bits to a colour.
    """

    max_bytes: int
    max_pixels: int
    max_unpacked: int = 100_000_000
    max_side: int = 8192
    min_side: int = 16
    max_aspect: float = 10.0


FROM_OUTSIDE = Limits(max_bytes=10 * 1024 * 1024, max_pixels=17_000_000)
"""For uploads, adopted pictures, and what hosted backends return. The pixels are those of our largest export,
3300x5100."""
_MOST_PIXELS_OF_OURS = 20_000_000
_MOST_BYTES_PER_PIXEL = 4  # noise takes 3.0 as PNG, 2.9 as a kept JPEG, 1.2 as an export, 1.1 as a variant in WebP
OF_OUR_OWN = Limits(max_bytes=_MOST_BYTES_PER_PIXEL * _MOST_PIXELS_OF_OURS, max_pixels=_MOST_PIXELS_OF_OURS)
"""For what our stores hold: no file that we write, or that was accepted from outside, is beyond it."""


def examine(data: bytes, limits: Limits, *, suffix: str | None = None) -> Header:
    """Format and size of a file that may be decoded. No decoder sees it here.

    `suffix`: the ending of its name, when it came with one; it has to agree with what the file is.

    Raises `ImageInvalid`, which says what is wrong and by how much, when the file is no PNG, JPEG or WebP, is truncated
    or continues after its end, holds several pictures, or is beyond the limits.
    """
    if len(data) > limits.max_bytes:
        raise ImageInvalid(f"The picture takes {len(data):,} bytes; at most {limits.max_bytes:,} are accepted.")
    header = read_header(data)
    if suffix is not None:
        check_suffix(header.format, suffix)
    _check_size(header, limits)
    return header


def open_image(data: bytes, limits: Limits = OF_OUR_OWN, *, at_least: Size | None = None) -> Pixels:
    """The pixels of a file of ours: upright, transparency laid on white, grey and palettes as RGB.

    `at_least`: width and height that are enough; a larger JPEG may then come at a half, a quarter or an eighth.

    Raises `ImageInvalid` like `examine`, and when the picture itself is damaged.
    """
    return np.asarray(decode_upright(data, examine(data, limits), at_least))


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
    unpacked = header.width * header.height * header.pixel_bytes
    if unpacked > limits.max_unpacked:
        raise ImageInvalid(
            f"The picture of {size} pixels unpacks to {unpacked:,} bytes; {limits.max_unpacked:,} are accepted. "
            "Save it with 8 bits to a colour."
        )
    if longer > shorter * limits.max_aspect:
        raise ImageInvalid(
            f"The picture is {size} pixels; one side may be at most {limits.max_aspect:g} times the other."
        )
