"""Streams that know the hash that their bytes must have. What they are read from is their caller's business."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from posegen.errors import ObjectCorrupt
from posegen.storage.hashing import CHUNK

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def reader_of(chunks: Iterator[bytes], close: Callable[[], object] = lambda: None) -> BinaryIO:
    """The chunks, one after the other, as a stream. `close`: called when the stream is closed."""
    return cast(BinaryIO, io.BufferedReader(_ChunkReader(chunks, close), CHUNK))


def verified(chunks: Iterator[bytes], *, sha256: str | None, size: int, store: str, key: str) -> Iterator[bytes]:
    """The same chunks; the last one is given only when all of them have this size and, where it is known, this hash.

    Raises `ObjectCorrupt`.
    """
    digest, passed = hashlib.sha256(), 0
    for chunk in chunks:
        passed += len(chunk)
        if sha256 is not None:
            digest.update(chunk)
        if passed >= size:
            check_bytes(passed, sha256 and digest.hexdigest(), size=size, sha256=sha256, store=store, key=key)
        yield chunk
    check_bytes(passed, sha256 and digest.hexdigest(), size=size, sha256=sha256, store=store, key=key)


def check_bytes(
    found_size: int, found_sha256: str | None, *, size: int, sha256: str | None, store: str, key: str
) -> None:
    """Raises `ObjectCorrupt` when the bytes that were found are not those that were recorded."""
    if found_size == size and found_sha256 == sha256:
        return
    found, recorded = (f" with SHA-256 {known}" if known else "" for known in (found_sha256, sha256))
    raise ObjectCorrupt(
        f"There are {found_size} bytes{found}, but {size}{recorded} were recorded; restore the object from a backup.",
        store=store,
        key=key,
    )


class _ChunkReader(io.RawIOBase):
    """Chunks of any size behind the interface that `io.BufferedReader` reads from."""

    def __init__(self, chunks: Iterator[bytes], close: Callable[[], object]) -> None:
        self._chunks = chunks
        self._close = close
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        given = min(len(target), len(self._rest))
        target[:given] = self._rest[:given]
        self._rest = self._rest[given:]
        return given

    def close(self) -> None:
        if not self.closed:
            self._close()
        super().close()
