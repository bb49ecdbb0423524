"""Streams of any size on their way to a store that wants to know their length and hash first: through a file on disk.

Only what fits into one chunk stays in memory.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from posegen.errors import StoreFull
from posegen.storage.hashing import Fingerprint, chunks_of, copy_hashed, fingerprint


@dataclass(frozen=True)
class Spooled:
    """All bytes of a stream, to be read as often as needed, and what was measured on their way."""

    data: bytes | mmap.mmap
    fingerprint: Fingerprint


@contextmanager
def spooled(stream: BinaryIO, *, folder: Path | None, store: str, key: str) -> Iterator[Spooled]:
    """The rest of the stream, for as long as the block runs. `folder`: where the file is; the system's by default.

    Raises what the stream raises, and `StoreFull` when there is no room for the file.
    """
    chunks = chunks_of(stream)
    first = next(chunks, b"")
    second = next(chunks, None)
    if second is None:
        yield Spooled(first, fingerprint(first))
        return
    with ExitStack() as stack:
        with _room(folder, store, key):
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder, prefix="posegen-"))

        def write(chunk: bytes) -> None:
            with _room(folder, store, key):
                file.write(chunk)

        measured = copy_hashed(chain([first, second], chunks), write)
        with _room(folder, store, key):
            file.flush()
        yield Spooled(stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), measured)


@contextmanager
def _room(folder: Path | None, store: str, key: str) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise StoreFull(
            f"There is no room for a copy of the stream in {folder or tempfile.gettempdir()} ({failure.strerror}): "
            "free some space there, or set TMPDIR.",
            store=store,
            key=key,
        ) from failure
