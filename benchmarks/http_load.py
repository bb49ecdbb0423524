"""A lean HTTP client for load: requests as bytes over kept connections, in an open or a closed loop.

A client that builds requests and parses headers takes longer for a request than the server, on the same cores.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True)
class Exchange:
    """One request and its response. `seconds`: from when it was due until all of the response was there."""

    status: int
    body: bytes
    seconds: float


class Connection(asyncio.Protocol):
    """One connection, which carries one request at a time; responses have to have a `content-length`."""

    def __init__(self) -> None:
        self.is_open = True
        self._buffer = b""
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        self._buffer += data
        head, found, body = self._buffer.partition(_END_OF_HEAD)
        if not found or self._waiting is None:
            return
        length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
        if len(body) >= int(length or 0):
            self._buffer = b""
            self._waiting.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        self.is_open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("the server has closed the connection"))

    async def ask(self, request: bytes, *, due: float | None = None) -> Exchange:
        """The response to a request. `due`: by `time.perf_counter()`; None for now."""
        began = time.perf_counter() if due is None else due
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        status, body = await self._waiting
        return Exchange(status, body, time.perf_counter() - began)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


async def connect(port: int) -> Connection:
    """A connection to a server on this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def in_turn(port: int, requests: Sequence[bytes]) -> list[Exchange]:
    """One request after the other, over one connection."""
    connection = await connect(port)
    try:
        return [await connection.ask(request) for request in requests]
    finally:
        connection.close()


async def closed_loop(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> list[Exchange]:
    """As many requests as get a response: each connection sends the next one when it has the last response."""
    opened = [await connect(port) for _ in range(connections)]
    done: list[Exchange] = []
    ends_at = time.perf_counter() + seconds

    async def go_on(connection: Connection) -> None:
        while time.perf_counter() < ends_at:
            done.append(await connection.ask(next(requests)))

    await asyncio.gather(*map(go_on, opened))
    for connection in opened:
        connection.close()
    return done


async def open_loop(port: int, requests: Iterator[bytes], *, rate: float, seconds: float) -> list[Exchange]:
    """Requests at a steady rate, whether the earlier ones have their response or not; a late one counts from its time.

    `rate`: requests a second.
    """
    idle: list[Connection] = []
    began = time.perf_counter()

    async def send(request: bytes, due: float) -> Exchange:
        while idle and not idle[-1].is_open:  # the server closes what is idle for 5 s
            idle.pop()
        connection = idle.pop() if idle else await connect(port)
        exchange = await connection.ask(request, due=due)
        idle.append(connection)
        return exchange

    tasks = []
    for number, request in enumerate(islice(requests, round(rate * seconds))):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(send(request, due)))
    done = await asyncio.gather(*tasks)
    for connection in idle:
        connection.close()
    return done
