"""How fast archives are made, and in how little memory: `uv run python -m benchmarks.archive`, table in `archive.md`.

Two archives of 50 poses: about 250 MB in 12 formats, and 1.5 GB. Each way of making them runs in a process of its own
and hands every chunk to a buffer, as a socket would copy it:

- layout alone: files that lie in memory, nothing verified. This is the ZIP writer.
- verified, from memory: each file is compared with its SHA-256 on the way.
- verified, from the local store: what `posegen archive` does before it writes; the files are warm in the page cache.
- SHA-256 alone: of the same bytes, with nothing around it. No verified way can be faster than this.
- zipfile of Python, from memory, stored: the usual way, which also computes each CRC-32.

CPU time is the process's own, median of the rounds. Memory is how far its peak rises above what it took before.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from posegen.generations.reading.archive_file import CHUNK, Archive, Entry
from posegen.storage.local import LocalStore
from posegen.storage.streams import reader_of, verified

TABLE = Path(__file__).with_suffix(".md")
ASKED_AT = datetime(2026, 11, 21, 4, 24, tzinfo=UTC)
SIZES = {"50 poses, 12 formats, 250 MB": (600, 417_000), "50 poses, 1.5 GB": (600, 2_500_000)}
WAYS = (
    "layout alone",
    "verified, from memory",
    "verified, from the local store",
    "SHA-256 alone",
    "zipfile, from memory",
)
GOAL = 2.0  # GB for each CPU second


def pictures(files: int, size: int) -> list[memoryview]:
    """As many files of about this size, each other bytes; they overlap, so that they fit into memory."""
    data = np.random.default_rng(1).integers(0, 256, 4 * size + files, dtype=np.uint8).tobytes()
    sizes = [size + (number * 7919) % (size // 4) - size // 8 for number in range(files)]
    return [memoryview(data)[number : number + size] for number, size in enumerate(sizes)]


def entries(contents: list[memoryview]) -> list[Entry]:
    """With sizes and CRC-32 as the rows would have them."""
    return [
        Entry(f"poses/{number // 12 + 1:02}/{number % 12:02}.jpg", len(data), zlib.crc32(data), ASKED_AT)
        for number, data in enumerate(contents)
    ]


class InMemory(io.RawIOBase):
    """A file in memory that is read without copying it first."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def read(self, size: int = -1) -> bytes:
        chunk = bytes(self._data[self._at : self._at + size])
        self._at += len(chunk)
        return chunk


def chunks(data: memoryview) -> Iterator[bytes]:
    """The same bytes in pieces."""
    for at in range(0, len(data), CHUNK):
        yield bytes(data[at : at + CHUNK])


class Sink:
    """Copies what it is given, like a socket. `taken`: bytes."""

    def __init__(self) -> None:
        self._buffer, self.taken = bytearray(CHUNK), 0

    def write(self, chunk: bytes | memoryview) -> int:
        for at in range(0, len(chunk), CHUNK):
            part = memoryview(chunk)[at : at + CHUNK]
            self._buffer[: len(part)] = part
        self.taken += len(chunk)
        return len(chunk)

    def flush(self) -> None:
        """Nothing is held back."""


def way_of(name: str, contents: list[memoryview], folder: Path) -> Callable[[Sink], None]:
    """What is measured; everything before it is not."""
    if name == "zipfile, from memory":
        return lambda sink: with_zipfile(contents, sink)
    if name == "SHA-256 alone":
        return lambda sink: hash_alone(contents, sink)
    archive, open_entry = Archive(entries(contents)), opener_of(name, contents, folder)
    return lambda sink: stream(archive, open_entry, sink)


def opener_of(name: str, contents: list[memoryview], folder: Path) -> Callable[[int], BinaryIO]:
    """Where the bytes of an archive come from."""
    if name == "layout alone":
        return lambda index: InMemory(contents[index])  # type: ignore[return-value]  # as much of a file as is needed
    hashes = [hashlib.sha256(data).hexdigest() for data in contents]
    if name == "verified, from memory":
        return lambda index: reader_of(
            verified(
                chunks(contents[index]), sha256=hashes[index], size=len(contents[index]), store="memory", key=str(index)
            )
        )
    store = LocalStore(folder, base_url="/media")
    keys = [f"exports/bench/{index}-{sha256[:12]}.jpg" for index, sha256 in enumerate(hashes)]
    for key, data in zip(keys, contents, strict=True):
        store.put(key, bytes(data), content_type="image/jpeg")
    return lambda index: store.open(keys[index], sha256=hashes[index])


def stream(archive: Archive, open_entry: Callable[[int], BinaryIO], sink: Sink) -> None:
    """The whole archive into the sink."""
    for chunk in archive.stream(open_entry):
        sink.write(chunk)
    assert sink.taken == archive.size


def hash_alone(contents: list[memoryview], sink: Sink) -> None:
    """What verifying costs in any case."""
    for data in contents:
        hashlib.sha256(data).digest()
        sink.taken += len(data)


def with_zipfile(contents: list[memoryview], sink: Sink) -> None:
    """As one would write it without this module."""
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as written:  # type: ignore[call-overload]  # only written to
        for number, data in enumerate(contents):
            written.writestr(f"poses/{number // 12 + 1:02}/{number % 12:02}.jpg", data)


def measure(name: str, files: int, size: int, rounds: int) -> dict[str, float]:
    """In this process. `rate`: GB for each CPU second; `memory`: MB of rise in the peak; `bytes`: of the archive."""
    with tempfile.TemporaryDirectory() as folder:
        make = way_of(name, pictures(files, size), Path(folder))
        if (reset := Path("/proc/self/clear_refs")).exists():
            reset.write_text("5")  # the peak begins anew from here
        before, taken, seconds = peak(), 0, []
        for _ in range(rounds):
            sink = Sink()
            began = time.process_time()
            make(sink)
            seconds.append(time.process_time() - began)
            taken = sink.taken
        return {"rate": taken / 1e9 / statistics.median(seconds), "memory": (peak() - before) / 1e6, "bytes": taken}


def peak() -> float:
    """The most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def in_a_process(name: str, files: int, size: int, rounds: int) -> dict[str, float]:
    """Measured where nothing else has taken memory before."""
    command = [sys.executable, "-m", "benchmarks.archive", "--only", json.dumps([name, files, size, rounds])]
    measured: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="of each way")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(*json.loads(options.only))))
        return
    lines = [
        f"`./uvw run python -m benchmarks.archive`: median of {options.rounds} rounds. {time.strftime('%Y-%m-%d')}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load before {os.getloadavg()[0]:.1f}.",
        "",
        "| archive | way | bytes | GB a CPU second | rise of the peak, MB |",
        "|---|---|---:|---:|---:|",
    ]
    for archive, (files, size) in SIZES.items():
        for name in WAYS:
            found = in_a_process(name, files, size, options.rounds)
            lines.append(
                f"| {archive} | {name} | {found['bytes']:,.0f} | {found['rate']:.2f} | {found['memory']:.1f} |"
            )
            print(lines[-1], flush=True)
    TABLE.write_text("# Archives\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
