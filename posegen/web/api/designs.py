"""Designs and variants, over HTTP: what `posegen design` and `posegen variants` do."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AllowInfNan, BaseModel, ConfigDict, Strict, StrictBool
from starlette.responses import Response

from posegen.access.callers import Scope
from posegen.designs import service as designs
from posegen.designs.service import DesignResult
from posegen.variants import service as variants
from posegen.variants.service import VariantResult
from posegen.web.api.showing import with_urls
from posegen.web.callers import TheCaller, user_for, users_shown
from posegen.web.idempotency import DoneOnce
from posegen.web.installation import Here, Installation
from posegen.web.paging import CursorText, Limit, Page, page_of, read_cursor
from posegen.web.rooms import Room
from posegen.web.texts import Name, Text

room = Room("designs and variants")
TOOL = "api"
_User = Annotated[UUID | None, Query(description="Whose, where the caller reaches several users.")]
_Status = Annotated[Name | None, Query(description="Only those in this state.")]


class NewDesign(BaseModel):
    """A design that is asked for: the columns of `design_requests`. `size`: of the text, in points."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    text: Text
    product_type: Text | None = None
    font: Text | None = None
    size: Annotated[float, Strict(), AllowInfNan(False)] | None = None
    text_colour: Text | None = None
    ground_colour: Text | None = None
    watermark: Text | None = None
    print_file: StrictBool = False
    project_id: Text | None = None


class Design(BaseModel):
    """A design. `print_url`: reads the print file for an hour; null without one."""

    design: DesignResult
    print_url: str | None


class NewVariants(BaseModel):
    """Variants that are asked for. `source`: a stored picture, by its URL, its key, or the id of a pose."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    source: Text


@room.post("/designs", Scope.DESIGNS_WRITE, status_code=202, response_model=DesignResult)
def submit_design(new: NewDesign, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Ask for a design: text on a product, with a preview and, if asked for, a print file."""
    user = user_for(caller, new.user_id)
    asked = designs.NewDesign(**{name: value for name, value in new if name != "user_id"})

    def submit(installation: Installation) -> DesignResult:
        return designs.result(installation.database, designs.submit(installation.database, user, asked))

    return once.do(here, caller, submit, status=202)


@room.get("/designs", Scope.DESIGNS_WRITE)
def list_designs(
    caller: TheCaller, here: Here, user: _User = None, status: _Status = None, limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[DesignResult]:  # fmt: skip
    """Designs, the latest first."""
    found = designs.results(
        here.database, limit=limit, after=read_cursor(cursor), user_id=users_shown(caller, user), status=status
    )
    return page_of(_designs(here, found), limit, lambda each: (each.created_at, each.design_id))


@room.get("/designs/{design_id}", Scope.DESIGNS_WRITE)
def design(design_id: UUID, caller: TheCaller, here: Here) -> Design:
    """One design, with a signed URL of its print file."""
    found = designs.result(here.database, design_id, user_id=users_shown(caller, None))
    print_url = designs.print_url(here.studio, design_id) if found.print_key else None
    return Design(design=_designs(here, [found])[0], print_url=here.absolute(print_url))


@room.delete("/designs/{design_id}", Scope.DESIGNS_WRITE, status_code=204)
def delete_design(design_id: UUID, caller: TheCaller, here: Here) -> None:
    """Delete a design and its files for good."""
    designs.delete(here.studio, design_id, user_id=users_shown(caller, None))


@room.post("/variants", Scope.DESIGNS_WRITE, status_code=202, response_model=VariantResult)
def submit_variants(new: NewVariants, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Ask for small, quick versions of a stored picture of the user."""
    user = user_for(caller, new.user_id)

    def submit(installation: Installation) -> VariantResult:
        request = variants.submit(installation.database, new.source, tool=TOOL, user_id=user)
        return variants.result(installation.database, request)

    return once.do(here, caller, submit, status=202)


@room.get("/variants", Scope.DESIGNS_WRITE)
def list_variants(
    caller: TheCaller, here: Here, user: _User = None, status: _Status = None, limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[VariantResult]:  # fmt: skip
    """Requests for variants, the latest first."""
    found = variants.results(
        here.database, limit=limit, after=read_cursor(cursor), user_id=users_shown(caller, user), status=status
    )
    return page_of(_variants(here, found), limit, lambda each: (each.created_at, each.request_id))


@room.get("/variants/{request_id}", Scope.DESIGNS_WRITE)
def one_variant(request_id: UUID, caller: TheCaller, here: Here) -> VariantResult:
    """One request for variants."""
    return _variants(here, [variants.result(here.database, request_id, user_id=users_shown(caller, None))])[0]


@room.delete("/variants/{request_id}", Scope.DESIGNS_WRITE, status_code=204)
def delete_variants(request_id: UUID, caller: TheCaller, here: Here) -> None:
    """Delete the variants of a request, and those that were made of them."""
    owner = users_shown(caller, None)
    variants.result(here.database, request_id, user_id=owner)
    variants.delete(here.database, [request_id], actor=caller.credential, user_id=owner)


def _designs(here: Installation, found: list[DesignResult]) -> list[DesignResult]:
    return with_urls(
        here, found, owner="design_id", urls=("preview_url", "thumbnail_url"),
        placed=lambda ids: designs.placed_files(here.database, ids),
    )  # fmt: skip


def _variants(here: Installation, found: list[VariantResult]) -> list[VariantResult]:
    return with_urls(
        here, found, owner="request_id", urls=("normal_url", "high_quality_url"),
        placed=lambda ids: variants.placed_files(here.database, ids),
    )  # fmt: skip
