"""Live progress, over HTTP: streams of events, the WebSocket, and tickets that open them from pages elsewhere."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Query
from fastapi.websockets import WebSocket
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_jsonable_python
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from posegen.access import service as access
from posegen.access.callers import Caller, Scope
from posegen.access.tickets import Followed
from posegen.generations import service
from posegen.generations.reading.pages import GenerationFilter
from posegen.web.api.bodies import GenerationId
from posegen.web.api.showing import generation_of, shown, urls_of
from posegen.web.callers import TheCaller, the_caller, users_shown
from posegen.web.events.live import Live
from posegen.web.events.pages import page_of_generation, page_of_many
from posegen.web.events.streams import Sources, Viewer
from posegen.web.installation import Here, Installation
from posegen.web.openapi import EVENTS, EVENTS_TO_THE_END
from posegen.web.paging import write_cursor
from posegen.web.problems import Problem
from posegen.web.rooms import Room

room = Room("live")
LISTED = 100
"""Generations in the state that a stream of many begins with."""


class NewTicket(BaseModel):
    """A ticket that is asked for. Without a generation it opens a stream of all that the caller may see."""

    model_config = ConfigDict(extra="forbid")

    generation_id: UUID | None = None
    user_id: UUID | None = None


class Ticket(BaseModel):
    """What opens one stream within 60 s: `?ticket=` in its URL."""

    secret: str
    expires_at: datetime


def live_of(here: Installation) -> Live:
    """The streams of a process."""

    def generation(generation_id: UUID) -> bytes:
        (found,) = service.status(here.database, [generation_id])
        poses = shown(here, service.pose_results(here.database, generation_id))
        return _json({"generation": found, "poses": poses})

    def listing(user_id: UUID | None) -> bytes:
        found = service.list_generations(here.database, GenerationFilter(user_id=user_id), limit=LISTED)
        return _json({"data": found.data, "next_cursor": None if found.next is None else write_cursor(*found.next)})

    return Live(
        here.database,
        lambda poses: urls_of(here, poses),
        Sources(
            generation, listing, lambda credentials: access.valid_credentials(here.database, credentials, here.now())
        ),
    )


async def _live(connection: HTTPConnection) -> Live:
    live: Live = connection.app.state.live
    return live


TheLive = Annotated[Live, Depends(_live)]
_Ticket = Annotated[str | None, Query(max_length=200, description="A stream ticket, in place of a key.")]
_Seen = Annotated[str | None, Header(alias="last-event-id", description="What the client has seen last.")]
_Accept = Annotated[str, Header(include_in_schema=False)]
_After = Annotated[str | None, Query(description="The same for a first request; the header goes before it.")]


async def _viewer(connection: HTTPConnection, here: Here, ticket: _Ticket = None) -> tuple[Caller, Followed]:
    """Who follows: the holder of a ticket, or the caller of a key or session. Raises `Problem`."""
    if ticket is not None:
        holder = await run_in_threadpool(access.caller_of_ticket, here.database, ticket, here.now())
        connection.scope["state"]["caller"] = holder.caller
        return holder.caller, holder.followed
    return await the_caller(connection), Followed()


TheViewer = Annotated[tuple[Caller, Followed], Depends(_viewer)]


@room.post("/stream-tickets", Scope.GENERATIONS_READ, status_code=201)
def create_stream_ticket(new: NewTicket, caller: TheCaller, here: Here) -> Ticket:
    """Make a ticket for a page that cannot send a key, such as an `EventSource` of another origin."""
    user = new.user_id if new.generation_id is not None else new.user_id or caller.user_id
    made = access.make_ticket(here.database, caller, Followed(new.generation_id, user), here.now())
    return Ticket(secret=made.secret, expires_at=made.expires_at)


@room.stream(
    "/generations/{generation_id}/events",
    Scope.GENERATIONS_READ,
    response_class=Response,
    responses=EVENTS_TO_THE_END,
)
async def follow_generation(
    generation_id: GenerationId,
    viewer: TheViewer,
    here: Here,
    live: TheLive,
    last_event_id: _Seen = None,
    after: _After = None,
    accept: _Accept = "",
) -> Response:
    """The events of a generation as they happen, up to its end; what GET returns comes first.

    With `Accept: application/json` the events behind `after` so far, and the `after` of the next request.
    """
    caller, followed = viewer
    if followed.generation_id not in {None, generation_id}:
        raise Problem(404, "not_found", f"The ticket is not for generation {generation_id}.")
    await run_in_threadpool(generation_of, here, caller, generation_id)
    seen = last_event_id or after or None
    if _asks_for_json(accept):
        page = await run_in_threadpool(page_of_generation, here.database, partial(urls_of, here), generation_id, seen)
        return JSONResponse(page, headers={"cache-control": "no-store"})
    return live.generation(_shown_to(caller), generation_id, seen)


@room.stream("/events", Scope.GENERATIONS_READ, response_class=Response, responses=EVENTS)
async def follow_all(
    viewer: TheViewer,
    here: Here,
    live: TheLive,
    user: Annotated[UUID | None, Query(description="Whose, where the caller reaches several users.")] = None,
    last_event_id: _Seen = None,
    after: _After = None,
    accept: _Accept = "",
) -> Response:
    """The events of all generations of a user, or of everybody's that the caller may see.

    With `Accept: application/json` the events since `after` so far, and the `after` of the next request.
    """
    caller, followed = viewer
    if followed.generation_id is not None:
        raise Problem(404, "not_found", f"The ticket is for generation {followed.generation_id} only.")
    seen, shown_user = last_event_id or after or None, users_shown(caller, user)
    if _asks_for_json(accept):
        page = await run_in_threadpool(page_of_many, here.database, partial(urls_of, here), shown_user, seen)
        return JSONResponse(page, headers={"cache-control": "no-store"})
    return live.many(_shown_to(caller), shown_user, seen)


@room.websocket("/ws", Scope.GENERATIONS_READ)
async def websocket(websocket: WebSocket, viewer: TheViewer, live: TheLive) -> None:
    """Follow several generations over one WebSocket."""
    caller, followed = viewer
    if followed.generation_id is not None:
        raise Problem(404, "not_found", "A WebSocket follows several generations: the ticket is for one.")
    await live.websocket(_shown_to(caller), websocket)


def _asks_for_json(accept: str) -> bool:
    return "application/json" in accept and "text/event-stream" not in accept


def _shown_to(caller: Caller) -> Viewer:
    return Viewer(caller.credential, users_shown(caller, None))


def _json(document: object) -> bytes:
    return bytes(JSONResponse(to_jsonable_python(document)).body)
