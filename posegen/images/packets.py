"""Finding the XMP packet in a PNG, JPEG or WebP by walking its parts: nothing is decoded, and little of it is read.

What the packet says is read in `xmp` and `provenance`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from posegen.images.png_text import raw_profile
from posegen.images.xmp import LARGEST_PACKET

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_TEXTS = {b"iTXt", b"tEXt", b"zTXt"}
_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_JPEG_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_APP1, _JPEG_SCAN = 0xE1, 0xDA
_MOST_PARTS = 10_000
"""Chunks or segments that are looked at; a file with millions of empty ones is no picture."""


def find_packet(file: BinaryIO) -> bytes | None:
    """The first XMP packet of a file that is open for reading and can seek, or None when there is none to be found.

    Returns None for any other kind of file, and for one that is damaged before its packet. A packet of more than
    `LARGEST_PACKET` bytes comes cut off behind that.
    """
    file.seek(0)
    magic = file.read(12)
    if magic.startswith(_PNG_MAGIC):
        return next(_in_png(file), None)
    if magic.startswith(b"\xff\xd8\xff"):
        return next(_in_jpeg(file), None)
    if magic[:4] == b"RIFF" and magic[8:12] == b"WEBP":
        return next(_in_webp(file), None)
    return None


def _in_png(file: BinaryIO) -> Iterator[bytes]:
    at = len(_PNG_MAGIC)
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        size = int.from_bytes(head[:4], "big")
        if head[4:] in _PNG_TEXTS and (packet := _png_text(head[4:], file.read(min(size, LARGEST_PACKET)))) is not None:
            yield packet
        at += 12 + size


def _png_text(name: bytes, chunk: bytes) -> bytes | None:
    """The packet in a text chunk of this name: under XMP's own keyword, or as ImageMagick writes it."""
    if name == b"iTXt":
        return _international_text(chunk)
    kind, content = raw_profile(name, chunk, 2 * LARGEST_PACKET) or (b"", b"")
    if kind == b"app1" and content.startswith(_JPEG_PREFIX):
        return content.removeprefix(_JPEG_PREFIX)
    return content if kind == b"xmp" else None


def _international_text(chunk: bytes) -> bytes | None:
    """The text of an iTXt chunk under XMP's keyword: two flags, then language and translated keyword, then it."""
    if not chunk.startswith(_PNG_KEYWORD):
        return None
    flags, rest = chunk[len(_PNG_KEYWORD) :][:2], chunk[len(_PNG_KEYWORD) + 2 :]
    parts = rest.split(b"\0", 2)
    if len(flags) < 2 or len(parts) < 3:
        return None
    if not flags[0]:
        return parts[2]
    try:
        return zlib.decompressobj().decompress(parts[2], LARGEST_PACKET)
    except zlib.error:
        return None


def _in_jpeg(file: BinaryIO) -> Iterator[bytes]:
    at = 2
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == _JPEG_SCAN:
            return
        if head[1] == 0xFF:  # a fill byte before the marker
            at += 1
            continue
        size = int.from_bytes(head[2:], "big")
        if head[1] == _JPEG_APP1 and (segment := file.read(max(size - 2, 0))).startswith(_JPEG_PREFIX):
            yield segment[len(_JPEG_PREFIX) :]
        at += 2 + max(size, 2)


def _in_webp(file: BinaryIO) -> Iterator[bytes]:
    at = 12
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"XMP ":
            yield file.read(min(size, LARGEST_PACKET))
        at += 8 + size + size % 2
