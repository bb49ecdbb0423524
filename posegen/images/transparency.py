"""Whether the file of a picture can be transparent, read from its structure without a decoder."""

from __future__ import annotations

from posegen.images.file_bytes import big
from posegen.images.headers import format_of

_GREY_WITH_ALPHA, _COLOURS_WITH_ALPHA = 4, 6
_COLOUR_TYPE = 25
_FIRST_CHUNK = 8
_ALPHA = 0x10  # the same bit in the flags of an extended WebP and in the header of a lossless one


def may_be_transparent(data: bytes) -> bool:
    """Whether a PNG or WebP has an alpha channel or a transparent colour. `data`: passed `examine`."""
    kind = format_of(data)
    if kind == "PNG":
        return data[_COLOUR_TYPE] in (_GREY_WITH_ALPHA, _COLOURS_WITH_ALPHA) or b"tRNS" in _png_chunks(data)
    if kind == "WEBP":
        first = data[12:16]
        return bool((first == b"VP8X" and data[20] & _ALPHA) or (first == b"VP8L" and data[24] & _ALPHA))
    return False


def _png_chunks(data: bytes) -> list[bytes]:
    kinds, at = [], _FIRST_CHUNK
    while at + 8 <= len(data):
        kinds.append(data[at + 4 : at + 8])
        at += 12 + big(data, at, 4)
    return kinds
