"""A client of the HTTP API for tests: a real server on a port, real keys, and the shape of every response checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2

from posegen.access import service as access
from posegen.access.callers import Caller, Kind
from posegen.database.connection import Database
from posegen.settings import Settings
from posegen.web.app import Application, create_app
from posegen.web.installation import Installation, open_installation
from tests.web_server import served

OPERATOR = Caller.operator("tests")
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Api:
    """A running API. `client`: its connections; `key`: what requests are sent with, None for nobody."""

    application: Application
    installation: Installation
    url: str
    client: httpx2.Client
    key: str | None = None

    @property
    def database(self) -> Database:
        """What it serves."""
        return self.installation.database

    def as_user(self, user: UUID, **more: Any) -> Api:
        """The API as a user sees it."""
        return self._with(kind=Kind.USER, user_id=user, **more)

    def as_service(self, **more: Any) -> Api:
        """The API as a service sees it."""
        return self._with(kind=Kind.SERVICE, **more)

    def as_admin(self, **more: Any) -> Api:
        """The API as an admin sees it."""
        return self._with(kind=Kind.ADMIN, **more)

    def as_nobody(self) -> Api:
        """The API without credentials."""
        return replace(self, key=None)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """One GET of a path such as `/v1/me`."""
        return self.ask("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx2.Response:
        """One POST of a JSON body."""
        return self.ask("POST", path, json=json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> httpx2.Response:
        """One PATCH of a JSON body."""
        return self.ask("PATCH", path, json=json, **options)

    def delete(self, path: str, **options: Any) -> httpx2.Response:
        """One DELETE."""
        return self.ask("DELETE", path, **options)

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> httpx2.Response:
        """One request; a response that is no problem although its status is one's fails the test."""
        credentials = {} if self.key is None else {"authorization": f"Bearer {self.key}"}
        self.client.cookies.clear()  # a test sends those that it means
        response = self.client.request(
            method, f"{self.url}{path}", headers={**credentials, **(headers or {})}, **options
        )
        if response.status_code >= 400 and path.startswith("/v1"):
            assert response.headers["content-type"] == PROBLEM, response.text
            assert response.json()["status"] == response.status_code
            assert response.json()["request_id"] == response.headers["x-request-id"]
        return response

    def _with(self, **more: Any) -> Api:
        made = access.create_key(self.database, OPERATOR, name="of a test", now=datetime.now(UTC), **more)
        return replace(self, key=made.secret)


@contextmanager
def serving(application: Application) -> Iterator[int]:
    """The port of a server of the application."""
    with served(application.asgi, lifespan="on", ws="websockets-sansio", before_shutdown=application.live.stop) as port:
        yield port


@contextmanager
def running_api(database: Database, settings: Settings) -> Iterator[Api]:
    """The API of a database and the stores of settings, until the block ends."""
    with (
        # The port is known when the server listens: the URL that clients use is that of a proxy in front.
        open_installation(settings, database, url="http://api.example.test") as installation,
        serving(application := create_app(installation)) as port,
        httpx2.Client(trust_env=False, timeout=60, follow_redirects=False) as client,
    ):
        yield Api(application, installation, f"http://127.0.0.1:{port}", client)


@contextmanager
def opened_stream(caller: Api, path: str, **headers: str) -> Iterator[httpx2.Response]:
    """A response whose body is read by the test, or not at all."""
    credentials = {} if caller.key is None else {"authorization": f"Bearer {caller.key}"}
    with caller.client.stream("GET", f"{caller.url}{path}", headers={**credentials, **headers}) as response:
        yield response
