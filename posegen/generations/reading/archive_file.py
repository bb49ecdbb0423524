"""ZIP archives whose every byte is known beforehand: from a list of entries to a layout, and to bytes from any offset.

Files are stored, not deflated: pictures are compressed already. Sizes and CRC-32 come with the entries, so that the
length is known before the first byte and no data descriptor is needed. Where the entries' bytes come from, and whether
they are the right ones, is decided by the caller. The format: PKWARE's APPNOTE 6.3.10.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from posegen.errors import ArchiveFailed
from posegen.graphemes import shorten

CHUNK = 256 * 1024
"""Bytes that are read and handed on at once; an archive of any size takes a few of these in memory."""

_LARGEST_32, _LARGEST_16 = 0xFFFFFFFF, 0xFFFF
_STORED, _UTF8 = 0, 1 << 11
_PLAIN, _ZIP64 = 20, 45  # the version of the format that a reader needs
_UNIX = 3 << 8
_REGULAR_FILE = 0o100644 << 16

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")


@dataclass(frozen=True)
class Entry:
    """One file of an archive.

    `name`: its path, parts between slashes, up to 65,535 bytes of UTF-8; `size`: bytes; `crc32`: 0 to 2^32-1;
    `modified`: with time zone; an archive keeps it in UTC, to two seconds, from 1980 on.
    """

    name: str
    size: int
    crc32: int
    modified: datetime


Opener = Callable[[int], BinaryIO]
"""Opens the bytes of the entry with this index, from their beginning. A read may refuse bytes that are not the right
ones: the stream then ends with that error before the last bytes of the entry are given."""


class Archive:
    """The layout of an archive: each entry's header and bytes, one after the other, then the central directory.

    `size`: bytes of the whole archive. Equal entries give equal archives.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._offsets = array("Q")
        at = 0
        for entry in self.entries:
            self._offsets.append(at)
            at += len(_local_header(entry)) + entry.size
        self._directory_at = at
        self._directory_size = sum(
            len(_central_record(*placed)) for placed in zip(self.entries, self._offsets, strict=True)
        )
        self._end = self._end_records()
        self.size = at + self._directory_size + len(self._end)

    def stream(self, open_entry: Opener, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes of the archive from `start` up to `stop`, in chunks of at most `CHUNK`; ends at the archive's end.

        An entry that is given in part is read as a whole, so that its bytes can be verified all the same. Raises
        `ArchiveFailed` for an entry that has another size than was planned, and what the opened files raise.
        """
        if start < 0:
            raise ValueError(f"An archive begins at byte 0, not at {start}.")
        stop = self.size if stop is None else min(stop, self.size)
        if stop <= start:
            return
        first = max(bisect_right(self._offsets, start) - 1, 0)
        for index in range(first, len(self.entries)):
            if self._offsets[index] >= stop:
                return
            yield from self._entry(index, open_entry, start, stop)
        at = self._directory_at
        for record in self._directory():
            yield from _clipped(record, at, start, stop)
            at += len(record)

    def _entry(self, index: int, open_entry: Opener, start: int, stop: int) -> Iterator[bytes]:
        entry, at = self.entries[index], self._offsets[index]
        header = _local_header(entry)
        yield from _clipped(header, at, start, stop)
        at += len(header)
        if entry.size and start < at + entry.size and at < stop:
            yield from _verified_part(entry, open_entry(index), at, start, stop)

    def _directory(self) -> Iterator[bytes]:
        for entry, offset in zip(self.entries, self._offsets, strict=True):
            yield _central_record(entry, offset)
        yield self._end

    def _end_records(self) -> bytes:
        count, size, at = len(self.entries), self._directory_size, self._directory_at
        end = _END.pack(
            b"PK\5\6", 0, 0, *[min(count, _LARGEST_16)] * 2, min(size, _LARGEST_32), min(at, _LARGEST_32), 0
        )
        if count < _LARGEST_16 and size < _LARGEST_32 and at < _LARGEST_32:
            return end
        large = _END_64.pack(b"PK\6\6", _END_64.size - 12, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, at)
        return large + _LOCATOR_64.pack(b"PK\6\7", 0, at + size, 1) + end


def _verified_part(entry: Entry, opened: BinaryIO, at: int, start: int, stop: int) -> Iterator[bytes]:
    """What lies between `start` and `stop`, one chunk late: the last one is given when all of the entry is read."""
    held = b""
    with opened as file:
        begin = at
        while chunk := file.read(CHUNK):
            part = _clip(chunk, at, start, stop)
            at += len(chunk)
            if part:
                if held:
                    yield held
                held = part
    if at - begin != entry.size:
        raise ArchiveFailed(
            f"{entry.name} has {at - begin:,} bytes; {entry.size:,} were planned: plan the archive again."
        )
    yield held


def _clipped(data: bytes, at: int, start: int, stop: int) -> Iterator[bytes]:
    if part := _clip(data, at, start, stop):
        yield part


def _clip(data: bytes, at: int, start: int, stop: int) -> bytes:
    """What of `data`, which lies at `at`, is between `start` and `stop`."""
    return data if start <= at and at + len(data) <= stop else data[max(start - at, 0) : max(stop - at, 0)]


def _local_header(entry: Entry) -> bytes:
    name, large = _encoded(entry), entry.size >= _LARGEST_32
    extra = _extra_64(entry.size, entry.size) if large else b""
    size = min(entry.size, _LARGEST_32)
    return (
        _LOCAL.pack(
            b"PK\3\4", _ZIP64 if large else _PLAIN, _UTF8, _STORED, *_dos_time(entry.modified), entry.crc32, size, size,
            len(name), len(extra),
        )
        + name
        + extra
    )  # fmt: skip


def _central_record(entry: Entry, offset: int) -> bytes:
    """Only what does not fit into 32 bits moves to the extra field, in this order."""
    name = _encoded(entry)
    large = [*([entry.size] * 2 if entry.size >= _LARGEST_32 else []), *([offset] if offset >= _LARGEST_32 else [])]
    extra = _extra_64(*large) if large else b""
    needed = _ZIP64 if large else _PLAIN
    size = min(entry.size, _LARGEST_32)
    return (
        _CENTRAL.pack(
            b"PK\1\2", _UNIX | needed, needed, _UTF8, _STORED, *_dos_time(entry.modified), entry.crc32, size, size,
            len(name), len(extra), 0, 0, 0, _REGULAR_FILE, min(offset, _LARGEST_32),
        )
        + name
        + extra
    )  # fmt: skip


def _extra_64(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


def _encoded(entry: Entry) -> bytes:
    name = entry.name.encode()
    if not 0 < len(name) <= _LARGEST_16:
        raise ArchiveFailed(
            f"A name in an archive has 1 to {_LARGEST_16:,} bytes; {shorten(entry.name, 40)!r} has {len(name):,}."
        )
    return name


def _dos_time(moment: datetime) -> tuple[int, int]:
    """Time and date, in 16 bits each."""
    utc = moment.astimezone(UTC)
    if utc.year < 1980:
        return 0, 1 << 5 | 1
    year = min(utc.year - 1980, 127)
    return utc.hour << 11 | utc.minute << 5 | utc.second // 2, year << 9 | utc.month << 5 | utc.day
