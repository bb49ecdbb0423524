"""Requests that are done once: what a client repeats under its Idempotency-Key gets the first response again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic_core import to_jsonable_python
from starlette.responses import JSONResponse, Response

from posegen.access.answered import StoredResponse, answered, remember
from posegen.access.callers import Caller
from posegen.web.installation import Installation
from posegen.web.problems import Problem

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"


@dataclass(frozen=True)
class Once:
    """A request as far as it can be repeated. `key`: None when the client has sent none."""

    key: str | None
    body_sha256: bytes

    def do(
        self,
        here: Installation,
        caller: Caller,
        work: Callable[[Installation], Any],
        *,
        status: int = 201,
        hidden: Collection[str] = (),
    ) -> Response:
        """Do the work in one transaction with its response, or return the response of the first time.

        Args:
            here: the installation.
            caller: whose key it is.
            work: given the installation with a database that is one transaction; returns the body of the response.
            status: of the response.
            hidden: fields that are null in a response that is repeated, besides `secret`.
        """
        if self.key is None:
            return JSONResponse(to_jsonable_python(work(here)), status)
        with here.database.as_one_transaction() as database:
            with database.transaction() as connection:
                earlier = answered(connection, caller, self.key, self.body_sha256)
            if earlier is not None:
                return JSONResponse(earlier.response, earlier.status, {REPLAYED: "true"})
            made = to_jsonable_python(work(replace(here, database=database)))
            with database.transaction() as connection:
                kept = StoredResponse(status, {**made, **dict.fromkeys(hidden)})
                remember(connection, caller, self.key, self.body_sha256, kept)
        return JSONResponse(made, status)


def key_of(request: Request) -> str | None:
    """The Idempotency-Key of a request. Raises `Problem` (400) for two of them."""
    keys = request.headers.getlist(HEADER)
    if len(keys) > 1:
        raise Problem(400, "invalid_request", "Send one Idempotency-Key: the request has several.")
    return keys[0] if keys else None


async def _once(request: Request) -> Once:
    told = f"{request.method} {request.url.path}\n".encode() + await request.body()
    return Once(key_of(request), hashlib.sha256(told).digest())


DoneOnce = Annotated[Once, Depends(_once)]
"""The request, as a parameter of a route that creates or moves something."""
