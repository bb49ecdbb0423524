"""What the stores cost: `uv run python benchmarks/storage.py`, table in `storage.md`.

Puts and gets of the same pictures, 16 at once, all in one run on one machine: our store in a bucket beside threaded
boto3 and beside bare obstore that hashes the same bytes, on the same SeaweedFS server, and again on a server that only
keeps bytes in memory (`memory_s3.py`), for SeaweedFS takes more CPU time for a put than any client. Our local store
beside a bare hash + write + fsync + rename + sync of the folder. The ways take turns in every round, and the
ratios are medians over the rounds, so that other work on the machine disturbs both sides alike. CPU time is this
process's own, without the server's.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import random
import resource
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import obstore
from botocore.config import Config
from obstore.store import S3Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from posegen.storage.configuration import BucketConfig
from posegen.storage.local import LocalStore
from posegen.storage.s3 import BucketStore
from tests.s3_server import CREDENTIALS, S3Server, running_s3

TABLE = Path(__file__).with_suffix(".md")
PNG = "image/png"
CPUS = ("cpu", "server")
SMALLEST, LARGEST = 80_000, 3_000_000


@dataclass(frozen=True)
class Picture:
    """Bytes under a key, with what a reader knows of them."""

    key: str
    data: bytes
    sha256: str


@dataclass(frozen=True)
class Way:
    """One way to put and get, in a place of its own that `clear` does away with."""

    name: str
    put: Callable[[Picture], object]
    get: Callable[[Picture], object]
    clear: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Took:
    """Seconds for all pictures. `cpu`: of this process; `server`: of the S3 server's."""

    wall: float
    cpu: float
    server: float


def pictures(count: int, chance: random.Random) -> list[Picture]:
    """Sizes between 80 KB and 3 MB, evenly spread on a logarithmic scale; bytes that nothing can compress."""
    made = []
    for number in range(count):
        size = int(SMALLEST * (LARGEST / SMALLEST) ** chance.random())
        data = chance.randbytes(size)
        sha256 = hashlib.sha256(data).hexdigest()
        made.append(Picture(f"poses/g{number % 20}/{number:04}-{sha256[:12]}.png", data, sha256))
    return made


def timed(
    work: Callable[[Picture], object], what: list[Picture], threads: ThreadPoolExecutor, server: int | None
) -> Took:
    """All pictures through the threads. `server`: the process of the S3 server."""
    wall, cpu, theirs = time.perf_counter(), time.process_time(), cpu_of(server)
    for _ in threads.map(work, what):
        pass
    return Took(time.perf_counter() - wall, time.process_time() - cpu, cpu_of(server) - theirs)


def cpu_of(pid: int | None) -> float:
    """CPU seconds that a process has used so far."""
    if pid is None:
        return 0.0
    after_the_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_the_name[11]) + int(after_the_name[12])) / os.sysconf("SC_CLK_TCK")


def boto3_client(place: BucketConfig, at_once: int) -> Any:
    """A client as one opens it: one for all threads, with boto3's defaults."""
    return boto3.client(
        "s3",
        endpoint_url=place.endpoint,
        region_name=place.region,
        aws_access_key_id=CREDENTIALS.access_key_id,
        aws_secret_access_key=CREDENTIALS.secret_access_key,
        config=Config(max_pool_connections=at_once, s3={"addressing_style": "path"}),
    )


def dropped(place: BucketConfig) -> Callable[[], object]:
    """Drops the bucket and all that is in it, which SeaweedFS allows."""
    return lambda: boto3_client(place, 1).delete_bucket(Bucket=place.bucket)


def ours(place: BucketConfig) -> Way:
    store = BucketStore(place)

    def put(picture: Picture) -> None:
        assert not store.put(picture.key, picture.data, content_type=PNG).skipped

    def get(picture: Picture) -> None:
        store.get(picture.key, sha256=picture.sha256)

    return Way("our store", put, get)


def with_obstore(place: BucketConfig) -> Way:
    """What one writes with obstore alone, with the hash that we note and check."""
    store = S3Store(
        place.bucket,
        config={
            "endpoint": place.endpoint,
            "region": place.region,
            "access_key_id": CREDENTIALS.access_key_id,
            "secret_access_key": CREDENTIALS.secret_access_key,
        },
        client_options={"allow_http": True, "timeout": timedelta(seconds=60)},
    )

    def put(picture: Picture) -> None:
        sha256 = hashlib.sha256(picture.data).hexdigest()
        attributes = {"Content-Type": PNG, "Cache-Control": "private", "sha256": sha256}
        obstore.put(store, picture.key, picture.data, attributes=attributes, mode="create", use_multipart=False)

    def get(picture: Picture) -> None:
        data = bytes(obstore.get(store, picture.key).bytes())
        assert hashlib.sha256(data).hexdigest() == picture.sha256

    return Way("bare obstore, hashed", put, get)


def with_boto3(place: BucketConfig, at_once: int, *, hashed: bool) -> Way:
    """What one writes with boto3; `hashed`: with the SHA-256 of every byte, which the other ways note and check."""
    client = boto3_client(place, at_once)

    def put(picture: Picture) -> None:
        if hashed:
            hashlib.sha256(picture.data).hexdigest()
        client.put_object(
            Bucket=place.bucket,
            Key=picture.key,
            Body=picture.data,
            ContentType=PNG,
            CacheControl="private",
            IfNoneMatch="*",
        )

    def get(picture: Picture) -> None:
        data = client.get_object(Bucket=place.bucket, Key=picture.key)["Body"].read()
        assert not hashed or hashlib.sha256(data).hexdigest() == picture.sha256

    return Way("threaded boto3, hashed" if hashed else "threaded boto3", put, get)


def our_folder(folder: Path) -> Way:
    store = LocalStore(folder, base_url="/media")

    def put(picture: Picture) -> None:
        assert not store.put(picture.key, picture.data, content_type=PNG).skipped

    def get(picture: Picture) -> None:
        store.get(picture.key, sha256=picture.sha256)

    return Way("our local store", put, get, lambda: shutil.rmtree(folder))


def bare_folder(folder: Path) -> Way:
    """The least that makes a file whole, durable and known by its hash."""

    def put(picture: Picture) -> None:
        hashlib.sha256(picture.data).hexdigest()
        target = folder / picture.key
        target.parent.mkdir(parents=True, exist_ok=True)
        pending = target.with_name(f".{secrets.token_hex(8)}")
        with pending.open("wb", buffering=0) as file:
            file.write(picture.data)
            os.fsync(file.fileno())
        pending.rename(target)
        descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def get(picture: Picture) -> None:
        assert hashlib.sha256((folder / picture.key).read_bytes()).hexdigest() == picture.sha256

    return Way("bare write", put, get, lambda: shutil.rmtree(folder))


@contextmanager
def memory_server() -> Iterator[S3Server]:
    """The server that does almost nothing."""
    command = [sys.executable, str(Path(__file__).with_name("memory_s3.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield S3Server(int(process.stdout.readline()), process.pid)
        process.stdin.close()


def in_buckets(new_bucket: Callable[[], BucketConfig], at_once: int, *, droppable: bool) -> list[Callable[[], Way]]:
    """The ways, each in a bucket of its own. `droppable`: the server can do away with buckets."""
    ways = [ours, with_obstore, *(partial(with_boto3, at_once=at_once, hashed=hashed) for hashed in (False, True))]

    def opened(way: Callable[[BucketConfig], Way]) -> Way:
        place = new_bucket()
        return replace(way(place), clear=dropped(place) if droppable else lambda: None)

    return [partial(opened, way) for way in ways]


def measured(
    ways: list[Callable[[], Way]], what: list[Picture], rounds: int, at_once: int, server: int | None = None
) -> dict[str, dict[str, list[Took]]]:
    """For each way and operation what every round took. Each round puts into a new place, in another order."""
    found: dict[str, dict[str, list[Took]]] = {}
    with ThreadPoolExecutor(at_once) as threads:
        for number in range(rounds):
            opened = [way() for way in ways]
            shift = number % len(opened)
            order = opened[shift:] + opened[:shift]
            for operation in ("put", "get"):
                for way in order:
                    took = timed(getattr(way, operation), what, threads, server)
                    found.setdefault(way.name, {}).setdefault(operation, []).append(took)
            for way in opened:
                way.clear()
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def ratio(ours: list[Took], theirs: list[Took], figure: str = "wall") -> float:
    """How many times as long the other way took, round by round; the median."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(getattr(other, figure) / getattr(mine, figure) for mine, other in pairs)


def import_milliseconds(module: str, runs: int) -> float:
    """CPU time to import a module on top of the interpreter, warm; the median."""

    def run(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return statistics.median(run(f"import {module}") - run("pass") for _ in range(runs)) * 1000


def table(found: dict[str, dict[str, list[Took]]], what: list[Picture]) -> list[str]:
    megabytes = sum(len(picture.data) for picture in what) / 1e6
    lines = [
        "| way | operation | s | objects/s | MB/s | CPU ms/object | server's |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for operation in ("put", "get"):
        for name, operations in found.items():
            wall = statistics.median(took.wall for took in operations[operation])
            cpu, server = (statistics.median(getattr(took, whose) for took in operations[operation]) for whose in CPUS)
            lines.append(
                f"| {name} | {operation} | {wall:.2f} | {len(what) / wall:.0f} | {megabytes / wall:.0f} "
                f"| {cpu / len(what) * 1000:.2f} | {server / len(what) * 1000:.2f} |"
            )
    return lines


def verdicts(found: dict[str, dict[str, list[Took]]], in_memory: dict[str, dict[str, list[Took]]]) -> list[str]:
    """The goals, with what was measured."""
    lines = ["| goal | SeaweedFS | server in memory |", "|---|---:|---:|"]
    for operation, goal in (("put", 1.7), ("get", 2.5)):
        for other in ("threaded boto3", "threaded boto3, hashed"):
            times = [as_fast(on, "our store", other, operation) for on in (found, in_memory)]
            lines.append(f"| {operation}s at least {goal} times as fast as {other} | {' | '.join(times)} |")
    for operation in ("put", "get"):
        shown = [over(on, "our store", "bare obstore, hashed", operation) for on in (found, in_memory)]
        lines.append(f"| {operation}s at most 15% over bare obstore that hashes | {' | '.join(shown)} |")
    lines += [
        "",
        "| goal | local disk |",
        "|---|---:|",
        f"| puts at most 10% over a bare write | {over(found, 'our local store', 'bare write', 'put')} |",
        f"| gets beside a bare read | {over(found, 'our local store', 'bare write', 'get')} |",
    ]
    return lines


def as_fast(found: dict[str, dict[str, list[Took]]], mine: str, other: str, operation: str) -> str:
    """How many times as long the other way takes."""
    wall, cpu = [ratio(found[mine][operation], found[other][operation], figure) for figure in ("wall", "cpu")]
    return f"{wall:.2f} times (CPU {cpu:.2f})"


def over(found: dict[str, dict[str, list[Took]]], mine: str, other: str, operation: str) -> str:
    """What our way takes more or less."""
    figures = [ratio(found[mine][operation], found[other][operation], figure) for figure in ("wall", "cpu")]
    wall, cpu = [(1 / each - 1) * 100 for each in figures]
    return f"{wall:+.0f}% (CPU {cpu:+.0f}%)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the local stores are; by default in TMPDIR")
    parser.add_argument("--server-folder", type=Path, help="where the server keeps its files; by default in TMPDIR")
    options = parser.parse_args()
    what = pictures(options.objects, random.Random(7))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        server_folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.server_folder)))
        server = stack.enter_context(running_s3(server_folder))
        ways = in_buckets(server.new_bucket, options.at_once, droppable=True)
        found = measured(ways, what, options.rounds, options.at_once, server.pid)
        with memory_server() as memory:
            ways = in_buckets(partial(memory.place, "bucket"), options.at_once, droppable=False)
            in_memory = measured(ways, what, options.rounds, options.at_once, memory.pid)
        in_folders = [
            lambda: our_folder(folder / secrets.token_hex(4)),
            lambda: bare_folder(folder / secrets.token_hex(4)),
        ]
        found |= measured(in_folders, what, options.rounds, options.at_once)
    imports = {
        module: import_milliseconds(module, 9) for module in ("posegen.storage.s3", "posegen.storage.local", "boto3")
    }
    megabytes = sum(len(picture.data) for picture in what) / 1e6
    lines = [
        f"{options.objects} objects of {SMALLEST // 1000} KB to {LARGEST // 1_000_000} MB, {megabytes:.0f} MB in all, "
        f"{options.at_once} at once; medians of {options.rounds} rounds in one run. SeaweedFS on the same machine, "
        f"over plain HTTP; Python {platform.python_version()}, obstore {obstore.__version__}, "
        f"boto3 {boto3.__version__}, {os.cpu_count()} cores.",
        "",
        *verdicts(found, in_memory),
        "",
        "SeaweedFS and the local disk:",
        "",
        *table(found, what),
        "",
        "The server in memory:",
        "",
        *table(in_memory, what),
        "",
        f"Import on top of the interpreter: the store in a bucket {imports['posegen.storage.s3']:.0f} ms (goal: under "
        f"60 ms), the local store {imports['posegen.storage.local']:.0f} ms, boto3 alone {imports['boto3']:.0f} ms.",
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
