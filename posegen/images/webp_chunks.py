"""The walk over a WebP's chunks: every one is looked at, none is decoded."""

from __future__ import annotations

from collections.abc import Iterator

from posegen.errors import ImageInvalid
from posegen.images.file_bytes import EndsTooSoon, Header, check_extra, little, moving, part, trailing

MOST_CHUNKS = 1_000

_EXTENDED, _LOSSY, _LOSSLESS, _ALPHA = b"VP8X", b"VP8 ", b"VP8L", b"ALPH"
_PICTURES = {_LOSSY, _LOSSLESS}
_ANIMATED = 0x02
_OF_MOTION = {b"ANIM", b"ANMF"}


def is_webp(data: bytes) -> bool:
    """Whether the first bytes are those of a WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def walk_webp(data: bytes) -> Header:
    """The size of the picture, once all chunks were found to be whole, in order and of a bearable size.

    Raises `ImageInvalid`, or `EndsTooSoon` where the file breaks off.
    """
    promised = little(data, 4, 4) + 8
    if len(data) > promised:
        raise trailing("WEBP", len(data) - promised)
    if len(data) < promised:
        raise EndsTooSoon(len(data))
    first, payload = next(_chunks(data))
    if first in _PICTURES:
        if 20 + len(payload) + len(payload) % 2 != len(data):
            raise ImageInvalid("The WebP has more than a picture in it, and no header that says so.")
        return _picture_size(first, payload)
    if first != _EXTENDED:
        raise ImageInvalid(f"The WebP does not begin with a picture: found {ascii(first)[1:]}.")
    return _walk_extended(data, payload)


def _walk_extended(data: bytes, header: bytes) -> Header:
    if little(header, 0, 1) & _ANIMATED:
        raise moving("WEBP", "animated")
    canvas = Header("WEBP", little(header, 4, 3) + 1, little(header, 7, 3) + 1)
    pictures: list[Header] = []
    seen: set[bytes] = set()
    extra = 0
    for number, (name, payload) in enumerate(_chunks(data)):
        if number >= MOST_CHUNKS:
            raise ImageInvalid(f"The WebP has more than {MOST_CHUNKS:,} chunks. Save it again.")
        _check_order(name, seen)
        if name in _PICTURES:
            pictures.append(_picture_size(name, payload))
        elif name not in (_EXTENDED, _ALPHA):
            extra += 8 + len(payload)
            check_extra("WEBP", extra)
        seen.add(name)
    if not pictures:
        raise ImageInvalid("The WebP ends without a picture.")
    picture = pictures[0]
    if picture != canvas:
        raise ImageInvalid(
            f"The WebP names two sizes: {canvas.width}x{canvas.height} and {picture.width}x{picture.height}."
        )
    return picture


def _check_order(name: bytes, seen: set[bytes]) -> None:
    if name in _OF_MOTION:
        raise moving("WEBP", ascii(name)[2:-1])
    if name in _PICTURES and seen & _PICTURES:
        raise moving("WEBP", "two frames")
    if name in (_EXTENDED, _ALPHA) and (name in seen or seen & _PICTURES):
        raise ImageInvalid(f"The WebP has a chunk {ascii(name)[2:-1]} in the wrong place.")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents, in order."""
    at = 12
    while at < len(data) or at == 12:
        name, length = part(data, at, 4), little(data, at + 4, 4)
        yield name, part(data, at + 8, length)
        at += 8 + length + length % 2
    if at != len(data):
        raise EndsTooSoon(at)


def _picture_size(name: bytes, payload: bytes) -> Header:
    if name == _LOSSLESS:
        bits = little(payload, 1, 4)
        if payload[0] != 0x2F or bits >> 29:
            raise ImageInvalid("The WebP is damaged: its lossless picture does not begin as one does.")
        return Header("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if part(payload, 3, 3) != b"\x9d\x01\x2a" or payload[0] & 1:
        raise ImageInvalid("The WebP is damaged: its picture does not begin as one does.")
    return Header("WEBP", little(payload, 6, 2) & 0x3FFF, little(payload, 8, 2) & 0x3FFF)
