"""Planes as a JPEG file: baseline, chroma 4:2:0, in sRGB with its profile; without EXIF and comments."""

from __future__ import annotations

import numpy as np
import simplejpeg

from posegen.images.color_profile import srgb_profile
from posegen.images.framing import Size, Window
from posegen.images.jpeg_header import write_header
from posegen.images.pixels import Pixels
from posegen.images.planes import Planes, planes_of, resample


def encode_planes(planes: Planes, size: Size, *, quality: int, dpi: int = 72, xmp: bytes | None = None) -> bytes:
    """The file of planes whose luma has even sides and whose chroma has half of them. `xmp`: a packet to write into it.

    `size`: of the picture, whose sides may be odd: then luma has one row or column more, which decides what the last
    chroma samples are mixed with. Equal planes give equal bytes.
    """
    width, height = size
    if planes.size != (width + width % 2, height + height % 2):
        raise ValueError(f"luma is {planes.size}, for a picture of {size} with even sides")
    # The encoder takes the size from here and reads the even row and column beyond it: a view, never a copy.
    luma = planes.luma[:height, :width]
    jpeg = simplejpeg.encode_jpeg_yuv_planes(luma, planes.blue, planes.red, quality)
    return write_header(jpeg, dpi=dpi, icc_profile=srgb_profile(), xmp=xmp)


def encode_jpeg(pixels: Pixels, *, quality: int, dpi: int = 72, xmp: bytes | None = None) -> bytes:
    """A whole picture as it is, at its own size."""
    planes = planes_of(pixels)
    width, height = planes.size
    luma, blue, red = (np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge") for plane in planes.all())
    whole = Window(0, 0, luma.shape[1], luma.shape[0])
    halves = whole.width // 2, whole.height // 2
    blue, red = (resample(plane, whole, halves, averaged=0.5) for plane in (blue, red))
    return encode_planes(Planes(luma, blue, red), (width, height), quality=quality, dpi=dpi, xmp=xmp)
