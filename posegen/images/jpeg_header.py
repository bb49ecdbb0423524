"""The segments that begin a JPEG: size in print, provenance, colour profile. The picture itself is not touched.

What the encoder wrote about itself is replaced. Reading headers of files from outside is `headers`' business.
"""

from __future__ import annotations

import struct

_START = b"\xff\xd8"
_APP0, _APP1, _APP2 = b"\xff\xe0", b"\xff\xe1", b"\xff\xe2"
_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_ICC = b"ICC_PROFILE\x00"
_DOTS_PER_INCH = 1
_MOST_BYTES = 65_533  # of a segment: its length counts itself and has 16 bits
LONGEST_XMP = _MOST_BYTES - len(_XMP)


def write_header(jpeg: bytes, *, dpi: int, icc_profile: bytes, xmp: bytes | None = None) -> bytes:
    """`jpeg`, which begins with a JFIF segment, with these segments instead of that one.

    `xmp`: a bare packet of at most `LONGEST_XMP` bytes. Raises `ValueError` for a longer one.
    """
    if jpeg[:4] != _START + _APP0:
        raise ValueError(f"the JPEG begins with {jpeg[:4].hex()}, not with a JFIF segment")
    picture = memoryview(jpeg)[4 + int.from_bytes(jpeg[4:6], "big") :]
    segments = [_segment(_APP0, struct.pack(">5sBBBHHBB", b"JFIF\x00", 1, 2, _DOTS_PER_INCH, dpi, dpi, 0, 0))]
    if xmp is not None:
        segments.append(_segment(_APP1, _XMP + xmp))
    segments += _profile_segments(icc_profile)
    return b"".join([_START, *segments, picture])


def _profile_segments(profile: bytes) -> list[bytes]:
    """A profile takes as many segments as it needs; each says which of how many it is."""
    room = _MOST_BYTES - len(_ICC) - 2
    parts = [profile[at : at + room] for at in range(0, len(profile), room)]
    return [_segment(_APP2, _ICC + bytes([number, len(parts)]) + part) for number, part in enumerate(parts, start=1)]


def _segment(marker: bytes, payload: bytes) -> bytes:
    if len(payload) > _MOST_BYTES:
        raise ValueError(f"a JPEG segment holds {_MOST_BYTES:,} bytes, not {len(payload):,}")
    return marker + struct.pack(">H", len(payload) + 2) + payload
