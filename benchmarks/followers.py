"""Followers of events: from commit to client over sockets, and what idle followers take.

`./uvw run python -m benchmarks.followers` writes the table to `benchmarks/followers.md`. It starts a PostgreSQL of its
own in a temporary folder, the server of the streams in a process of its own, and the writer in another one; the clients
are in the process of the benchmark, so their part of the time is measured, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.running_platform import cpu_of, machine
from posegen.database.connection import Database
from posegen.database.server import open_server
from posegen.settings import Settings
from posegen.supervisor.ports import choose_port
from posegen.upkeep.preparing import prepare_database
from posegen.web.events.live import Live
from posegen.web.events.streams import Sources, Viewer

GENERATIONS = 1_000
FOLLOWERS = 1_000
EVENTS_A_SECOND = 100
SECONDS = 20
EVENTS_OF_ONE = 25
IDLE = 5_000
AT = re.compile(rb'"at":([0-9.]+)')
STATE = json.dumps({"generation": "x" * 900}).encode()
"""As long as what GET returns of a generation."""


@dataclass(frozen=True)
class Row:
    """One measurement."""

    what: str
    found: str
    goal: str


def main() -> None:
    """Measure and write the table."""
    _allow_many_files()
    with (
        tempfile.TemporaryDirectory(prefix="posegen-benchmark-") as folder,
        open_server(Settings(posegen_home=Path(folder), database_url=None)) as urls,
    ):
        with Database(urls.application) as database:
            prepare_database(database, base_urls={"local": "/media"})
            generations = _fill(database)
        with _serving(urls.application) as (port, pid):
            rows = asyncio.run(_measure(urls.application, port, pid, generations))
    load = os.getloadavg()[0]
    _write(Path(__file__).with_suffix(".md"), rows, load)


async def _measure(url: str, port: int, pid: int, generations: list[UUID]) -> list[Row]:
    rows = []
    async with _followers(port, generations) as followers:
        before = cpu_of(pid)[0]
        times = await _latencies(url, followers, generations, EVENTS_A_SECOND * SECONDS, 1 / EVENTS_A_SECOND)
        cpu = (cpu_of(pid)[0] - before) / SECONDS
    what = f"{FOLLOWERS:,} followers of {GENERATIONS:,} generations, {EVENTS_A_SECOND} events a second"
    rows += [
        Row(f"{what}: commit to client", _quantiles(times), "p95 25 ms"),
        Row("CPU of the server", f"{cpu:.0%}", ""),
    ]
    async with _followers(port, generations[:1] * FOLLOWERS) as followers:
        times = await _latencies(url, followers, generations[:1], EVENTS_OF_ONE, 0.5)
    rows.append(Row(f"{FOLLOWERS:,} followers of one generation: commit to client", _quantiles(times), "p95 250 ms"))
    empty = _memory_bytes(pid)
    async with _followers(port, [generations[number % GENERATIONS] for number in range(IDLE)]):
        each = (_memory_bytes(pid) - empty) / IDLE / 1000
        before = cpu_of(pid)[0]
        await asyncio.sleep(SECONDS)
        cpu = (cpu_of(pid)[0] - before) / SECONDS
    rows.append(Row(f"{IDLE:,} idle followers: memory of each", f"{each:.0f} KB", "40 KB"))
    rows.append(Row(f"{IDLE:,} idle followers: CPU", f"{cpu:.1%} of a core", "2 %"))
    return rows


@asynccontextmanager
async def _followers(port: int, generations: list[UUID]) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Clients that have received the state. All leave at the end."""
    opened = []
    for number, generation in enumerate(generations):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 * 1024)
        writer.write(f"GET /{generation} HTTP/1.1\r\nHost: x\r\nX-Viewer: {number}\r\n\r\n".encode())
        opened.append((reader, writer))
        if number % 50 == 49:  # a burst that the server can accept
            await asyncio.gather(*[_until_state(each) for each, _ in opened[-50:]])
    try:
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()
        await asyncio.sleep(3)


async def _until_state(reader: asyncio.StreamReader) -> None:
    while b"event: state" not in await reader.readuntil(b"\n\n"):
        pass


async def _latencies(
    url: str, followers: list[asyncio.StreamReader], generations: list[UUID], events: int, pause: float
) -> list[float]:
    """Milliseconds from just before each INSERT, which commits, to each of its clients."""
    times: list[float] = []

    async def follow(reader: asyncio.StreamReader) -> None:
        while chunk := await reader.readuntil(b"\n\n"):
            if found := AT.search(chunk):
                times.append((time.monotonic() - float(found[1])) * 1000)

    tasks = [asyncio.create_task(follow(reader)) for reader in followers]
    command = [sys.executable, "-m", "benchmarks.followers", "write", url, str(events), str(pause)]
    writer = await asyncio.create_subprocess_exec(*command, *map(str, generations))
    assert await writer.wait() == 0
    expected = events * len(followers) // len(generations)
    deadline = time.monotonic() + 60
    while len(times) < expected and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(times) >= expected, f"{len(times)} of {expected} have arrived"
    return times


def write(url: str, events: int, pause: float, generations: list[str]) -> None:
    """The writer: events at a steady rate, for one generation after the other."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select 1")
        began = time.monotonic() + 1
        for number in range(events):
            time.sleep(max(0.0, began + number * pause - time.monotonic()))
            generation = generations[number % len(generations)]
            detail = json.dumps({"at": time.monotonic()})
            connection.execute("select record_event(%s, 'note', %s)", [generation, detail])


def serve(url: str, port: int) -> None:
    """The server: streams alone, without an API around them."""
    _allow_many_files()
    with Database(url, most_connections=8) as database:
        live = Live(database, lambda _: {}, Sources(lambda _: STATE, lambda _: STATE, lambda credentials: credentials))

        async def follow(request: Request) -> Response:
            viewer = Viewer(request.headers["x-viewer"], None)
            return live.generation(viewer, UUID(request.path_params["id"]), None)

        application = Starlette(routes=[Route("/{id}", follow)], lifespan=lambda _: live.running())
        uvicorn.run(
            application, host="127.0.0.1", port=port, log_level="error", backlog=1024, timeout_graceful_shutdown=3
        )


@contextmanager
def _serving(url: str) -> Iterator[tuple[int, int]]:
    port = choose_port("127.0.0.1", 0)
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.followers", "serve", url, str(port)])
    try:
        deadline = time.monotonic() + 60
        while not _is_open(port):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _write(where: Path, rows: list[Row], load: float) -> None:
    table = "\n".join(f"| {row.what} | {row.found} | {row.goal} |" for row in rows)
    where.write_text(
        f"# Followers\n\n`./uvw run python -m benchmarks.followers`: streams alone, over sockets, clients included.\n"
        f"{machine()}, load {load:.0f} at the end.\n\n| | found | goal on a quiet machine |\n|---|---|---|\n{table}\n"
    )


def _fill(database: Database) -> list[UUID]:
    with database.transaction() as connection:
        connection.execute("insert into users (name) values ('Ayu')")
        found = connection.execute(
            """
            insert into generation_requests (user_id, poses) select u.id, '{star-jump}'
            from users u, generate_series(1, %s) where u.name = 'Ayu' returning id
            """,
            [GENERATIONS],
        )
        return [row["id"] for row in found]


def _quantiles(times: list[float]) -> str:
    cuts = statistics.quantiles(times, n=100)
    return f"p50 {cuts[49]:.1f}, p95 {cuts[94]:.1f}, p99 {cuts[98]:.1f} ms"


def _memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", url, port]:
            serve(url, int(port))
        case ["write", url, events, pause, *generations]:
            write(url, int(events), float(pause), generations)
        case _:
            main()
