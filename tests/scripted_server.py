"""A server on loopback whose responses a test writes byte by byte."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

Reply = bytes | Callable[[socket.socket], None]


class ScriptedServer:
    """`replies`: a response by the target of its request; `asked`: the heads of the requests that came."""

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.is_stopping = threading.Event()
        self._listener = listener
        self._tls = tls

    def serve(self) -> None:
        """Serve one connection after the other until the test ends."""
        while not self.is_stopping.is_set():
            with suppress(OSError), self._listener.accept()[0] as connection:
                connection.settimeout(20)
                if self._tls is None:
                    self._reply(connection)
                else:
                    with self._tls.wrap_socket(connection, server_side=True) as secure:
                        self._reply(secure)

    def _reply(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(65_536)
            if not received:
                return
            head += received
        self.asked.append(head.decode("latin-1"))
        reply = self.replies.get(self.asked[-1].split(" ")[1], response(b"", status=404))
        if isinstance(reply, bytes):
            connection.sendall(reply)
        else:
            reply(connection)
        connection.shutdown(socket.SHUT_WR)

    def drip(self, start: bytes, drop: bytes) -> Callable[[socket.socket], None]:
        """A reply that goes on, a little every 20 ms, until the client hangs up or the test ends."""

        def reply(connection: socket.socket) -> None:
            connection.sendall(start)
            while not self.is_stopping.is_set():
                connection.sendall(drop)
                time.sleep(0.02)

        return reply


def response(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole response."""
    fields = {"Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode("latin-1") + body


@contextmanager
def scripted_server(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """A server that runs as long as the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        server = ScriptedServer(listener, tls)
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.is_stopping.set()
            thread.join()
