"""One HTTP exchange: a request as it was read, and the reply that is sent. Sockets are in `far_end`."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.client import responses
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request with its whole body. `query`: each name with all of its values, in order."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Message
    body: bytes

    @property
    def origin(self) -> str:
        """The scheme, host and port that the client used."""
        return f"http://{self.headers['Host']}"

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get_content_type() if self.headers["Content-Type"] else ""

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return self.query[name][-1] if name in self.query else default

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: the body is no JSON.
        """
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """A reply. `submission`: the number in the ledger of the submission that it is the response to."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    submission: int | None = None

    @classmethod
    def json(cls, status: int, body: object, headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
        """A reply with a JSON body."""
        return cls(status, json.dumps(body).encode(), headers=headers or {}, **more)

    def encoded(self, clock_off: float = 0.0) -> tuple[bytes, bytes]:
        """Head and body as they go over the wire. `clock_off`: seconds that the Date header is ahead."""
        phrase = responses.get(self.status, "Unknown")
        fields = {
            "Date": email.utils.formatdate(time.time() + clock_off, usegmt=True),
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), self.body


class Refused(Exception):
    """The far end refuses a request. `reply`: in the maker's form."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.body[:200]!r}")
        self.reply = reply
