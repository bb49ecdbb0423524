"""The gate: what holds for every request, before any route is looked for.

It numbers requests, refuses forged hosts, sets the headers that every response has, and writes one line of log and the
numbers of `/metrics`. It is plain ASGI, so that streams and disconnects pass through it as they are.
"""

from __future__ import annotations

import time
from collections.abc import Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posegen.web.problems import Problem, respond
from posegen.web.request_metrics import RequestMetrics

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
LARGEST_BODY = 1024 * 1024
"""Bytes of a JSON body. Pictures are put into a store, which counts their bytes itself."""
_PROBES = frozenset({"/v1/health", "/v1/ready"})
"""Load balancers and kubelets ask these by address."""

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'self'; img-src 'self' https: http: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}


class Gate:
    """The outermost layer of the application.

    Args:
        app: the application behind it.
        hosts: names that a `Host` may have, without port; loopback is always among them.
        metrics: counts the requests.
        store: the path of the local store, which limits the bytes of each upload itself.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], metrics: RequestMetrics, store: str = "/media") -> None:
        self._store = f"{store}/"
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, WebSocket or lifespan."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = uuid4().hex
        state["headers"] = {}
        began, status = time.perf_counter(), 0

        async def mark(message: Message) -> None:
            nonlocal status
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                status = message["status"]
                _mark(message, state)
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._serve(scope, receive, mark)
            finally:
                self._record(scope, status, time.perf_counter() - began)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        if scope["path"] not in _PROBES and _host_of(connection) not in self._hosts:
            refusal = Problem(
                421, "wrong_host", "This server does not serve the host that the request names: set POSEGEN_API_URL."
            )
            await respond(connection, refusal)(scope, receive, send)
            return
        if not scope["path"].startswith(self._store):
            receive = _limited(receive)
        await self._app(scope, receive, send)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope.get("method", "WEBSOCKET")
        self._metrics.record(method, route, status, seconds)
        caller = scope["state"].get("caller")
        structlog.get_logger(__name__).info(
            "request",
            method=method,
            path=scope["path"][:200],
            status=status,
            milliseconds=round(seconds * 1000, 1),
            caller=caller.credential if caller else None,
        )


def _limited(receive: Receive) -> Receive:
    """The same messages; raises `Problem` (413) behind the largest body."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            raise Problem(413, "body_too_large", f"The body may have {LARGEST_BODY:,} bytes.")
        return message

    return limited


def _mark(message: MutableMapping[str, Any], state: dict[str, Any]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in {**_HEADERS, "x-request-id": state["request_id"], **state["headers"]}.items():
        headers.setdefault(name, value)


def _host_of(connection: HTTPConnection) -> str:
    """The host that the request names, in lower case and without its port; empty for none or several."""
    hosts = connection.headers.getlist("host")
    if len(hosts) != 1:
        return ""
    try:
        split = urlsplit(f"//{hosts[0]}")
        return f"[{split.hostname}]" if ":" in (split.hostname or "") else (split.hostname or "").lower()
    except ValueError:
        return ""
