"""PNG files written chunk by chunk: every bit depth, colour type, filter and interlacing that the format has.

Each file knows its samples, so that a test can say what its pixels are without any decoder.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tests.hostile_images import END, chunk, header, png

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
KINDS = [
    *((bits, GREY) for bits in (1, 2, 4, 8, 16)),
    *((bits, PALETTE) for bits in (1, 2, 4, 8)),
    *((bits, colours) for colours in (RGB, GREY_ALPHA, RGBA) for bits in (8, 16)),
]
"""Bits and colour type of all fifteen kinds of PNG."""

_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass(frozen=True)
class PngFile:
    """A PNG to be written.

    `samples`: (height, width, channels), as the file stores them; `filters`: one for each row, repeated; `palette`:
    (entries, 3); `transparency`: the content of tRNS; `before`, `after`: more chunks, ahead of PLTE and behind IDAT;
    `piece`: bytes in each IDAT, None for a single one; `empty_pieces`: whether empty IDATs lie between them.
    """

    samples: NDArray[np.uint16]
    bits: int
    colours: int
    interlaced: bool = False
    filters: Sequence[int] = (0,)
    palette: NDArray[np.uint8] | None = None
    transparency: bytes | None = None
    before: bytes = b""
    after: bytes = b""
    piece: int | None = None
    empty_pieces: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.samples.shape[1], self.samples.shape[0]

    def data(self) -> bytes:
        """The file."""
        chunks = [header(*self.size, self.bits, self.colours, int(self.interlaced)), self.before]
        if self.palette is not None:
            chunks.append(chunk(b"PLTE", self.palette.tobytes()))
        if self.transparency is not None:
            chunks.append(chunk(b"tRNS", self.transparency))
        return png(*chunks, *self._pieces(), self.after, END)

    def pixels(self) -> NDArray[np.uint8]:
        """(height, width, 3): the upper eight bits of each colour, with transparency laid on white."""
        colour, alpha = self._colour_and_alpha()
        return laid_on_white(colour, alpha)

    def _colour_and_alpha(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(height, width, 3) and (height, width), of eight bits, as libpng expands and strips them."""
        if self.palette is not None:
            table = np.zeros((256, 4), np.uint8)
            table[:, 3] = 255
            table[: len(self.palette), :3] = self.palette
            alphas = self.transparency or b""
            if len(alphas) <= len(self.palette):
                table[: len(alphas), 3] = list(alphas)
            found = table[self.samples[..., 0]]
            return found[..., :3], found[..., 3]
        colours = 1 if self.colours in (GREY, GREY_ALPHA) else 3
        colour = _eight_bit(self.samples[..., :colours], self.bits)
        alpha = np.full(self.samples.shape[:2], 255, np.uint8)
        if self.colours in (GREY_ALPHA, RGBA):
            alpha = _eight_bit(self.samples[..., -1], self.bits)
        elif self.transparency is not None and len(self.transparency) == 2 * colours:
            key = np.frombuffer(self.transparency, ">u2") & (2**self.bits - 1)
            alpha[(self.samples == key).all(axis=2)] = 0
        return np.broadcast_to(colour, (*colour.shape[:2], 3)), alpha

    def _pieces(self) -> list[bytes]:
        data = zlib.compress(self.filtered())
        if self.piece is None:
            return [chunk(b"IDAT", data)]
        parts = [data[at : at + self.piece] for at in range(0, len(data), self.piece)]
        if self.empty_pieces:
            parts = [b"", *(each for part in parts for each in (part, b""))]
        return [chunk(b"IDAT", part) for part in parts]

    def filtered(self) -> bytes:
        """The rows of all passes, each behind the number of its filter."""
        pixel_bytes = max(1, _CHANNELS[self.colours] * self.bits // 8)
        rows, number = [], 0
        for left, top, across, down in _ADAM7 if self.interlaced else _WHOLE:
            passed = self.samples[top::down, left::across]
            if not passed.size:
                continue
            packed = _packed(passed, self.bits)
            above = np.zeros(packed.shape[1], np.uint8)
            for row in packed:
                kind = self.filters[number % len(self.filters)]
                rows.append(bytes([kind]) + _filtered_row(kind, row, above, pixel_bytes).tobytes())
                above, number = row, number + 1
        return b"".join(rows)


def any_png(random: np.random.Generator, bits: int, colours: int, size: tuple[int, int], **options: object) -> PngFile:
    """A file of this kind with random samples, filters and palette; few levels, so that a key is met often."""
    samples = random.integers(0, 2**bits, (size[1], size[0], _CHANNELS[colours]), np.uint16)
    common = random.integers(0, 2**bits, _CHANNELS[colours], np.uint16)
    samples[random.random(samples.shape[:2]) < 0.3] = common
    near = random.random(samples.shape[:2]) < 0.1
    samples[near] = common ^ random.choice([1, 2 ** (bits - 1)])
    palette = None
    if colours == PALETTE:
        palette = random.integers(0, 256, (int(random.integers(1, 2**bits + 1)), 3), np.uint8)
        samples %= len(palette)
    filters = tuple(random.integers(0, 5, 8).tolist())
    return replace(PngFile(samples, bits, colours, filters=filters, palette=palette), **options)


def with_key(random: np.random.Generator, file: PngFile) -> PngFile:
    """The file with transparency: the colour of one of its pixels, or an alpha for some entries of its palette."""
    if file.palette is not None:
        count = int(random.integers(1, len(file.palette) + 1))
        alphas = random.choice([0, 1, 127, 128, 254, 255], count)
        return replace(file, transparency=bytes(alphas.tolist()))
    row, column = (int(random.integers(0, side)) for side in file.samples.shape[:2])
    return replace(file, transparency=file.samples[row, column].astype(">u2").tobytes())


def laid_on_white(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 3): what libpng's own compositing of eight bits gives on white, to the nearest level."""
    opacity = alpha[..., None].astype(np.int64)
    return ((colour * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)


def _eight_bit(samples: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    return (samples >> 8 if bits == 16 else samples * (255 // (2**bits - 1))).astype(np.uint8)


def _packed(samples: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    """(height, bytes of a row)."""
    rows = samples.reshape(samples.shape[0], -1)
    if bits == 16:
        return rows.astype(">u2").view(np.uint8)
    if bits == 8:
        return rows.astype(np.uint8)
    single = (rows[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(single.reshape(rows.shape[0], -1).astype(np.uint8), axis=1)


def _filtered_row(kind: int, row: NDArray[np.uint8], above: NDArray[np.uint8], pixel_bytes: int) -> NDArray[np.uint8]:
    left, corner = (np.concatenate([np.zeros(pixel_bytes, np.uint8), each])[: len(row)] for each in (row, above))
    a, b, c = (each.astype(np.int16) for each in (left, above, corner))
    estimate = a + b - c
    nearest = np.where(
        (abs(estimate - a) <= abs(estimate - b)) & (abs(estimate - a) <= abs(estimate - c)),
        a,
        np.where(abs(estimate - b) <= abs(estimate - c), b, c),
    )
    predicted = (np.zeros_like(a), a, b, (a + b) // 2, nearest)[kind]
    return (row - predicted).astype(np.uint8)


def key(*samples: int) -> bytes:
    """The content of a tRNS chunk that names one colour."""
    return struct.pack(f">{len(samples)}H", *samples)
