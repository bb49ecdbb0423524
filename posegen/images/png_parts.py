"""A PNG taken apart: the picture for the decoder, and what is said beside it, by the rules of libpng 1.6.

The file has passed the walk (`png_chunks`). A decoder gets none of its other chunks to misread.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from posegen.images.file_bytes import MOST_EXTRA_BYTES, big
from posegen.images.png_chunks import CHANNELS, MAGIC
from posegen.images.png_text import raw_profile

GREY, RGB, PALETTE = 0, 2, 3

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The seven passes of an interlaced picture: first column and row, and the steps to the next ones."""
_PORTION = 1 << 20  # bytes that are unpacked at once

_OF_THE_PICTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_KEY_BYTES = {GREY: 2, RGB: 6}
_EXIF_START = b"Exif\0\0"


@dataclass(frozen=True)
class PngParts:
    """What a PNG holds.

    `picture`: a PNG of nothing but header, palette and pixels; `transparency`: the content of the tRNS chunk that
    counts; `profile`: ICC; `exif`: the first block of it.
    """

    picture: bytes
    transparency: bytes | None
    profile: bytes | None
    exif: bytes | None

    @property
    def bits(self) -> int:
        """Of each sample."""
        return self.picture[24]

    @property
    def colours(self) -> int:
        """The colour type."""
        return self.picture[25]

    @property
    def is_interlaced(self) -> bool:
        """Whether the pixels are stored in seven passes."""
        return self.picture[28] == 1

    @property
    def key(self) -> tuple[int, ...] | None:
        """The samples of the colour that is transparent; None without one, and for palettes."""
        if self.transparency is None or self.colours == PALETTE:
            return None
        highest = 2**self.bits - 1  # a key may be written with bits that no sample has; they do not count
        return tuple(big(self.transparency, at, 2) & highest for at in range(0, len(self.transparency), 2))

    def has_all_rows(self) -> bool:
        """Whether the data go on to the last row. Unpacks them all; Pillow leaves black what is missing."""
        missing = self._row_bytes()
        inflater = zlib.decompressobj()
        with suppress(zlib.error):  # behind the last row it does no harm
            for name, start, end in _chunks(self.picture):
                piece = self.picture[start + 8 : end - 4] if name == b"IDAT" else b""
                while piece and missing > 0:
                    missing -= len(inflater.decompress(piece, _PORTION))
                    piece = inflater.unconsumed_tail
        return missing <= 0

    def _row_bytes(self) -> int:
        """Of all passes: a byte for the filter of each row, and its samples."""
        total, width, height = 0, big(self.picture, 16, 4), big(self.picture, 20, 4)
        for left, top, across, down in _ADAM7 if self.is_interlaced else ((0, 0, 1, 1),):
            columns, rows = -(-(width - left) // across), -(-(height - top) // down)
            if columns > 0:
                total += max(rows, 0) * (1 + (columns * CHANNELS[self.colours] * self.bits + 7) // 8)
        return total


def take_apart(data: bytes) -> PngParts:
    """The parts of a PNG that the walk has found to be whole.

    tRNS counts between palette and picture, when it has the length that its colour type asks for; the first such
    chunk counts, and the first iCCP before the picture that can be unpacked.
    """
    whole = memoryview(data)
    kept = [whole[: len(MAGIC)]]
    bits, colours = data[24], data[25]
    entries = 0
    transparency = profile = exif = exif_text = None
    is_ahead = True  # of the picture
    for name, start, end in _chunks(data):
        payload = whole[start + 8 : end - 4]
        if name in _OF_THE_PICTURE:
            kept.append(whole[start:end])
        if name == b"PLTE":
            entries, transparency = min(len(payload) // 3, 2**bits), None
        elif name == b"IDAT":
            is_ahead = False
        elif name == b"tRNS" and is_ahead and transparency is None and _counts(len(payload), colours, entries):
            transparency = bytes(payload)
        elif name == b"iCCP" and is_ahead and profile is None:
            profile = _unpacked(bytes(payload))
        elif name == b"eXIf" and exif is None:
            exif = bytes(payload)
        elif name in (b"tEXt", b"zTXt") and exif_text is None:
            exif_text = _exif_in_text(name, bytes(payload))
    picture = b"".join(kept) if sum(map(len, kept)) < len(data) else data
    return PngParts(picture, transparency, profile, exif_text if exif is None else exif)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and end of each."""
    at = len(MAGIC)
    while at < len(data):
        end = at + 12 + big(data, at, 4)
        yield data[at + 4 : at + 8], at, end
        at = end


def _counts(length: int, colours: int, entries: int) -> bool:
    return 1 <= length <= entries if colours == PALETTE else length == _KEY_BYTES.get(colours)


def _unpacked(chunk: bytes) -> bytes | None:
    """The profile of an iCCP chunk: behind a name that ends in a zero byte, and the number of the compression, 0."""
    _, _, rest = chunk.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(rest[1:], MOST_EXTRA_BYTES) if rest[:1] == b"\0" else None
    except zlib.error:
        return None


def _exif_in_text(name: bytes, payload: bytes) -> bytes | None:
    kind, content = raw_profile(name, payload, MOST_EXTRA_BYTES) or (b"", b"")
    is_exif = kind == b"exif" or (kind == b"app1" and content.startswith(_EXIF_START))
    return content if is_exif else None
