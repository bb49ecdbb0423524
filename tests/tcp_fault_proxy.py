"""A TCP proxy that stands between a client and its PostgreSQL server, and breaks what a network breaks.

It knows just enough of the protocol to find a COMMIT. Runs in a thread of its own; every method may be called from any.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

HOST = "127.0.0.1"
PATIENCE = 180.0
_CHUNK = 65536
_COMMIT = b"COMMIT"


class CommitFault(Enum):
    """What becomes of the next COMMIT: the answer is lost, or the COMMIT itself."""

    LOSE_THE_ANSWER = "lose the answer"
    LOSE_THE_COMMIT = "lose the commit"


@dataclass(eq=False)
class _Pair:
    """One client and its connection to the server. `marked`: the open transaction has sent the marker."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    marked: bool = False
    swallow: bool = False


class TcpFaultProxy:
    """Listens on a port of its own and passes everything on, until it is told otherwise.

    `target`: where the server listens now; asked for each connection, for a restarted server may have moved.
    """

    def __init__(self, target: Callable[[], tuple[str, int]]) -> None:
        self._target = target
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = False
        self._commit_fault: CommitFault | None = None
        self._marker = b""
        self._faulted = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp fault proxy", daemon=True)
        self._thread.start()
        self._open: asyncio.Event
        self._server: asyncio.Server
        self.port: int = self._call(self._start())

    def __enter__(self) -> TcpFaultProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def blackhole(self) -> None:
        """Nothing arrives any more, in either direction, and nobody is told; new connections are not answered."""
        self._call(self._set(opened=False))

    def heal(self) -> None:
        """Everything passes again, what was held back first."""
        self._call(self._set(opened=True))

    def reset(self) -> int:
        """Reset every connection that there is; answers how many. New ones pass."""
        return self._call(self._reset())

    def refuse(self) -> None:
        """Reset every connection, and each new one, until `heal`."""
        self._call(self._set(opened=True, refusing=True))
        self.reset()

    def fault_next_commit(self, fault: CommitFault, *, marker: bytes) -> None:
        """Cut the connection at the next COMMIT of a transaction that has sent `marker`, before or after it counts."""
        self._faulted.clear()
        self._call(self._arm(fault, marker))

    def commit_was_faulted(self, seconds: float) -> bool:
        """Whether the armed fault comes to pass within `seconds`."""
        return self._faulted.wait(seconds)

    def close(self) -> None:
        """Reset every connection and stop listening."""
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(PATIENCE)

    async def _start(self) -> int:
        self._open = asyncio.Event()
        self._open.set()
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        self._server.close()
        self._open.set()
        await self._reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _set(self, *, opened: bool, refusing: bool = False) -> None:
        self._refusing = refusing
        if opened:
            self._open.set()
        else:
            self._open.clear()

    async def _arm(self, fault: CommitFault, marker: bytes) -> None:
        self._commit_fault, self._marker = fault, marker

    async def _reset(self) -> int:
        pairs = list(self._pairs)
        for pair in pairs:
            _cut(pair)
        return len(pairs)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        pair = _Pair(writer)
        self._pairs.add(pair)
        try:
            await self._serve(pair, reader)
        except (OSError, asyncio.CancelledError):  # cut by us, by the client, or the server is down
            pass
        finally:
            _cut(pair)
            self._pairs.discard(pair)
            self._tasks.discard(task)

    async def _serve(self, pair: _Pair, from_client: asyncio.StreamReader) -> None:
        await self._open.wait()
        if self._refusing:
            return
        from_server, pair.server = await asyncio.open_connection(*self._target())
        directions = {
            asyncio.create_task(self._to_server(pair, from_client)),
            asyncio.create_task(self._to_client(pair, from_server)),
        }
        try:
            _, others = await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _to_server(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        assert pair.server is not None
        while data := await reader.read(_CHUNK):
            await self._open.wait()
            if not self._let_through(pair, data):
                return
            pair.server.write(data)
            await pair.server.drain()

    def _let_through(self, pair: _Pair, data: bytes) -> bool:
        """Whether the client's bytes go on to the server, and what is to happen to the answer."""
        if self._commit_fault is None:
            return True
        pair.marked = pair.marked or self._marker in data
        if _COMMIT not in data or not pair.marked:
            return True
        fault, self._commit_fault = self._commit_fault, None
        if fault is CommitFault.LOSE_THE_COMMIT:
            self._faulted.set()
            return False
        pair.swallow = True
        return True

    async def _to_client(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            await self._open.wait()
            if pair.swallow:
                self._faulted.set()
                return
            pair.client.write(data)
            await pair.client.drain()


def _cut(pair: _Pair) -> None:
    """Close both ends at once, the client's with a reset: what is on its way is lost."""
    for writer in (pair.client, pair.server):
        if writer is None:
            continue
        end: socket.socket | None = writer.get_extra_info("socket")
        if end is not None:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
