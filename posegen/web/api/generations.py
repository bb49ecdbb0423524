"""Generations, over HTTP: price, submit, read, cancel, retry, delete and restore."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from pydantic import AwareDatetime, BaseModel, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from posegen.access.callers import Caller, Kind, Scope
from posegen.error_codes import ErrorCode
from posegen.generations import service
from posegen.generations.asking.quoting import Quote
from posegen.generations.asking.requests import GenerationRequest
from posegen.generations.reading.pages import GenerationFilter, Order
from posegen.generations.reading.results import GenerationResult
from posegen.generations.service import AlreadyEnded, Submitted
from posegen.states import GenerationStatus
from posegen.web.api.bodies import GenerationId, NewGeneration, Restore, Retry, Several, numbers_in
from posegen.web.api.showing import Pose, generation_of, shown
from posegen.web.callers import TheCaller, user_for, users_shown
from posegen.web.idempotency import REPLAYED, key_of
from posegen.web.installation import Here, Installation
from posegen.web.openapi import repeated
from posegen.web.paging import CursorText, Limit, Page, page_from, place_of
from posegen.web.problems import Problem
from posegen.web.rooms import Room
from posegen.web.texts import Name, Words

room = Room("generations")
LONGEST_WAIT_SECONDS = 60
_GENERATION = TypeAdapter(GenerationResult)


class Price(BaseModel):
    """What a request would make, cost and reserve. `bytes`: an upper bound.

    `refused`: the code of the error that it would end with now; null when it would be accepted. `detail`: why.
    """

    pictures: int
    credits: int
    bytes: int
    refused: ErrorCode | None
    detail: str | None

    @classmethod
    def of(cls, quote: Quote) -> Price:
        """As the service returns it."""
        refusal = quote.refusal
        return cls(
            pictures=quote.pictures,
            credits=quote.credits,
            bytes=quote.bytes,
            refused=None if refusal is None else refusal.code,
            detail=None if refusal is None else refusal.detail,
        )


class Prices(Price):
    """The same of several requests together, and of each."""

    each: list[Price]


class Cancelled(BaseModel):
    """A generation after it was cancelled, or had ended before.

    `credits_released`: those that were held for its open poses.
    """

    generation_id: UUID
    status: GenerationStatus
    poses_kept: int | None = None
    credits_released: int = 0


class Deleted(BaseModel):
    """How many poses are hidden. `adopted_files_kept`: files of the operator, which stay."""

    generation_id: UUID
    poses_hidden: int
    adopted_files_kept: int


class Restored(BaseModel):
    """How many poses are shown again. `poses_gone`: those whose files are deleted for good."""

    generation_id: UUID
    poses_restored: int
    poses_gone: int


@room.post("/generations/price", Scope.GENERATIONS_READ, response_model=Prices)
def price(body: NewGeneration | Several, caller: TheCaller, here: Here) -> Prices:
    """What a request would make and cost, and whether it would be accepted now. Nothing is stored."""
    user = user_for(caller, body.user_id)
    asked = body.requests if isinstance(body, Several) else [body]
    quoted = service.quote(here.database, here.catalogue.terms(), user, [each.request() for each in asked])
    return Prices(**vars(Price.of(quoted.together)), each=[Price.of(each) for each in quoted.each])


@room.post(
    "/generations",
    Scope.GENERATIONS_WRITE,
    status_code=202,
    response_model=GenerationResult,
    responses=repeated(GenerationResult),
)
async def submit(body: NewGeneration, request: Request, caller: TheCaller, here: Here) -> Response:
    """Ask for pictures. What intake would refuse now is refused here, and nothing is stored.

    With an `Idempotency-Key` the same body returns the same generation, with `Idempotent-Replayed: true`. With
    `Prefer: wait=60` the response comes when the generation has ended, or after so many seconds.
    """
    if body.priority > 0 and caller.kind is Kind.USER:
        raise Problem(403, "not_allowed", f"Users cannot ask for priority {body.priority}: 0 is the highest for them.")
    user = user_for(caller, body.user_id)
    submitted, response = await run_in_threadpool(_submit, here, caller, user, body.request(), key_of(request))
    seconds = _wait_in(request)
    if seconds:
        await request.app.state.live.wait_for_end(submitted.generation_id, seconds)
        response = await run_in_threadpool(_accepted, here, caller, submitted)
        response.headers["preference-applied"] = f"wait={seconds}"
    return response


@room.get("/generations", Scope.GENERATIONS_READ)
def list_generations(
    caller: TheCaller,
    here: Here,
    user: Annotated[UUID | None, Query(description="Whose, where the caller reaches several users.")] = None,
    status: Annotated[list[GenerationStatus] | None, Query(max_length=20)] = None,
    project: Annotated[Name | None, Query()] = None,
    group: Annotated[Name | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    order: Order = Order.NEWEST,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[GenerationResult]:
    """Generations by the time at which they were asked for."""
    which = GenerationFilter(
        user_id=users_shown(caller, user),
        statuses=status or (),
        project_id=project,
        group_name=group,
        since=since,
        until=until,
        order=order,
    )
    return page_from(service.list_generations(here.database, which, after=place_of(cursor), limit=limit))


class GenerationWithPoses(BaseModel):
    """A generation, and its poses by their position."""

    generation: GenerationResult
    poses: list[Pose]


@room.get("/generations/{generation_id}", Scope.GENERATIONS_READ)
def generation(
    generation_id: GenerationId,
    caller: TheCaller,
    here: Here,
    expand: Annotated[str | None, Query(pattern="^poses$", description="`poses` for its poses, too.")] = None,
) -> GenerationResult | GenerationWithPoses:
    """One generation; with `expand=poses` an object of `generation` and `poses`."""
    found = generation_of(here, caller, generation_id)
    if expand is None:
        return found
    return GenerationWithPoses(generation=found, poses=shown(here, service.pose_results(here.database, generation_id)))


@room.post("/generations/{generation_id}/cancel", Scope.GENERATIONS_WRITE)
def cancel(generation_id: GenerationId, caller: TheCaller, here: Here) -> Cancelled:
    """Cancel a generation: completed poses stay, the credits of the others are released."""
    generation_of(here, caller, generation_id)
    outcome = service.cancel(here.database, generation_id, actor=caller.credential)
    if isinstance(outcome, AlreadyEnded):
        return Cancelled(generation_id=generation_id, status=outcome.status)
    return Cancelled(status=GenerationStatus.CANCELLED, **vars(outcome))


@room.post(
    "/generations/{generation_id}/retry",
    Scope.GENERATIONS_WRITE,
    status_code=202,
    response_model=GenerationResult,
    responses=repeated(GenerationResult),
)
def retry(generation_id: GenerationId, body: Retry, request: Request, caller: TheCaller, here: Here) -> Response:
    """Make the failed and cancelled poses of an ended generation again, as a new generation."""
    generation_of(here, caller, generation_id)
    submitted = service.retry(
        here.database,
        generation_id,
        formats=body.formats,
        idempotency_key=key_of(request),
        terms=here.catalogue.terms(),
    )
    return _accepted(here, caller, submitted)


@room.delete("/generations/{generation_id}/images", Scope.GENERATIONS_WRITE)
def delete_images(
    generation_id: GenerationId,
    caller: TheCaller,
    here: Here,
    poses: Annotated[Words, Query(description="Numbers of poses, from 1; all without any.")] = None,
) -> Deleted:
    """Hide the pictures of a generation; the nightly clean-up deletes their files after the grace."""
    generation_of(here, caller, generation_id)
    deleted = service.delete(
        here.database,
        generation_id,
        numbers=numbers_in(poses),
        grace=timedelta(hours=here.settings.posegen_delete_grace_hours),
        actor=caller.credential,
    )
    return Deleted(**vars(deleted))


@room.post("/generations/{generation_id}/restore", Scope.GENERATIONS_WRITE)
def restore_images(generation_id: GenerationId, body: Restore, caller: TheCaller, here: Here) -> Restored:
    """Show hidden pictures again, where their files still exist."""
    generation_of(here, caller, generation_id)
    restored = service.restore(here.database, generation_id, numbers=body.poses, actor=caller.credential)
    return Restored(**vars(restored))


def _submit(
    here: Installation, caller: Caller, user: UUID, request: GenerationRequest, key: str | None
) -> tuple[Submitted, Response]:
    """Store a request that would be accepted now. A known key returns its generation before anything is judged."""
    submitted = service.submit(here.database, user, request, idempotency_key=key, terms=here.catalogue.terms())
    return submitted, _accepted(here, caller, submitted)


def _accepted(here: Installation, caller: Caller, submitted: Submitted) -> Response:
    found = generation_of(here, caller, submitted.generation_id)
    headers = {"location": f"{here.url}/v1/generations/{found.generation_id}"}
    if submitted.replayed:
        headers[REPLAYED] = "true"
    is_over = submitted.replayed or found.status.is_terminal
    return Response(_GENERATION.dump_json(found), 200 if is_over else 202, headers, "application/json")


def _wait_in(request: Request) -> int:
    """Seconds that `Prefer: wait` asks for, at most 60; 0 without. What cannot be read is ignored (RFC 7240, 2)."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*(\d{1,6})(?:$|[,;\s])", request.headers.get("prefer", ""), re.ASCII)
    return min(int(found[1]), LONGEST_WAIT_SECONDS) if found else 0
