"""Who calls: the credentials of a request, and the caller that they stand for.

A key comes in `Authorization: Bearer`, a session in a cookie. A cookie is sent by the browser whichever page asks, so a
write with one has to come from a page of this server. Credentials never come in a query string.
"""

from __future__ import annotations

import math
import time
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from posegen.access import service as access
from posegen.access.callers import Caller
from posegen.access.rates import Rates
from posegen.errors import CredentialsInvalid
from posegen.web.installation import Installation
from posegen.web.problems import Problem

COOKIE = "posegen_session"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Doorkeeper:
    """Finds out who calls, and how often they may.

    Args:
        here: the installation, whose keys and sessions count.
        rates: requests by caller.
        origins: of this server, for writes with a cookie.
    """

    def __init__(self, here: Installation, rates: Rates, *, origins: frozenset[str]) -> None:
        self._here = here
        self._rates = rates
        self._origins = origins

    def identify(self, connection: HTTPConnection) -> Caller:
        """The caller of a request. Raises `Problem`: 401 without valid credentials, 403 for a write from elsewhere."""
        written = connection.headers.get("authorization")
        cookie = connection.cookies.get(COOKIE)
        try:
            if written is not None:
                scheme, _, key = written.partition(" ")
                if scheme.lower() != "bearer":
                    raise _unauthenticated("The Authorization header has to say `Bearer` and a key.")
                return access.caller_of_key(self._here.database, key.strip(), self._here.now())
            if cookie is not None:
                self._check_origin(connection)
                return access.caller_of_session(self._here.database, cookie, self._here.now())
        except CredentialsInvalid as invalid:
            raise _unauthenticated(str(invalid)) from None
        raise _unauthenticated("This needs a key: send `Authorization: Bearer psg_…`.")

    def count(self, caller: Caller, connection: HTTPConnection) -> None:
        """Count a request, and tell its caller how many are left. Raises `Problem` (429) for one too many."""
        taken = self._rates.take(caller, time.monotonic())
        if taken.rate is None:
            return
        wait = math.ceil(taken.seconds)
        headers = connection.scope["state"]["headers"]
        headers["ratelimit-policy"] = f'"requests";q={taken.rate};w=60'
        headers["ratelimit"] = f'"requests";r={taken.remaining};t={wait}'
        if not taken.allowed:
            raise Problem(
                429,
                "rate_limited",
                f"More than {taken.rate} requests a minute, or {taken.at_once} at once: wait {wait} s.",
                headers={"retry-after": str(wait)},
            )

    def _check_origin(self, connection: HTTPConnection) -> None:
        if connection.scope.get("method") in _READS:  # a WebSocket has no method
            return
        origin = connection.headers.get("origin")
        if connection.headers.get("sec-fetch-site") == "same-origin" or origin in self._origins:
            return
        raise Problem(403, "wrong_origin", "A session works only from pages of this server; other programs use a key.")


async def the_caller(connection: HTTPConnection) -> Caller:
    """The caller of this request, found out once. Raises `Problem`."""
    state = connection.scope["state"]
    if "caller" not in state:
        doorkeeper: Doorkeeper = connection.app.state.doorkeeper
        state["caller"] = await run_in_threadpool(doorkeeper.identify, connection)
    caller: Caller = state["caller"]
    return caller


TheCaller = Annotated[Caller, Depends(the_caller)]


def user_for(caller: Caller, named: UUID | None) -> UUID:
    """Whose resource a request creates: the caller's own, or for a service and an admin the user that it names.

    Raises `Problem`: 403 for a user that is not the caller's, 422 where none is named.
    """
    if named is not None and not caller.may_see(named):
        raise Problem(403, "not_yours", f"These credentials are not of user {named}.")
    user = named or caller.user_id
    if user is None:
        raise _unnamed("/user_id")
    return user


def user_shown(caller: Caller, named: UUID | None) -> UUID:
    """Whose resource is shown: the caller's own, or for a service and an admin that of the user they name.

    Raises `Problem`: 404 for a user that is not the caller's, 422 where none is named.
    """
    user = users_shown(caller, named)
    if user is None:
        raise _unnamed("?user")
    return user


def users_shown(caller: Caller, named: UUID | None) -> UUID | None:
    """Whose resources a list shows: one user's, or None for everybody's, which services and admins may see.

    Raises `Problem` (404) for a user that is not the caller's.
    """
    if named is not None and not caller.may_see(named):
        raise Problem(404, "not_found", f"There is no user {named}.")
    return named or caller.user_id


def _unnamed(pointer: str) -> Problem:
    detail = "Name the user: these credentials are of no user."
    return Problem(422, "invalid_request", detail, [{"pointer": pointer, "detail": "Field required"}])


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"www-authenticate": 'Bearer realm="posegen"'})
