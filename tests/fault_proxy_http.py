"""An HTTP proxy that stands between a client and its S3 server, and breaks what networks and servers break.

It passes everything on unchanged, signatures and all, and remembers every request, until it is told to break one. Runs
in threads of its own; every method may be called from any thread.
"""

from __future__ import annotations

import http.client
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType

HOST = "127.0.0.1"
PATIENCE = 180.0
DRIP_SECONDS = 0.2
_POLL_SECONDS = 0.02

_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_INTERNAL = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Fault(Enum):
    """What becomes of a request. Only `LOST_ACK` lets the server do all of its work."""

    ERROR_500 = "500"
    SLOW_DOWN = "503 SlowDown"
    TIMEOUT = "no answer"
    CUT_BODY = "half a body"
    FLIP_ON_READ = "a flipped bit in the answer"
    FLIP_ON_WRITE = "a flipped bit in the request"
    LOST_ACK = "the answer is lost"
    SLOW_DRIP = "one byte after the other"


@dataclass(frozen=True)
class SeenRequest:
    """A request as it came from the client. `path`: with the query; header names in lower case; `body`: its bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass
class _Armed:
    fault: Fault
    matches: Callable[[SeenRequest], bool]
    left: float


class HttpFaultProxy:
    """Listens on a port of its own. `target`: where the server listens now, asked for each request."""

    def __init__(self, target: Callable[[], tuple[str, int]]) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._seen: list[SeenRequest] = []
        self._faulted = 0
        self._closing = threading.Event()
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = PATIENCE

            def handle(self) -> None:
                with suppress(OSError, http.client.HTTPException):
                    while proxy._serve(self):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

        self._server = Server((HOST, 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=[_POLL_SECONDS], name="http fault proxy", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """What takes the place of the server's own URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def seen(self) -> list[SeenRequest]:
        """Every request so far, in the order in which they came."""
        with self._lock:
            return list(self._seen)

    @property
    def faulted(self) -> int:
        """How many requests were broken so far."""
        with self._lock:
            return self._faulted

    def break_requests(
        self, fault: Fault, *, times: float = 1, matching: Callable[[SeenRequest], bool] = lambda _: True
    ) -> None:
        """Break the next requests that match; `times` may be `math.inf`."""
        with self._lock:
            self._armed.append(_Armed(fault, matching, times))

    def heal(self) -> None:
        """Break nothing any more."""
        with self._lock:
            self._armed.clear()

    def close(self) -> None:
        """Stop listening; what hangs is let go."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    def __enter__(self) -> HttpFaultProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self, connection: socketserver.StreamRequestHandler) -> bool:
        """One request; whether the connection may be used for another one."""
        request = _read_request(connection)
        if request is None or self._closing.is_set():
            return False
        fault = self._remember(request)
        if fault in (Fault.ERROR_500, Fault.SLOW_DOWN):
            status = "500 Internal Server Error" if fault is Fault.ERROR_500 else "503 Slow Down"
            _answer(connection, status, {}, _INTERNAL if fault is Fault.ERROR_500 else _SLOW_DOWN, request.method)
            return True
        if fault is Fault.TIMEOUT:
            self._closing.wait(PATIENCE)
            return False
        if fault is Fault.CUT_BODY and request.body:
            _send_half(self._target(), request)
            return _cut(connection)
        body = _flipped(request.body) if fault is Fault.FLIP_ON_WRITE else request.body
        status, headers, answer = _passed_on(self._target(), request, body)
        if fault is Fault.LOST_ACK:
            return _cut(connection)
        if fault is Fault.FLIP_ON_READ:
            answer = _flipped(answer)
        if fault is Fault.CUT_BODY:
            connection.wfile.write(_head(status, headers, len(answer)) + answer[: len(answer) // 2])
            return _cut(connection)
        if fault is Fault.SLOW_DRIP:
            return self._drip(connection, _head(status, headers, len(answer)) + answer)
        _answer(connection, status, headers, answer, request.method)
        return True

    def _remember(self, request: SeenRequest) -> Fault | None:
        with self._lock:
            self._seen.append(request)
            for armed in self._armed:
                if armed.left > 0 and armed.matches(request):
                    armed.left -= 1
                    self._faulted += 1
                    return armed.fault
        return None

    def _drip(self, connection: socketserver.StreamRequestHandler, data: bytes) -> bool:
        for place in range(len(data)):
            connection.wfile.write(data[place : place + 1])
            connection.wfile.flush()
            if self._closing.wait(DRIP_SECONDS):
                return False
        return True


def _read_request(connection: socketserver.StreamRequestHandler) -> SeenRequest | None:
    line = connection.rfile.readline(65536).decode("latin-1").strip()
    if not line:
        return None
    method, path, _ = line.split(" ", 2)
    parsed = http.client.parse_headers(connection.rfile)
    headers = {name.lower(): value for name, value in parsed.items()}
    if headers.get("expect", "").lower() == "100-continue":
        connection.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return SeenRequest(method, path, headers, _read_chunks(connection))
    return SeenRequest(method, path, headers, connection.rfile.read(int(headers.get("content-length", 0))))


def _read_chunks(connection: socketserver.StreamRequestHandler) -> bytes:
    pieces = []
    while size := int(connection.rfile.readline(65536).split(b";")[0], 16):
        pieces.append(connection.rfile.read(size))
        connection.rfile.readline()
    connection.rfile.readline()
    return b"".join(pieces)


def _passed_on(target: tuple[str, int], request: SeenRequest, body: bytes) -> tuple[str, dict[str, str], bytes]:
    upstream = http.client.HTTPConnection(*target, timeout=PATIENCE)
    try:
        upstream.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in _forwarded(request).items():
            upstream.putheader(name, value)
        upstream.endheaders(body)
        response = upstream.getresponse()
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
        if request.method == "HEAD":
            headers["Content-Length"] = response.getheader("Content-Length", "0")
        return f"{response.status} {response.reason}", headers, response.read()
    finally:
        upstream.close()


def _forwarded(request: SeenRequest) -> dict[str, str]:
    headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP | {"expect"}}
    if request.body or request.method in {"PUT", "POST"}:
        headers["content-length"] = str(len(request.body))
    return headers


def _send_half(target: tuple[str, int], request: SeenRequest) -> None:
    head = f"{request.method} {request.path} HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in _forwarded(request).items()
    )
    with socket.create_connection(target, timeout=PATIENCE) as upstream:
        upstream.sendall(head.encode("latin-1") + b"\r\n" + request.body[: len(request.body) // 2])


def _head(status: str, headers: dict[str, str], length: int) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    if "Content-Length" not in headers:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _answer(
    connection: socketserver.StreamRequestHandler, status: str, headers: dict[str, str], body: bytes, method: str
) -> None:
    connection.wfile.write(_head(status, headers, len(body)) + (b"" if method == "HEAD" else body))
    connection.wfile.flush()


def _flipped(data: bytes) -> bytes:
    """The same bytes with one bit in the middle the other way round."""
    if not data:
        return data
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def _cut(connection: socketserver.StreamRequestHandler) -> bool:
    """Reset the connection: what is on its way is lost."""
    with suppress(OSError):
        connection.wfile.flush()
    connection.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.connection.close()
    return False
