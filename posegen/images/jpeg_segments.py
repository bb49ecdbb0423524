"""The walk over a JPEG's segments and scans, from its start to its end: every one is looked at, none is decoded."""

from __future__ import annotations

import re

from posegen.errors import ImageInvalid
from posegen.images.file_bytes import Header, big, check_extra, moving, part, trailing

MAGIC = b"\xff\xd8\xff"
MOST_SCANS = 64
MOST_SCANNED_PIXELS = 400_000_000
"""Of all scans together. A progressive JPEG has about ten; each one costs the decoder a pass over the whole picture,
which for 17 megapixels takes up to 15 ms."""
MOST_SEGMENTS = 2_000

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_FRAMES_TAKEN = {0xC0, 0xC1, 0xC2}
_TABLES = {0xC4, 0xDB, 0xDD}  # Huffman, quantization, restart interval
_APPLICATIONS = range(0xE0, 0xF0)
_SEVERAL_PICTURES = 0xE2, b"MPF\0"
_MOST_COMPONENTS = (1, 3, 4)
_NO_FILL = re.compile(rb"[^\xff]")
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # within a scan: neither a stuffed byte nor a restart


def walk_jpeg(data: bytes) -> Header:
    """What the frame header says, once all segments were found to be whole, known and of a bearable size and number.

    Raises `ImageInvalid`, or `EndsTooSoon` where the file breaks off.
    """
    walk = _Walk()
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ImageInvalid(f"The JPEG is damaged: byte {at:,} should begin a marker and is {data[at]:#04x}.")
        marker_at = _after_fill(data, at)
        marker, at = data[marker_at], marker_at + 1
        if marker == _END:
            break
        _check_known(marker)
        length = big(data, at, 2)
        walk.take(marker, part(data, at + 2, max(0, length - 2)), length)
        at += length
        if marker == _SCAN:
            at = _end_of_scan(data, at)
    if at != len(data):
        raise trailing("JPEG", len(data) - at)
    return walk.header()


class _Walk:
    """What the segments so far have told."""

    def __init__(self) -> None:
        self._segments = self._scans = self._extra = 0
        self._header: Header | None = None

    def header(self) -> Header:
        if self._header is None or not self._scans:
            raise ImageInvalid("The JPEG ends without a picture.")
        return self._header

    def take(self, marker: int, payload: bytes, length: int) -> None:
        if length < 2:
            raise ImageInvalid(f"The JPEG is damaged: a segment {marker:#04x} says that it is {length} bytes long.")
        self._segments += 1
        if self._segments > MOST_SEGMENTS:
            raise ImageInvalid(f"The JPEG has more than {MOST_SEGMENTS:,} segments. Save it again.")
        if marker in _FRAMES:
            self._take_frame(marker, payload)
        elif marker == _SCAN:
            self._take_scan()
        elif marker not in _TABLES:
            self._take_extra(marker, payload)

    def _take_frame(self, marker: int, payload: bytes) -> None:
        if self._header is not None:
            raise ImageInvalid("The JPEG has two frame headers; it must hold a single picture.")
        if marker not in _FRAMES_TAKEN:
            raise ImageInvalid(
                f"The JPEG is lossless, hierarchical or arithmetic (frame {marker:#04x}), which is not accepted. "
                "Save it as a baseline or progressive one."
            )
        bits, components = big(payload, 0, 1), big(payload, 5, 1)
        if bits != 8:
            raise ImageInvalid(f"The JPEG has {bits} bits to a colour; 8 are accepted.")
        if components not in _MOST_COMPONENTS or len(payload) != 6 + 3 * components:
            raise ImageInvalid(
                f"The JPEG has {components} colour components in {len(payload)} bytes; 1, 3 or 4 are right."
            )
        self._header = Header("JPEG", big(payload, 3, 2), big(payload, 1, 2))

    def _take_scan(self) -> None:
        if self._header is None:
            raise ImageInvalid("The JPEG is damaged: its picture data begins before its size was named.")
        self._scans += 1
        most = min(MOST_SCANS, MOST_SCANNED_PIXELS // max(1, self._header.width * self._header.height))
        if self._scans > max(1, most):
            raise ImageInvalid(
                f"The JPEG has more than {most} scans, each of which costs a pass over the whole picture. Save it with "
                "ten or fewer."
            )

    def _take_extra(self, marker: int, payload: bytes) -> None:
        application, sign = _SEVERAL_PICTURES
        if marker == application and payload.startswith(sign):
            raise moving("JPEG", "MPF")
        self._extra += 4 + len(payload)
        check_extra("JPEG", self._extra)


def _check_known(marker: int) -> None:
    if marker == _START:
        raise ImageInvalid("Another JPEG begins within the JPEG; it must hold a single picture.")
    if marker not in _FRAMES | _TABLES and marker not in _APPLICATIONS and marker not in (_SCAN, _COMMENT):
        raise ImageInvalid(f"The JPEG has a segment {marker:#04x} that pictures do not have. Save it again.")


def _after_fill(data: bytes, at: int) -> int:
    """Any number of fill bytes may come before a marker."""
    found = _NO_FILL.search(data, at)
    return len(data) if found is None else found.start()


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the marker after a scan's coded data is. Raises `EndsTooSoon` when there is none."""
    found = _NEXT_MARKER.search(data, at)
    return len(data) if found is None else found.start()
