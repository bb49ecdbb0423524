"""What the first bytes of a picture say: its format and size, read without a decoder. PNG, JPEG and WebP only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from posegen.errors import ImageInvalid

Format: TypeAlias = Literal["PNG", "JPEG", "WEBP"]

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_JPEG_MAGIC = b"\xff\xd8\xff"
_JPEG_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA


@dataclass(frozen=True)
class Header:
    """`width`, `height`: pixels, as the file claims them."""

    format: Format
    width: int
    height: int


def read_header(data: bytes) -> Header:
    """Raises `ImageInvalid` for any other format, and for a file that ends before its header does."""
    try:
        if data.startswith(_PNG_MAGIC):
            return _read_png(data)
        if data.startswith(_JPEG_MAGIC):
            return _read_jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _read_webp(data)
    except IndexError:
        raise ImageInvalid(f"The picture is truncated: {len(data):,} bytes end within its header.") from None
    raise ImageInvalid(
        f"The file is no picture that is accepted here: it starts with {data[:12].hex(' ') or 'nothing'}. "
        "Send a PNG, JPEG or WebP."
    )


def _read_png(data: bytes) -> Header:
    if data[12:16] != b"IHDR":
        raise ImageInvalid(f"The PNG does not begin with its header: found {data[12:16]!r} instead of IHDR.")
    if not data.endswith(_PNG_END):
        raise ImageInvalid(
            f"The PNG is truncated, or something was appended to it: its {len(data):,} bytes do not end as a PNG does."
        )
    return Header("PNG", _big(data, 16, 4), _big(data, 20, 4))


def _read_jpeg(data: bytes) -> Header:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ImageInvalid(f"The JPEG is damaged: byte {at:,} should begin a marker and is {data[at]:#04x}.")
        while data[at] == 0xFF:  # any number of fill bytes may come before a marker
            at += 1
        marker = data[at]
        if marker in _JPEG_FRAMES:
            return Header("JPEG", _big(data, at + 6, 2), _big(data, at + 4, 2))
        if marker == _JPEG_SCAN:
            raise ImageInvalid("The JPEG is damaged: its picture data begins before its size was named.")
        at += 1 if marker in _JPEG_ALONE else 1 + _big(data, at + 1, 2)


def _read_webp(data: bytes) -> Header:
    promised = _little(data, 4, 4) + 8
    if len(data) != promised:
        raise ImageInvalid(
            f"The WebP is truncated, or something was appended to it: it promises {promised:,} bytes "
            f"and has {len(data):,}."
        )
    kind = data[12:16]
    if kind == b"VP8X":
        return Header("WEBP", _little(data, 24, 3) + 1, _little(data, 27, 3) + 1)
    if kind == b"VP8L":
        bits = _little(data, 21, 4)
        return Header("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        return Header("WEBP", _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF)
    raise ImageInvalid(f"The WebP does not begin with a picture: found {kind!r}.")


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_slice(data, at, size), "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_slice(data, at, size), "little")


def _slice(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise IndexError(at)
    return data[at : at + size]
