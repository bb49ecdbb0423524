"""The walk over a PNG's chunks: every one is looked at, none is decoded."""

from __future__ import annotations

import zlib

from posegen.errors import ImageInvalid
from posegen.images.file_bytes import MOST_EXTRA_BYTES, Header, big, check_extra, moving, part, trailing

MAGIC = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel, by colour type."""
MOST_CHUNKS = 20_000
"""Encoders split the picture into chunks of 8 kB and more; 20,000 are 10 MB in chunks of 500 bytes."""

_BIT_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PALETTE = 3
_MOST_ENTRIES = 256
_OF_THE_PICTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_OF_MOTION = {b"acTL", b"fcTL", b"fdAT"}
_ANCILLARY = 0x20  # in the first letter of a chunk's name
_COMPRESSED = {b"iCCP", b"zTXt", b"iTXt"}


def walk_png(data: bytes) -> Header:
    """What the header says, once all chunks were found to be whole, known, in order and of a bearable size.

    Raises `ImageInvalid`, or `EndsTooSoon` where the file breaks off.
    """
    walk = _Walk()
    at = len(MAGIC)
    while not walk.ended:
        length, name = big(data, at, 4), part(data, at + 4, 4)
        payload = part(data, at + 8, length)
        if zlib.crc32(payload, zlib.crc32(name)) != big(data, at + 8 + length, 4):
            raise ImageInvalid(f"The PNG is damaged: the checksum of its chunk {_shown(name)} at byte {at:,} is wrong.")
        walk.take(name, payload)
        at += 12 + length
    if at != len(data):
        raise trailing("PNG", len(data) - at)
    return walk.header()


class _Walk:
    """What the chunks so far have told."""

    def __init__(self) -> None:
        self._chunks = self._extra = self._swollen = 0
        self._header: Header | None = None
        self._colour_type = 0
        self._before = b""
        self._seen: set[bytes] = set()

    @property
    def ended(self) -> bool:
        return self._before == b"IEND"

    def header(self) -> Header:
        if self._header is None or b"IDAT" not in self._seen:
            raise ImageInvalid("The PNG ends without a picture.")
        return self._header

    def take(self, name: bytes, payload: bytes) -> None:
        self._chunks += 1
        if self._chunks > MOST_CHUNKS:
            raise ImageInvalid(f"The PNG has more than {MOST_CHUNKS:,} chunks. Save it again.")
        self._check_order(name)
        if name == b"IHDR":
            self._header, self._colour_type = _read_header(payload)
        elif name == b"PLTE":
            self._check_palette(payload)
        elif name not in _OF_THE_PICTURE:
            self._take_extra(name, payload)
        self._seen.add(name)
        self._before = name

    def _check_order(self, name: bytes) -> None:
        if (name == b"IHDR") is not (self._header is None):
            raise ImageInvalid(
                f"The PNG begins with {_shown(name)} instead of its header."
                if self._header is None
                else "The PNG has two headers."
            )
        if name in _OF_MOTION:
            raise moving("PNG", _shown(name))
        if name not in _OF_THE_PICTURE and not name[0] & _ANCILLARY:
            raise ImageInvalid(f"The PNG has a chunk {_shown(name)} that is in no standard. Save it again.")
        if name == b"PLTE" and self._seen & {b"PLTE", b"IDAT"}:
            raise ImageInvalid("The PNG has a palette in the wrong place.")
        if name == b"IDAT" and self._before != b"IDAT":
            if b"IDAT" in self._seen:
                raise ImageInvalid("The PNG holds its picture in two parts.")
            if self._colour_type == _PALETTE and b"PLTE" not in self._seen:
                raise ImageInvalid("The PNG has colours out of a palette, and no palette.")

    def _check_palette(self, payload: bytes) -> None:
        """A palette that merely recommends colours may have any length; it is left aside."""
        if self._colour_type == _PALETTE and (len(payload) % 3 or not 1 <= len(payload) // 3 <= _MOST_ENTRIES):
            raise ImageInvalid(
                f"The PNG's palette has {len(payload):,} bytes; 3 for each of 1 to {_MOST_ENTRIES} colours are right."
            )

    def _take_extra(self, name: bytes, payload: bytes) -> None:
        self._extra += 12 + len(payload)
        check_extra("PNG", self._extra)
        if name in _COMPRESSED:
            self._swollen += _inflated_size(_compressed_part(name, payload), MOST_EXTRA_BYTES - self._swollen + 1)
        if self._swollen > MOST_EXTRA_BYTES:
            raise ImageInvalid(
                f"The PNG's chunk {_shown(name)} is a bomb: its {len(payload):,} bytes swell until all texts together "
                f"take more than {MOST_EXTRA_BYTES:,} bytes."
            )


def _read_header(payload: bytes) -> tuple[Header, int]:
    if len(payload) != 13:
        raise ImageInvalid(f"The PNG's header has {len(payload)} bytes; 13 are right.")
    bits, colour_type, compression, filtering, interlacing = payload[8:]
    if bits not in _BIT_DEPTHS.get(colour_type, ()) or compression or filtering or interlacing > 1:
        raise ImageInvalid(f"The PNG's header names a kind of picture that does not exist: {payload[8:].hex(' ')}.")
    pixel_bytes = max(1, CHANNELS[colour_type] * bits // 8)
    return Header("PNG", big(payload, 0, 4), big(payload, 4, 4), pixel_bytes), colour_type


def _inflated_size(compressed: bytes, limit: int) -> int:
    """Bytes that a zlib stream comes to; at `limit` it is not followed any further."""
    try:
        return len(zlib.decompressobj().decompress(compressed, limit))
    except zlib.error:
        return 0  # a text that cannot be read is harmless


def _compressed_part(name: bytes, payload: bytes) -> bytes:
    """The zlib stream of a text or profile: after a keyword that ends in a zero byte, and what else the kind has."""
    _, _, rest = payload.partition(b"\0")
    if name != b"iTXt":
        return rest[1:]
    is_compressed = rest[:1] == b"\1"
    return rest[2:].split(b"\0", 2)[-1] if is_compressed else b""


def _shown(name: bytes) -> str:
    return ascii(name.decode("latin-1"))[1:-1]
