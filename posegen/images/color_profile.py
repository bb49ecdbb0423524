"""The sRGB profile that every JPEG export carries, so that print and wide-gamut screens show the colours meant."""

from __future__ import annotations

import functools

from PIL import ImageCms

_CREATED = slice(24, 36)
_FIXED_DATE = bytes.fromhex("07ea 000b 0001 0000 0000 0000")  # 2026-11-01: six numbers of 16 bits


@functools.cache
def srgb_profile() -> bytes:
    """An ICC profile. Little CMS writes the time of creation into it; a fixed date keeps equal exports equal."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_CREATED] = _FIXED_DATE
    return bytes(profile)
