"""Rooms: the routes of one noun, each of which declares the scope that it needs.

A route without a declared scope cannot be written through a `Room`, and `check_scopes` refuses an application that has
one from elsewhere.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_type_hints

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from pydantic import TypeAdapter
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute

from posegen.access.callers import Caller, Scope
from posegen.web.callers import the_caller
from posegen.web.problems import Problem

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_WEBSOCKET = "WEBSOCKET"


class Needs(Enum):
    """What a route needs beside a scope. `NOTHING`: it is open to everybody; `A_CALLER`: any credentials do."""

    NOTHING = "none"
    A_CALLER = "any"


class Gatekeeper:
    """The dependency of a route that lets in only callers with its scope.

    Args:
        scope: what the route needs.
        is_counted: whether its requests count against the rate of the caller.
        by_ticket: whether a stream ticket may take the place of credentials; the route reads it.
    """

    def __init__(self, scope: Scope | Needs, *, is_counted: bool = True, by_ticket: bool = False) -> None:
        self.scope = scope
        self._is_counted = is_counted
        self._by_ticket = by_ticket

    async def __call__(self, connection: HTTPConnection) -> None:
        if self.scope is Needs.NOTHING or (self._by_ticket and "ticket" in connection.query_params):
            return
        caller: Caller = await the_caller(connection)
        if self._is_counted:
            connection.app.state.doorkeeper.count(caller, connection)
        if isinstance(self.scope, Scope) and not caller.may(self.scope):
            raise Problem(403, "scope_missing", f"These credentials lack the scope {self.scope}.")


@dataclass(frozen=True)
class _Declared:
    """A route before it is part of an application."""

    method: str
    path: str
    gatekeeper: Gatekeeper
    endpoint: Callable[..., Any]
    options: dict[str, Any]


class Room:
    """Routes of one noun. `noun`: as the documentation groups them."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._declared: list[_Declared] = []

    def get(self, path: str, scope: Scope | Needs, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A route that changes nothing. `options`: as FastAPI's `add_api_route` takes them."""
        return self._declare("GET", path, scope, options)

    def post(self, path: str, scope: Scope | Needs, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A route that creates or moves something."""
        return self._declare("POST", path, scope, options)

    def patch(self, path: str, scope: Scope | Needs, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A route that changes something."""
        return self._declare("PATCH", path, scope, options)

    def delete(self, path: str, scope: Scope | Needs, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A route that deletes something."""
        return self._declare("DELETE", path, scope, options)

    def stream(self, path: str, scope: Scope, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A route that follows events: a ticket may open it, and it does not count as a request."""
        return self._declare("GET", path, scope, options, is_counted=False, by_ticket=True)

    def websocket(self, path: str, scope: Scope) -> Callable[[Endpoint], Endpoint]:
        """The same over a WebSocket."""
        return self._declare(_WEBSOCKET, path, scope, {}, is_counted=False, by_ticket=True)

    def file(self, path: str, scope: Scope, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A route that returns a file, which does not count as a request."""
        return self._declare("GET", path, scope, options, is_counted=False)

    def add_to(self, app: FastAPI, prefix: str) -> None:
        """Make these routes part of an application, below `prefix`."""
        app.router.routes.extend(_routes_of(self, prefix))

    def routes(self, prefix: str) -> list[BaseRoute]:
        """These routes below `prefix`, independent of any application."""
        router = APIRouter()
        for each in self._declared:
            guarded = [Depends(each.gatekeeper)]
            if each.method == _WEBSOCKET:
                router.add_api_websocket_route(prefix + each.path, each.endpoint, dependencies=guarded)
                continue
            router.add_api_route(
                prefix + each.path,
                _in_its_thread(each),
                methods=[each.method],
                tags=[self._noun],
                dependencies=guarded,
                openapi_extra={"x-scope": each.gatekeeper.scope.value},
                operation_id=each.endpoint.__name__,
                **{"response_model": _result_of(each.endpoint), **each.options},
            )
        return router.routes

    def _declare(
        self, method: str, path: str, scope: Scope | Needs, options: dict[str, Any], **how: bool
    ) -> Callable[[Endpoint], Endpoint]:
        def register(endpoint: Endpoint) -> Endpoint:
            self._declared.append(_Declared(method, path, Gatekeeper(scope, **how), endpoint, options))
            return endpoint

        return register


@cache
def _routes_of(room: Room, prefix: str) -> list[BaseRoute]:
    """Built once: FastAPI takes 120 ms of CPU to derive models and dependencies, for each application of a process."""
    return room.routes(prefix)


def _in_its_thread(route: _Declared) -> Callable[..., Any]:
    """The endpoint, which also writes its JSON: FastAPI checks what a plain function returns in a second thread."""
    result = _result_of(route.endpoint)
    if inspect.iscoroutinefunction(route.endpoint) or result is None or "response_model" in route.options:
        return route.endpoint
    adapter: TypeAdapter[Any] = TypeAdapter(result)

    @functools.wraps(route.endpoint)
    def respond(**values: Any) -> Response:
        checked = adapter.validate_python(route.endpoint(**values), from_attributes=True)
        content = adapter.dump_json(checked, by_alias=True)
        return Response(content, route.options.get("status_code", 200), media_type="application/json")

    return respond


def _result_of(endpoint: Callable[..., Any]) -> Any:
    """The type of what an endpoint returns; None where that is nothing, or a response already."""
    result = get_type_hints(endpoint, include_extras=True).get("return")
    return None if isinstance(result, type) and issubclass(result, Response | NoneType) else result


def scope_of(route: BaseRoute) -> Scope | Needs | None:
    """What a route needs; None when it declares nothing."""
    if isinstance(route, APIRoute | APIWebSocketRoute):
        for dependency in route.dependencies:
            if isinstance(dependency.dependency, Gatekeeper):
                return dependency.dependency.scope
    return None


def check_scopes(app: FastAPI, *, guarded_elsewhere: Collection[str]) -> None:
    """Refuse an application with a route that declares no scope.

    Args:
        app: with all its routes.
        guarded_elsewhere: paths whose own code decides, such as that of the mounted store.

    Raises:
        RuntimeError: names the routes.
    """
    paths = {getattr(route, "path", repr(route)): scope_of(route) for route in app.routes}
    undeclared = [path for path, scope in paths.items() if scope is None and path not in guarded_elsewhere]
    if undeclared:
        raise RuntimeError(f"These routes declare no scope: {', '.join(sorted(undeclared))}.")
