"""Signing in and out: login links, the sessions that they begin, and who the caller is."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.responses import RedirectResponse

from posegen.access import service
from posegen.access.callers import Kind, Scope
from posegen.access.service import SESSION
from posegen.web.callers import COOKIE, TheCaller, user_for
from posegen.web.idempotency import DoneOnce
from posegen.web.installation import Here, Installation
from posegen.web.problems import Problem
from posegen.web.rooms import Needs, Room

room = Room("sessions")
pages = Room("pages")
AFTER_LOGIN = "/v1/me"


class Me(BaseModel):
    """Who calls. `user_id`: null for services and admins of no user."""

    credential: str
    kind: Kind
    user_id: UUID | None
    scopes: list[Scope]
    expires_at: datetime | None
    is_session: bool


class NewLink(BaseModel):
    """A login link that is asked for."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    is_admin: bool = False


class CreatedLink(BaseModel):
    """A link that signs one browser in, once.

    `secret`: the last part of `url`; both are null in a response that is repeated.
    """

    user_id: UUID
    is_admin: bool
    expires_at: datetime
    url: str | None
    secret: str | None


@room.get("/me", Needs.A_CALLER)
def me(caller: TheCaller) -> Me:
    """Who calls, and what these credentials may do."""
    return Me(**{**vars(caller), "scopes": sorted(caller.scopes)})


@room.post("/login-links", Scope.USERS_WRITE, status_code=201, response_model=CreatedLink)
def create_login_link(new: NewLink, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Make a link that signs a browser in within 10 minutes, once: a service makes it for its customer."""
    user = user_for(caller, new.user_id)

    def make(installation: Installation) -> CreatedLink:
        link = service.make_link(installation.database, caller, user, is_admin=new.is_admin, now=installation.now())
        return CreatedLink(url=f"{here.url}/login/{link.secret}", **vars(link))

    return once.do(here, caller, make, hidden=["url"])


@room.delete("/session", Needs.A_CALLER, status_code=204)
def sign_out(caller: TheCaller, here: Here, response: Response) -> None:
    """End the session of this browser."""
    service.sign_out(here.database, caller, here.now())
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=here.is_https)


@pages.get("/login/{secret}", Needs.NOTHING, include_in_schema=False)
def sign_in(secret: str, request: Request, here: Here) -> Response:
    """Sign a browser in by its link, which is used up, and lead it on."""
    if "prefetch" in request.headers.get("sec-purpose", ""):
        raise Problem(409, "not_followed", "A login link is used up when it is opened: it is not fetched in advance.")
    signed_in = service.sign_in(here.database, secret, here.now())
    response = RedirectResponse(AFTER_LOGIN, 303, headers={"cache-control": "no-store"})
    response.set_cookie(
        COOKIE,
        signed_in.secret,
        max_age=int(SESSION.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=here.is_https,
    )
    return response
