"""Platform exports: one picture, framed and encoded for each platform that was asked for.

The rules are data in `platforms`; the geometry is in `framing`, what surrounds the picture in `backgrounds`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from PIL import Image

from posegen.errors import ExportFailed
from posegen.images.backgrounds import EXTEND, blank_canvas, extend_edges
from posegen.images.color_profile import srgb_profile
from posegen.images.framing import BodyPoints, place
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.platforms import Platform
from posegen.images.resampling import draw_picture

QUALITY_STEP = 5
QUALITY_FLOOR = 60
"""Below this, blocks show on skin and flat backgrounds: rather no export than such a one."""

_LARGEST_OPTIMIZED = 4_000_000
"""Pixels. Huffman tables made for the picture make it 9 to 16 % smaller, still baseline, for 2 ms a megapixel; but all
coefficients are then held in memory, which for a print is 50 MB."""


def encode_export(pixels: Pixels, platform: Platform, keypoints: BodyPoints | None = None) -> EncodedImage:
    """`pixels` as this platform wants them: baseline JPEG 4:2:0 in sRGB, without EXIF, never above its size limit.

    Equal pixels give equal bytes. Raises `ExportFailed` when the limit cannot be kept at an acceptable quality.
    """
    source = pixels.shape[1], pixels.shape[0]
    placement = place(source, (platform.width, platform.height), platform.fit, keypoints)
    canvas = blank_canvas(placement, platform.background)
    draw_picture(canvas, pixels, placement)
    if platform.background == EXTEND:
        extend_edges(canvas, placement)
    data = _within_limit(canvas, platform)
    return EncodedImage(data, platform.width, platform.height, "image/jpeg")


def encode_exports(
    pixels: Pixels, platforms: Iterable[Platform], keypoints: BodyPoints | None = None
) -> dict[str, EncodedImage]:
    """One export for each platform, by its name. Platforms that want the same bytes share one encoded image."""
    made: dict[tuple[object, ...], EncodedImage] = {}
    exports: dict[str, EncodedImage] = {}
    for platform in platforms:
        if platform.encoding not in made:
            made[platform.encoding] = encode_export(pixels, platform, keypoints)
        exports[platform.name] = made[platform.encoding]
    return exports


def _within_limit(canvas: Image.Image, platform: Platform) -> bytes:
    size = 0
    for quality in _qualities(platform.quality):
        data = _jpeg(canvas, quality, platform.dpi)
        size = len(data)
        if size <= platform.byte_limit:
            return data
    raise ExportFailed(
        f"{platform.name}: the picture still takes {size:,} bytes at quality {quality}, and at most "
        f"{platform.byte_limit:,} are allowed. It is mostly noise: generate it again with another seed, "
        f"or leave this format out."
    )


def _qualities(start: int) -> Iterator[int]:
    """From the platform's quality down in steps, ending with the floor itself."""
    yield from range(start, QUALITY_FLOOR, -QUALITY_STEP)
    yield min(start, QUALITY_FLOOR)


def _jpeg(canvas: Image.Image, quality: int, dpi: int) -> bytes:
    encoded = io.BytesIO()
    canvas.save(
        encoded,
        "JPEG",
        quality=quality,
        subsampling="4:2:0",
        progressive=False,
        optimize=canvas.width * canvas.height <= _LARGEST_OPTIMIZED,
        dpi=(dpi, dpi),
        icc_profile=srgb_profile(),
    )
    return encoded.getvalue()
