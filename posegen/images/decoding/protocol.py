"""What the two ends of a decoder's channel say to each other: fixed numbers, then bytes. Nothing is unpickled.

ready     one byte: whether system calls are filtered
request   format, width, height, size; the file
answer    0, width, height, size; the pixels, three bytes each, row by row
          1, 0, 0, size; a sentence that says why not
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from posegen.images.file_bytes import Format, Header

REQUEST = struct.Struct("<BIII")
ANSWER = struct.Struct("<BIII")
PIXELS, REFUSED = 0, 1
LONGEST_SENTENCE = 500

_FORMATS: tuple[Format, ...] = ("PNG", "JPEG", "WEBP")


@dataclass(frozen=True)
class Request:
    """A file to decode. `size`: bytes that follow."""

    header: Header
    size: int

    def packed(self) -> bytes:
        """As it goes over the channel."""
        return REQUEST.pack(_FORMATS.index(self.header.format), self.header.width, self.header.height, self.size)

    @classmethod
    def unpacked(cls, data: bytes) -> Request:
        """What `packed` was made of."""
        kind, width, height, size = REQUEST.unpack(data)
        return cls(Header(_FORMATS[kind], width, height), size)


def sentence(refusal: str) -> bytes:
    """A refusal as it goes over the channel."""
    return refusal.encode()[:LONGEST_SENTENCE]


def heard(data: bytes) -> str:
    """A refusal as it came over the channel. The other end may have been taken over: only what can be shown is kept."""
    return "".join(letter for letter in data.decode(errors="replace") if letter.isprintable())


def in_full(read: Callable[[int], bytes], size: int) -> bytes:
    """`size` bytes out of a channel that gives some at a time. Raises `EOFError` when it ends before."""
    parts = []
    while size:
        found = read(min(size, 1 << 20))
        if not found:
            raise EOFError
        parts.append(found)
        size -= len(found)
    return b"".join(parts)
