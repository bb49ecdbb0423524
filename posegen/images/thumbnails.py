"""Thumbnails: a small square of each pose for lists and galleries."""

from __future__ import annotations

import io

from PIL import Image

from posegen.images.framing import BodyPoints, place
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.resampling import draw_picture

SIDE = 400
RESERVE_BYTES = 300_000
"""What to set aside for a thumbnail before it is made; pure noise takes 262 kB, an ordinary picture 5."""
_QUALITY = 80
_METHOD = 2  # 3 ms and 4.5 kB; method 4: 7 ms, 4.4 kB


def encode_thumbnail(pixels: Pixels, keypoints: BodyPoints | None = None) -> EncodedImage:
    """400x400 WebP, filled by the picture; of one that is not square, the part around the figure is kept."""
    placement = place((pixels.shape[1], pixels.shape[0]), (SIDE, SIDE), "cover", keypoints)
    thumbnail = Image.new("RGB", placement.target)
    draw_picture(thumbnail, pixels, placement)
    encoded = io.BytesIO()
    thumbnail.save(encoded, "WEBP", quality=_QUALITY, method=_METHOD)
    return EncodedImage(encoded.getvalue(), SIDE, SIDE, "image/webp")
