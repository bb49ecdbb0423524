"""A far end on a port of 127.0.0.1: sockets, faults of the connection, and the two paths of the harness.

`GET /__ledger` returns the ledger; `?by=seed,prompt` says what `paid_twice` compares. `POST /__faults` adds a fault or
a list of them, `GET` lists them, `DELETE` clears them.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.wires.bfl import Bfl
from tests.wires.exchange import Refused, Reply, Request
from tests.wires.fal import Fal
from tests.wires.faults import DAY, Fault, Faults, disturbed
from tests.wires.huggingface import HuggingFace
from tests.wires.ledger import Ledger
from tests.wires.openai import OpenAI
from tests.wires.wire import Wire

HOST = "127.0.0.1"
_PATIENCE = 10.0
_LARGEST_BODY = 256 * 1024 * 1024


class FarEnd:
    """A far end that serves while the context is open.

    >>> with FarEnd.fal(seconds=0.1, concurrency=2) as far_end:
    ...     far_end.faults.add("lost", "submit")
    ...     client = a_client_for(far_end.base_url, far_end.key)
    ...     assert not far_end.ledger.paid_twice()
    """

    def __init__(self, wire: Wire, *, port: int = 0) -> None:
        self.wire = wire
        self.broken: list[str] = []
        self._server = self._listening(port)
        self.port: int = self._server.server_address[1]
        self.base_url = f"http://{HOST}:{self.port}"

    @classmethod
    def fal(cls, *, port: int = 0, **settings: Any) -> FarEnd:
        """fal's queue; settings as in `Fal`."""
        return cls(Fal(**settings), port=port)

    @classmethod
    def bfl(cls, *, port: int = 0, **settings: Any) -> FarEnd:
        """Black Forest Labs' API; settings as in `Bfl`."""
        return cls(Bfl(**settings), port=port)

    @classmethod
    def huggingface(cls, *, port: int = 0, **settings: Any) -> FarEnd:
        """Hugging Face's router and an own endpoint; settings as in `HuggingFace`."""
        return cls(HuggingFace(**settings), port=port)

    @classmethod
    def openai(cls, *, port: int = 0, **settings: Any) -> FarEnd:
        """OpenAI's images, or a compatible server; settings as in `OpenAI`."""
        return cls(OpenAI(**settings), port=port)

    @property
    def ledger(self) -> Ledger:
        """What was taken and is paid for."""
        return self.wire.ledger

    @property
    def faults(self) -> Faults:
        """The script of faults."""
        return self.wire.faults

    @property
    def key(self) -> str:
        """The key that is accepted."""
        return self.wire.key

    def environment(self) -> dict[str, str]:
        """The variables that point a client here."""
        return self.wire.environment(self.base_url)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Open connections are reset and new ones refused while the context is open; calls under way go on."""
        self._server.stop()
        try:
            yield
        finally:
            self._server = self._listening(self.port)
            self._server.start()

    def __enter__(self) -> FarEnd:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.closing.set()
        self.faults.clear()
        self._server.stop()
        if self.broken and kind is None:
            raise AssertionError("The far end itself failed:\n" + "\n".join(self.broken))

    def _listening(self, port: int) -> _Server:
        return _Server((HOST, port), type("Handler", (_Handler,), {"far_end": self}), self.broken)

    def reply_to(self, request: Request) -> tuple[Reply, Fault | None]:
        """The reply and the fault that happens to it."""
        if request.path.startswith("/__"):
            return self._control(request), None
        step = self.wire.step_of(request)
        if step is None:
            return self.wire.refusal(404), None
        fault = self.faults.take(step, self.wire.seed_of(request))
        reply = Reply(500) if fault and not fault.is_taken else self._carried_out(step, request, fault)
        if fault and fault.status:
            headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
            refusal = self.wire.refusal(fault.status)
            reply = replace(refusal, headers={**refusal.headers, **headers}, submission=reply.submission)
        if fault and reply.submission is not None:  # the response to a submission
            self.ledger.change(reply.submission, response=fault.kind)
        return disturbed(reply, fault), fault

    def _carried_out(self, step: str, request: Request, fault: Fault | None) -> Reply:
        try:
            if fault and fault.kind == "duplicated":
                self.wire.respond(step, request, fault)
            return self.wire.respond(step, request, fault)
        except Refused as refused:
            return refused.reply

    def _control(self, request: Request) -> Reply:
        if request.path == "/__ledger" and request.method == "GET":
            return Reply.json(200, self.ledger.to_json(*filter(None, request.one("by").split(","))))
        if request.path != "/__faults":
            return Reply.json(404, {"error": "There are /__ledger and /__faults."})
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            try:
                given = request.json()
                self.faults.extend([Fault(**each) for each in (given if isinstance(given, list) else [given])])
            except (ValueError, TypeError) as error:
                return Reply.json(400, {"error": str(error)})
        return Reply.json(200, self.faults.to_json())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], broken: list[str]) -> None:
        self._broken = broken
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)
        self._thread = threading.Thread(target=self.serve_forever, args=[0.02], name="far end", daemon=True)

    def start(self) -> None:
        """Serves in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Listens no more, and ends the connections that clients keep open."""
        self.shutdown()
        self.server_close()
        self._thread.join(_PATIENCE)
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remembers the connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        """Forgets the connection."""
        self._open.discard(request)
        super().close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are expected; everything else is a defect of the far end."""
        if not isinstance(sys.exception(), OSError):
            self._broken.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    far_end: FarEnd
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def exchange(self) -> None:
        """One exchange."""
        request = self._read()
        if request is None:
            return
        try:
            reply, fault = self.far_end.reply_to(request)
        except Exception:
            self._reset()
            raise
        self._send(reply, fault)

    def _read(self) -> Request | None:
        length = int(self.headers["Content-Length"] or 0)
        if "chunked" in self.headers.get("Transfer-Encoding", "") or length > _LARGEST_BODY:
            self.close_connection = True
            self.wfile.write(b"".join(Reply.json(411, {"detail": "Send a Content-Length."}).encoded()))
            return None
        body = self.rfile.read(length)
        if len(body) < length:  # the client is gone
            self.close_connection = True
            return None
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        return Request(self.command, unquote(url.path), query, self.headers, body)

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if fault and kind == "slow":
            self.far_end.wire.closing.wait(1.0 if fault.seconds is None else fault.seconds)
        if fault and kind == "hang":
            self.far_end.faults.wait(fault.seconds)
        if kind in ("reset", "lost", "hang"):
            self._reset()
            return
        off = (DAY if fault.seconds is None else fault.seconds) if fault and kind == "clock" else 0.0
        head, body = reply.encoded(self.far_end.wire.clock_off + off)
        if kind == "cut":
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write((head + body) * (2 if kind == "twice" else 1))

    def _reset(self) -> None:
        """Ends the connection with RST: no response, and none to come."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the ledger counts, and prompts and keys belong into no log."""


for _method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
    setattr(_Handler, f"do_{_method}", _Handler.exchange)
