"""The pose library and the lists of what can be asked for, over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from starlette.responses import JSONResponse, Response

from posegen.designs import service as designs
from posegen.designs.products import Product
from posegen.designs.rows import Font
from posegen.errors import UnknownName
from posegen.library import service
from posegen.library.rows import ErrorMessage
from posegen.library.service import AvatarAttribute, Category, ListedPose
from posegen.platforms import service as platforms
from posegen.platforms.platform import Platform
from posegen.web.api.showing import with_urls
from posegen.web.installation import Here, Installation
from posegen.web.openapi import NOT_MODIFIED
from posegen.web.problems import Problem
from posegen.web.rooms import Needs, Room
from posegen.web.texts import Name, Text

room = Room("library")
_LISTS: dict[str, Callable[[Installation], Sequence[Any]]] = {
    "formats": lambda here: platforms.platforms(here.database),
    "avatar-attributes": lambda here: service.avatar_attributes(here.database),
    "product-types": lambda here: designs.product_types(here.database),
    "fonts": lambda here: designs.fonts(here.database),
    "error-codes": lambda here: service.error_messages(here.database),
}


class Categories(BaseModel):
    """Categories of library poses, each with how many it has."""

    data: list[Category]


class LibraryPoses(BaseModel):
    """Library poses, in the order of the library, or the best matches of words first."""

    data: list[ListedPose]


class List(BaseModel):
    """A list of names that requests may use."""

    data: list[Platform] | list[AvatarAttribute] | list[Product] | list[Font] | list[ErrorMessage]


@room.get("/library/categories", Needs.A_CALLER, responses=NOT_MODIFIED, response_model=Categories)
def list_categories(request: Request, here: Here) -> Response:
    """Categories of library poses."""
    return _tagged(request, {"data": service.categories(here.database)})


@room.get("/library/poses", Needs.A_CALLER, responses=NOT_MODIFIED, response_model=LibraryPoses)
def list_library_poses(
    request: Request,
    here: Here,
    category: Annotated[Text | None, Query(max_length=100, description="A category's slug.")] = None,
    q: Annotated[Text | None, Query(max_length=200, description="Words, such as `on the beach, arms raised`.")] = None,
) -> Response:
    """Library poses of a category, or those that words fit, the best first."""
    found = service.listing(here.database, category, q).poses
    return _tagged(request, {"data": _shown(here, found)})


@room.get("/library/poses/{slug}", Needs.A_CALLER, responses=NOT_MODIFIED, response_model=ListedPose)
def library_pose(slug: Name, request: Request, here: Here) -> Response:
    """One library pose with its pictures: the mannequin, OpenPose and depth."""
    try:
        found = service.pose_named(here.database, slug)
    except UnknownName:
        raise Problem(404, "not_found", f"There is no library pose {slug[:100]!r}.") from None
    return _tagged(request, _shown(here, [found])[0])


@room.get("/lists/{name}", Needs.A_CALLER, responses=NOT_MODIFIED, response_model=List)
def list_names(name: Name, request: Request, here: Here) -> Response:
    """What requests may name: `formats`, `avatar-attributes`, `product-types`, `fonts`, `error-codes`."""
    read = _LISTS.get(name)
    if read is None:
        raise Problem(404, "not_found", f"There is no list {name[:100]!r}; there are {', '.join(_LISTS)}.")
    return _tagged(request, {"data": read(here)})


def _shown(here: Installation, poses: list[ListedPose]) -> list[ListedPose]:
    urls = ("preview_url", "openpose_url", "depth_url")
    return with_urls(here, poses, owner="slug", urls=urls, placed=lambda _: service.placed_files(here.database))


def _tagged(request: Request, document: object) -> Response:
    """The document with its `ETag`, or 304 when the client has it already."""
    response = JSONResponse(to_jsonable_python(document), headers={"cache-control": "private, no-cache"})
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"etag": tag, "cache-control": "private, no-cache"})
    response.headers["etag"] = tag
    return response
