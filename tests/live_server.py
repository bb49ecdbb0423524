"""Live progress under uvicorn with the smallest API around it, and clients that follow as browsers do."""

from __future__ import annotations

import http.client
import json
import select
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from posegen.database.connection import Database
from posegen.errors import DatabaseUnusable, GenerationUnknown, PosegenError, TooManyStreams
from posegen.web.events.frames import PoseUrls
from posegen.web.events.live import Live
from posegen.web.events.streams import Sources, Viewer
from tests.builders import result
from tests.web_server import served

PATIENCE = 30.0
_STATUSES: Mapping[type[PosegenError], int] = {GenerationUnknown: 404, TooManyStreams: 429, DatabaseUnusable: 503}


def _seen(request: Request) -> str | None:
    return request.headers.get("last-event-id") or request.query_params.get("after") or None


@dataclass(frozen=True)
class Told:
    """A server-sent event, as an `EventSource` dispatches it. `id`: the last one that was set."""

    event: str
    id: str
    data: Any

    @property
    def name(self) -> tuple[str, int]:
        """What an event is known by."""
        return self.data["generation_id"], self.data["sequence"]


class EventSource:
    """One connection that follows. `last_id`: what a browser would resume from; `comments`: how many came."""

    def __init__(self, port: int, path: str, *, last_id: str = "", headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        seen = {"last-event-id": last_id} if last_id else {}
        self._connection.request("GET", path, headers={**headers, **seen})
        self._response = self._connection.getresponse()
        self._socket = self._connection.sock
        self.status = self._response.status
        self.headers = self._response.headers
        self.last_id = last_id
        self.comments = 0

    def __enter__(self) -> EventSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave without a word, as a browser does."""
        self._response.close()
        self._connection.close()

    def next(self) -> Told | None:
        """The next event, or None when the stream has ended."""
        event, data = "", ""
        while line := self._response.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                data = value
            elif name == "id":
                self.last_id = value
            elif name == ":":
                self.comments += 1
            elif not name and data:
                return Told(event, self.last_id, json.loads(data))
        return None

    def is_silent_for(self, seconds: float) -> bool:
        """Whether nothing comes within so many seconds, at a moment when nothing of the stream is left unread."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        return not ready

    def take(self, number: int) -> list[Told]:
        """So many events; fewer when the stream ends."""
        return [told for _ in range(number) if (told := self.next()) is not None]

    def rest(self) -> list[Told]:
        """All events up to the end of the stream."""
        return list(iter(self.next, None))

    def body(self) -> bytes:
        """The body of a response that is no stream."""
        return self._response.read()


@dataclass
class Server:
    """The server of a test. `valid`: the credentials that are not revoked; all, unless a test says otherwise."""

    live: Live
    port: int
    revoked: set[str] = field(default_factory=set)

    def follow(self, generation: UUID, *, last_id: str = "", query: str = "", viewer: str = "admin") -> EventSource:
        """Follow one generation."""
        path = f"/generations/{generation}/events{query}"
        return EventSource(self.port, path, last_id=last_id, headers={"x-viewer": viewer})

    def follow_many(self, user: UUID | None = None, *, last_id: str = "", viewer: str = "admin") -> EventSource:
        """Follow the generations of a user, or all."""
        path = f"/events{f'?user={user}' if user else ''}"
        return EventSource(self.port, path, last_id=last_id, headers={"x-viewer": viewer})

    @contextmanager
    def websocket(self, viewer: str = "admin") -> Iterator[ClientConnection]:
        """A WebSocket."""
        with connect_websocket(
            f"ws://127.0.0.1:{self.port}/ws", additional_headers={"x-viewer": viewer}, open_timeout=PATIENCE
        ) as connection:
            yield connection


def urls_of(poses: Collection[UUID]) -> Mapping[UUID, PoseUrls]:
    """URLs that name the pose."""
    return {pose: PoseUrls(f"https://pictures.example/{pose}.png", None) for pose in poses}


@contextmanager
def live_server(database: Database, *, follow_with: Callable[..., Live] = Live) -> Iterator[Server]:
    """Live progress of a database. The header `x-viewer` names a user, or somebody else for an admin."""
    server: Server

    def still_valid(credentials: frozenset[str]) -> Collection[str]:
        return credentials - server.revoked

    sources = Sources(
        generation=lambda generation: json.dumps(result(database, generation), default=str).encode(),
        listing=lambda user: json.dumps({"data": [], "user": user}, default=str).encode(),
        still_valid=still_valid,
    )
    live = follow_with(database, urls_of, sources)
    routes = [
        Route("/generations/{id:uuid}/events", partial(_generation, live)),
        Route("/events", partial(_many, live)),
        WebSocketRoute("/ws", partial(_websocket, live)),
    ]
    application = Starlette(
        routes=routes, exception_handlers={PosegenError: _problem}, lifespan=lambda _: live.running()
    )
    with served(application, lifespan="on", ws="websockets-sansio", before_shutdown=live.stop) as port:
        server = Server(live, port)
        yield server


def never_reading(port: int, path: str, headers: Mapping[str, str]) -> socket.socket:
    """A client that asks for a stream, and then takes nothing of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    client.sendall("\r\n".join([*lines, "", ""]).encode())
    return client


async def _generation(live: Live, request: Request) -> Response:
    return live.generation(_viewer(request), request.path_params["id"], _seen(request))


async def _many(live: Live, request: Request) -> Response:
    user = request.query_params.get("user")
    return live.many(_viewer(request), UUID(user) if user else None, _seen(request))


async def _websocket(live: Live, websocket: WebSocket) -> None:
    await live.websocket(_viewer(websocket), websocket)


def _viewer(connection: HTTPConnection) -> Viewer:
    name = connection.headers["x-viewer"]
    try:
        return Viewer(name, UUID(name))
    except ValueError:
        return Viewer(name, None)


async def _problem(connection: HTTPConnection, error: Exception) -> Response:
    response = JSONResponse(
        {"detail": str(error)},
        _STATUSES[type(error)],
        media_type="application/problem+json",  # type: ignore[index]
    )
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(response)
    return response
