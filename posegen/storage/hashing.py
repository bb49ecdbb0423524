"""What is measured of an object's bytes while they pass by: size, SHA-256 and CRC-32. No files and no keys here."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

CHUNK = 1024 * 1024
"""Bytes read at once from a stream: what a stream of any size costs in memory."""


@dataclass(frozen=True)
class Fingerprint:
    """`size`: bytes; `sha256`: 64 hex digits; `crc32`: 0 to 2^32-1."""

    size: int
    sha256: str
    crc32: int


def fingerprint(data: bytes) -> Fingerprint:
    """The fingerprint of bytes that are at hand.

    >>> fingerprint(b"pose").size
    4
    """
    return Fingerprint(len(data), hashlib.sha256(data).hexdigest(), zlib.crc32(data))


def chunks_of(source: BinaryIO) -> Iterator[bytes]:
    """What is left to read of a stream, in pieces of `CHUNK` bytes. What `read` raises goes through untouched."""
    while chunk := source.read(CHUNK):
        yield chunk


def copy_hashed(chunks: Iterable[bytes], write: Callable[[bytes], object]) -> Fingerprint:
    """Hands every chunk to `write` and tells the fingerprint of all that passed."""
    digest, crc32, size = hashlib.sha256(), 0, 0
    for chunk in chunks:
        digest.update(chunk)
        crc32 = zlib.crc32(chunk, crc32)
        size += len(chunk)
        write(chunk)
    return Fingerprint(size, digest.hexdigest(), crc32)


def fingerprint_stream(source: BinaryIO) -> Fingerprint:
    """The fingerprint of everything that is left to read, in constant memory."""
    return copy_hashed(chunks_of(source), write=len)
