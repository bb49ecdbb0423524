"""Whether the API lives, whether it can serve, and what it offers."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from pydantic import BaseModel

from posegen.web.installation import Here
from posegen.web.problems import Problem
from posegen.web.rooms import Needs, Room

room = Room("health")


class Health(BaseModel):
    """`status`: always `ok`."""

    status: str = "ok"


@room.get("/health", Needs.NOTHING)
async def health() -> Health:
    """The process lives. Restart it when this does not respond."""
    return Health()


@room.get("/ready", Needs.NOTHING)
def ready(here: Here) -> Health:
    """The database responds: requests can be served. 503 otherwise."""
    if not here.is_ready():
        raise Problem(503, "unavailable", "The database does not respond.", headers={"retry-after": "5"})
    return Health()


@room.get("/openapi.json", Needs.NOTHING, include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    """The OpenAPI document of this API."""
    document: dict[str, Any] = request.app.openapi()
    return document
