"""The least that S3 clients can talk to: takes bytes, keeps them in memory, gives them back; checks nothing.

Beside a server that does almost nothing it shows what the clients themselves cost. Prints its port and serves until its
standard input ends: `python benchmarks/memory_s3.py`.
"""

from __future__ import annotations

import asyncio
import sys

HEAD_END = b"\r\n\r\n"
ANSWER = 'HTTP/1.1 200 OK\r\nETag: "0"\r\nLast-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Length: {}\r\n{}\r\n'


class Connection(asyncio.Protocol):
    """One client. `kept`: bodies and metadata headers by path, shared by all connections."""

    def __init__(self, kept: dict[str, tuple[bytes, str]]) -> None:
        self._kept = kept
        self._pending = bytearray()
        self._needed = 0
        self._head: tuple[str, str, dict[str, str]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while True:
            if self._head is None:
                end = self._pending.find(HEAD_END)
                if end < 0:
                    return
                self._begin(bytes(self._pending[:end]).decode("latin-1"))
                del self._pending[: end + len(HEAD_END)]
            if len(self._pending) < self._needed:
                return
            body = bytes(memoryview(self._pending)[: self._needed])
            del self._pending[: self._needed]
            self._finish(body)

    def _begin(self, text: str) -> None:
        line, *lines = text.split("\r\n")
        method, path, _ = line.split(" ")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        self._head = (method, path, headers)
        self._needed = int(headers.get("content-length", 0))
        if "expect" in headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _finish(self, body: bytes) -> None:
        assert self._head is not None
        method, path, headers = self._head
        self._head = None
        if method == "PUT":
            if "aws-chunked" in headers.get("content-encoding", ""):
                body = unchunked(body)
            noted = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name.startswith("x-amz-meta"))
            self._kept[path] = (body, noted)
            self._transport.write(ANSWER.format(0, "").encode())
        else:
            found, noted = self._kept[path]
            self._transport.writelines([ANSWER.format(len(found), noted).encode(), found])


def unchunked(body: bytes) -> bytes:
    """What is left of a body without the sizes between its chunks and the checksum at its end."""
    pieces, place = [], 0
    while True:
        end = body.index(b"\r\n", place)
        size = int(body[place:end].split(b";")[0], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(body[end + 2 : end + 2 + size])
        place = end + 2 + size + 2


async def serve() -> None:
    loop = asyncio.get_running_loop()
    kept: dict[str, tuple[bytes, str]] = {}
    server = await loop.create_server(lambda: Connection(kept), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
