"""The HTTP application: its rooms, its layers from the outside in, and what becomes of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread
import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp

from posegen.access.rates import Rates
from posegen.errors import PosegenError
from posegen.storage.configuration import LocalConfig
from posegen.storage.stores import open_local
from posegen.web import openapi, problems
from posegen.web.api import (
    account,
    admin,
    designs,
    generations,
    health,
    keys,
    library,
    metrics,
    poses,
    sessions,
    shares,
    uploads,
)
from posegen.web.api import live as live_room
from posegen.web.api.live import live_of
from posegen.web.callers import Doorkeeper
from posegen.web.events.live import Live
from posegen.web.gate import Gate
from posegen.web.installation import Installation
from posegen.web.objects import media_path, object_routes
from posegen.web.rooms import Room, check_scopes

PREFIX = "/v1"
ROOMS: tuple[Room, ...] = (
    health.room, sessions.room, generations.room, poses.room, live_room.room, library.room, uploads.room, designs.room,
    account.room, keys.room, shares.room, admin.room,
)  # fmt: skip
_ALLOWED_HEADERS = [
    "authorization", "content-type", "idempotency-key", "last-event-id", "prefer", "if-none-match", "range",
]  # fmt: skip
_SHOWN_HEADERS = [
    "x-request-id", "ratelimit", "ratelimit-policy", "retry-after", "location", "etag", "idempotent-replayed",
    "content-disposition", "content-range",
]  # fmt: skip


@dataclass(frozen=True)
class Application:
    """The application.

    Attributes:
        asgi: what a server runs.
        routes: the same without its outer layers.
        live: its streams, which the server ends before it waits for its connections.
    """

    asgi: ASGIApp
    routes: FastAPI
    live: Live


def create_app(installation: Installation) -> Application:
    """The application that serves an installation.

    Raises:
        RuntimeError: a route declares no scope.
    """
    app = FastAPI(
        title="Posegen",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Nothing is sent anywhere, whatever OTEL_* variables the environment has; `/metrics` has the numbers.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        lifespan=_lifespan,
    )
    app.state.installation = installation
    app.state.live = live = live_of(installation)
    installation.metrics.count_followers(lambda: live.streams)
    for kind in (Exception, HTTPException, RequestValidationError, PosegenError, psycopg.Error, PoolTimeout):
        app.add_exception_handler(kind, problems.handle)
    for room in ROOMS:
        room.add_to(app, PREFIX)
    for pages in (sessions.pages, metrics.pages):
        pages.add_to(app, "")
    local = LocalConfig.of(installation.settings)
    media = media_path(installation.settings)
    app.mount(media, Mount("", routes=object_routes(open_local(local), cors_origins=local.cors_origins)))
    check_scopes(app, guarded_elsewhere={media})
    app.state.doorkeeper = Doorkeeper(installation, Rates(), origins=frozenset({_origin_of(installation.url)}))
    app.openapi = partial(openapi.document, app)  # type: ignore[method-assign]
    gate = Gate(
        _across_origins(app, local.cors_origins),
        hosts={urlsplit(installation.url).hostname or ""},
        metrics=installation.metrics,
        store=media,
    )
    return Application(gate, app, live)


def _across_origins(app: ASGIApp, origins: Any) -> ASGIApp:
    """Pages of these origins may call the API with a key; cookies are never sent across origins."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=_SHOWN_HEADERS,
        max_age=3600,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    installation: Installation = app.state.installation
    live: Live = app.state.live
    # A thread without a connection would only wait for one.
    anyio.to_thread.current_default_thread_limiter().total_tokens = installation.settings.posegen_api_threads
    async with live.running():
        yield


def _origin_of(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"
