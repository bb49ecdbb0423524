"""The files of variants: a picture at its own size, as a JPEG for daily use and as a WebP of high quality.

Which picture they are made of, and for whom, is decided in `making`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from posegen.images.color_profile import srgb_profile
from posegen.images.jpeg import encode_jpeg
from posegen.images.pixels import EncodedImage, Pixels

NORMAL_QUALITY = 85
HIGH_QUALITY = 95
_METHOD = 2  # a photograph of 1024x1024: 31 ms and 91 kB; method 4: 76 ms, 98 kB; method 6: 182 ms, 69 kB


@dataclass(frozen=True)
class Variants:
    """Both variants of one picture. `normal`: a JPEG; `high_quality`: a WebP."""

    normal: EncodedImage
    high_quality: EncodedImage


def encode_variants(pixels: Pixels, *, xmp: bytes | None = None) -> Variants:
    """Both files, in sRGB with its profile, without EXIF. `xmp`: a packet to write into each.

    Equal pixels and packets give equal bytes.
    """
    height, width = pixels.shape[:2]
    jpeg = encode_jpeg(pixels, quality=NORMAL_QUALITY, xmp=xmp)
    webp = io.BytesIO()
    Image.fromarray(pixels).save(
        webp, "WEBP", quality=HIGH_QUALITY, method=_METHOD, icc_profile=srgb_profile(), xmp=xmp or b""
    )
    return Variants(
        EncodedImage(jpeg, width, height, "image/jpeg"), EncodedImage(webp.getvalue(), width, height, "image/webp")
    )
