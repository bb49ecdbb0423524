"""The OpenAPI document: what FastAPI derives from the routes, with our problems and the scope of each operation.

Responses that FastAPI cannot derive from a type, such as files and streams, are described here for their routes.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from posegen.web.callers import COOKIE
from posegen.web.problems import MEDIA_TYPE
from posegen.web.rooms import Needs

_DESCRIPTION = (
    "Pose pictures over HTTP. Lists are pages of `{data, next_cursor}`; errors are problems (RFC 9457) with a `code`. "
    "Each operation names the scope that it needs in `x-scope`. New fields and operations may be added at any time; "
    "nothing is removed from `/v1` without `Deprecation` and `Sunset` headers before. The WebSocket `/v1/ws` follows "
    "several generations over one connection."
)
Responses = dict[int | str, dict[str, Any]]
"""As FastAPI takes them: by status."""
NOT_MODIFIED: Responses = {304: {"description": "The client has it already: `If-None-Match` names its `ETag`."}}
_EVENTS: dict[str, Any] = {
    "type": "object",
    "required": ["data", "after", "is_reset"],
    "properties": {
        "data": {"type": "array", "items": {"type": "object"}, "description": "As in the stream."},
        "after": {"type": "string", "description": "What the next request names."},
        "is_reset": {"type": "boolean", "description": "Some events cannot be told: read the lists again."},
        "is_over": {"type": "boolean", "description": "Of one generation: nothing follows."},
    },
}
EVENTS: Responses = {
    200: {
        "description": "Server-sent events, or a page of them.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}, "application/json": {"schema": _EVENTS}},
    }
}
EVENTS_TO_THE_END: Responses = {
    **EVENTS,
    204: {"description": "The generation has ended, and the client has seen its last event."},
}
_ZIP = {"application/zip": {"schema": {"type": "string", "contentMediaType": "application/zip"}}}
ARCHIVE: Responses = {
    200: {"description": "The whole ZIP file.", "content": _ZIP},
    206: {"description": "The part that `Range` asks for.", "content": _ZIP},
    **NOT_MODIFIED,
}
FILE: Responses = {
    307: {
        "description": "The file is at another URL.",
        "headers": {"location": {"description": "Where.", "required": True, "schema": {"type": "string"}}},
    }
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Which problem, for programs."},
        "detail": {"type": "string", "description": "Which value, why, and what to do."},
        "request_id": {"type": "string", "description": "Names the request in the operator's log."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key: `posegen key create`."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A signed-in browser."},
}
_NEEDS = {Needs.NOTHING.value: "Needs no credentials.", Needs.A_CALLER.value: "Needs any credentials."}


def repeated(model: type) -> Responses:
    """The response to a request whose generation has ended, or is known by the Idempotency-Key."""
    return {200: {"model": model, "description": "It has ended, or was asked for before with this Idempotency-Key."}}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title="Posegen", version="1", description=_DESCRIPTION, routes=app.routes)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Problem"] = _PROBLEM
        made["components"]["securitySchemes"] = _SCHEMES
        for operations in made["paths"].values():
            for operation in operations.values():
                _complete(operation)
        app.openapi_schema = made
    return app.openapi_schema


def _complete(operation: dict[str, Any]) -> None:
    operation["summary"], _, rest = operation["description"].partition("\n\n")
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {"description": "A problem", "content": content}
    scope = operation["x-scope"]
    if scope != Needs.NOTHING.value:
        operation["security"] = [{name: []} for name in _SCHEMES]
    operation["description"] = f"{rest}\n\n{_NEEDS.get(scope, f'Needs the scope `{scope}`.')}".strip()
