"""Damaged pictures without end: small good ones changed at random, checksums and lengths put right or left wrong."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterator, Sequence

from PIL import Image

from tests.hostile_images import chunk, encoded, moving, progressive, with_scans
from tests.icc_profiles import grey, press, wide_rgb

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_JPEG_MARKERS = bytes([*range(0xC0, 0x100), 1])


def seeds() -> list[bytes]:
    """Small good pictures of every kind that is accepted, and two that move."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        *(encoded("PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1")),
        encoded("PNG", icc_profile=wide_rgb(), exif=exif),
        encoded("PNG", "L", icc_profile=grey(1.8)),
        *(encoded("JPEG", mode, quality=30) for mode in ("RGB", "L", "CMYK")),
        encoded("JPEG", "CMYK", quality=30, icc_profile=press()),
        encoded("JPEG", quality=30, progressive=True, exif=exif, icc_profile=wide_rgb()),
        encoded("JPEG", quality=30, restart_marker_blocks=4),
        with_scans(12, progressive(64, 64)),
        *(encoded("WEBP", mode, quality=30) for mode in ("RGB", "RGBA")),
        encoded("WEBP", lossless=True, exif=exif, icc_profile=wide_rgb()),
        moving("PNG", 2),
        moving("WEBP", 2),
    ]


def mutants(start: int, count: int, from_seeds: Sequence[bytes]) -> Iterator[bytes]:
    """`count` damaged pictures; the same for the same `start`."""
    chance = random.Random(start)
    for _ in range(count):
        data = chance.choice(from_seeds)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            data = chance.choice(_CHANGES)(chance, data, from_seeds)
        yield data if chance.random() < 0.3 else _put_right(data)


def _flip(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6) if changed else 0):
        # Headers are where most decisions are made.
        reach = min(len(changed), 200) if chance.random() < 0.6 else len(changed)
        changed[chance.randrange(reach)] = chance.randrange(256)
    return bytes(changed)


def _set_number(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    number = chance.choice(_NUMBERS)
    form = chance.choice((">I", "<I", ">H", "<H", "B"))
    packed = struct.pack(form, number & (256 ** struct.calcsize(form) - 1))
    return data[:at] + packed + data[at + len(packed) :]


def _cut(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _drop(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + data[end:]


def _repeat(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, data)
    return data[:end] + data[start:end] * chance.randint(1, 3) + data[end:]


def _insert(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.randint(1, 40)) + data[at:]


def _splice(chance: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]


def _append(chance: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data + (chance.choice(others) if chance.random() < 0.3 else chance.randbytes(chance.randint(1, 30)))


def _mark(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Another marker in a JPEG, or other letters where a chunk has its name."""
    found = [match.start() for match in re.finditer(rb"\xff[\xc0-\xfe]|[A-Za-z]{4}", data[:4000])]
    if not found:
        return data
    at = chance.choice(found) + 1
    return data[:at] + bytes([chance.choice(_JPEG_MARKERS)]) + data[at + 1 :]


def _reorder(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, data)
    to = chance.randrange(len(data) - (end - start) + 1)
    rest = data[:start] + data[end:]
    return rest[:to] + data[start:end] + rest[to:]


_CHANGES: tuple[Callable[[random.Random, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flip, _flip, _flip, _set_number, _set_number, _cut, _drop),
    *(_repeat, _insert, _splice, _append, _mark, _reorder),
)


def _span(chance: random.Random, data: bytes) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 2, 4, 12, 40, 200, 2000)))


def _put_right(data: bytes) -> bytes:
    """With the checksums and lengths that the contents call for, so that damage gets past the first look."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data[:8] + b"".join(_chunks_put_right(data))
    if data[:4] == b"RIFF":
        return data[:4] + struct.pack("<I", max(0, len(data) - 8)) + data[8:]
    return data


def _chunks_put_right(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        yield chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    yield data[at:]
