"""What operators look at and do, over HTTP: work at this moment, figures, incidents, settings, grants and refunds."""

from __future__ import annotations

from datetime import UTC, date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt
from starlette.responses import Response

from posegen.access.callers import Scope
from posegen.accounts import service as accounts
from posegen.audit import AuditLine
from posegen.generations import service as generations
from posegen.generations.reading.explaining import explain_generation
from posegen.incidents import Incident
from posegen.objects import service as objects
from posegen.objects.stores import StoreUsage
from posegen.reports import figures
from posegen.reports.figures import ErrorFigures, Headline, PoseFigures, UserFigures
from posegen.reports.periods import Period, read_period
from posegen.settings import MOST_CREDITS
from posegen.storage.health import StoreState, state_of
from posegen.upkeep import service as upkeep
from posegen.upkeep.overview_rows import WorkUnderWay
from posegen.upkeep.service import ListedSetting, Queue
from posegen.web.callers import TheCaller
from posegen.web.idempotency import DoneOnce
from posegen.web.installation import Here, Installation
from posegen.web.paging import CursorText, Limit, Page, page_of, read_cursor, read_number_cursor
from posegen.web.rooms import Room
from posegen.web.texts import Name

room = Room("operators")
_From = Annotated[date | None, Query(alias="from", description="First day, UTC; without it 30 days before the last.")]
_To = Annotated[date | None, Query(alias="to", description="Last day, which counts; today without it.")]


class Workers(BaseModel):
    """What runs were claimed for or work at, the oldest claim first."""

    data: list[WorkUnderWay]


class Stores(BaseModel):
    """The stores, each after a small object was written, read and deleted, and what lies in them by folder."""

    stores: list[StoreState]
    usage: list[StoreUsage]


class Settings(BaseModel):
    """Every setting with its source; never a secret."""

    data: list[ListedSetting]


class TopUsers(BaseModel):
    """Users with the most poses of a period."""

    data: list[UserFigures]


class PopularPoses(BaseModel):
    """Library poses that were made most often in a period."""

    data: list[PoseFigures]


class Errors(BaseModel):
    """Errors of a period by code."""

    data: list[ErrorFigures]


class NewGrant(BaseModel):
    """Credits that a user is given."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID
    amount: Annotated[StrictInt, Field(ge=1, le=MOST_CREDITS)]
    reason: Name


class Granted(BaseModel):
    """Credits that a user was given. `available`: what the user has now."""

    user_id: UUID
    amount: int
    available: int


class NewRefund(BaseModel):
    """Poses whose price is given back. `poses`: their numbers, from 1; all without any."""

    model_config = ConfigDict(extra="forbid")

    generation_id: UUID
    poses: Annotated[list[StrictInt], Field(max_length=50)] | None = None
    reason: Name


class Refunded(BaseModel):
    """Credits that were given back."""

    generation_id: UUID
    credits: int


@room.get("/admin/queue", Scope.ADMIN_READ)
def queue(here: Here) -> Queue:
    """What waits, how full the slots are, and the backends whose breakers are open."""
    return upkeep.queue(here.database, here.settings, hosted=here.backends.hosted)


@room.get("/admin/workers", Scope.ADMIN_READ)
def list_workers(here: Here) -> Workers:
    """The work that is under way."""
    return Workers(data=upkeep.workers(here.database))


@room.get("/admin/incidents", Scope.ADMIN_READ)
def list_incidents(here: Here, open: bool = False, limit: Limit = 20, cursor: CursorText = None) -> Page[Incident]:
    """Incidents, the latest first."""
    found = upkeep.list_incidents(here.database, limit=limit, after=read_cursor(cursor), only_open=open)
    return page_of(found, limit, lambda incident: (incident.opened_at, incident.id))


@room.get("/admin/audit", Scope.ADMIN_READ)
def list_audit(
    here: Here,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    action: Annotated[Name | None, Query()] = None,
    subject: Annotated[Name | None, Query()] = None,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[AuditLine]:
    """What people and upkeep did, the latest first."""
    found = upkeep.audit_trail(
        here.database, limit=limit, after=read_number_cursor(cursor), since=since, action=action, subject=subject
    )
    return page_of(found, limit, lambda line: (line.created_at, line.entry))


@room.get("/admin/storage", Scope.ADMIN_READ)
async def storage(here: Here) -> Stores:
    """Whether the stores work, and what lies in them."""

    def look() -> Stores:
        states = [state_of(here.stores.named, name) for name in here.stores.names]
        return Stores(stores=states, usage=objects.usage(here.database))

    return await here.heavy_work.run(look)


@room.get("/admin/settings", Scope.ADMIN_READ)
def list_settings(here: Here) -> Settings:
    """Every setting of this process, and the variable that it comes from."""
    return Settings(data=upkeep.listed_settings(here.settings))


@room.get("/admin/metrics", Scope.ADMIN_READ)
def headline(here: Here, first: _From = None, last: _To = None) -> Headline:
    """What was made in a period, how well and for how much."""
    return figures.headline(here.database, _period(here, first, last))


@room.get("/admin/top-users", Scope.ADMIN_READ)
def top_users(here: Here, first: _From = None, last: _To = None, limit: Limit = 10) -> TopUsers:
    """Users with the most poses of a period."""
    return TopUsers(data=figures.top_users(here.database, _period(here, first, last), limit=limit))


@room.get("/admin/popular-poses", Scope.ADMIN_READ)
def popular_poses(here: Here, first: _From = None, last: _To = None, limit: Limit = 10) -> PopularPoses:
    """Library poses that were made most often in a period."""
    return PopularPoses(data=figures.popular_poses(here.database, _period(here, first, last), limit=limit))


@room.get("/admin/errors", Scope.ADMIN_READ)
def list_errors(here: Here, first: _From = None, last: _To = None, limit: Limit = 20) -> Errors:
    """Errors of a period by code."""
    return Errors(data=figures.errors(here.database, _period(here, first, last), limit=limit))


@room.get("/admin/generations/{generation_id}/explain", Scope.ADMIN_READ)
def explain(generation_id: UUID, here: Here) -> dict[str, Any]:
    """Everything that is known of one generation, as `posegen explain --json` prints it."""

    found = explain_generation(
        here.database, here.settings, here.backends, here.stores.named, str(generation_id), ui=None
    )
    return found.document


@room.post("/admin/grants", Scope.ADMIN_WRITE, status_code=201, response_model=Granted)
def grant(new: NewGrant, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Give credits to a user. The ledger and the audit trail say who did."""

    def give(installation: Installation) -> Granted:
        granted = accounts.grant(
            installation.database, new.user_id, new.amount, reason=new.reason, actor=caller.credential
        )
        return Granted(**vars(granted))

    return once.do(here, caller, give)


@room.post("/admin/refunds", Scope.ADMIN_WRITE, status_code=201, response_model=Refunded)
def refund(new: NewRefund, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Give back what was paid for completed poses, once each. The pictures stay."""

    def give_back(installation: Installation) -> Refunded:
        refunded = generations.refund(
            installation.database,
            new.generation_id,
            numbers=new.poses,
            reason=new.reason,
            actor=caller.credential,
        )
        return Refunded(**vars(refunded))

    return once.do(here, caller, give_back)


def _period(here: Installation, first: date | None, last: date | None) -> Period:
    """The period of a query. Raises `PeriodInvalid`."""
    today = here.now().astimezone(UTC).date()
    return read_period(
        None if first is None else first.isoformat(), None if last is None else last.isoformat(), today=today, days=30
    )
