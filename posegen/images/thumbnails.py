"""Thumbnails: a small square of each pose for lists and galleries."""

from __future__ import annotations

import io

from PIL import Image

from posegen.images.body import BodyPoints, body_of
from posegen.images.framing import place
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.planes import resample

SIDE = 400
RESERVE_BYTES = 300_000
"""What to set aside for a thumbnail before it is made; pure noise takes 262 kB, an ordinary picture 5."""
_QUALITY = 80
_METHOD = 2  # 3 ms and 4.5 kB; method 4: 7 ms, 4.4 kB


def encode_thumbnail(pixels: Pixels, keypoints: BodyPoints | None = None, *, xmp: bytes | None = None) -> EncodedImage:
    """400x400 WebP, filled by the picture; of one that is not square, the part around the figure is kept.

    `xmp`: a packet to write into it.
    """
    size = pixels.shape[1], pixels.shape[0]
    placement = place(size, (SIDE, SIDE), "cover", None if keypoints is None else body_of(keypoints, size))
    thumbnail = resample(pixels, placement.window, placement.target)
    encoded = io.BytesIO()
    Image.fromarray(thumbnail).save(encoded, "WEBP", quality=_QUALITY, method=_METHOD, xmp=xmp or b"")
    return EncodedImage(encoded.getvalue(), SIDE, SIDE, "image/webp")
