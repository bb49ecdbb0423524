"""HTTP as bytes, for tests of servers: one connection for each request, no redirects, no retries."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 20.0


@dataclass(frozen=True)
class Response:
    """A whole response."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Response:
    """One request. A body that is no bytes is sent as JSON.

    Raises:
        ConnectionError, http.client.HTTPException: there is no whole response.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    sent = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **sent}
    try:
        connection.request(method, url.removeprefix(f"{parts.scheme}://{parts.netloc}"), body, sent)
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()


def form(fields: list[tuple[str, str | bytes]]) -> tuple[bytes, dict[str, str]]:
    """A body of multipart/form-data and its header; bytes are files."""
    boundary = "a-boundary-of-a-test"
    parts = []
    for name, value in fields:
        file = '; filename="map.png"\r\nContent-Type: image/png' if isinstance(value, bytes) else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        parts.append(head.encode() + (value if isinstance(value, bytes) else value.encode()) + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
