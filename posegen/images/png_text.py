"""Profiles that ImageMagick and its kin write into a PNG as text: hexadecimal digits under a keyword of their own."""

from __future__ import annotations

import zlib
from contextlib import suppress

_KEYWORD = b"Raw profile type "


def raw_profile(chunk: bytes, payload: bytes, limit: int) -> tuple[bytes, bytes] | None:
    """Kind (`exif`, `xmp` ...) and content of a profile in a text chunk, or None where there is none to be read.

    `chunk`: tEXt or zTXt; `limit`: bytes of text that are unpacked at most.
    """
    keyword, _, text = payload.partition(b"\0")
    if not keyword.startswith(_KEYWORD):
        return None
    with suppress(zlib.error, ValueError):
        if chunk == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], limit)
        # An empty line, one with the kind, one with the number of bytes, and the digits in lines of 72.
        _, _, size, digits = text[:limit].decode("ascii").split("\n", 3)
        content = bytes.fromhex(digits)
        if len(content) == int(size):
            return keyword.removeprefix(_KEYWORD).lower(), content
    return None
