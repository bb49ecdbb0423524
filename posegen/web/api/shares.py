"""Share links, over HTTP: links that show the pictures of one generation to everybody who has them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

from posegen.access import service
from posegen.access.callers import Scope
from posegen.access.share_links import ShareLink
from posegen.generations import service as generations
from posegen.web.api.showing import shown
from posegen.web.callers import TheCaller, user_shown
from posegen.web.idempotency import DoneOnce
from posegen.web.installation import Here, Installation
from posegen.web.paging import CursorText, Limit, Page, page_of, read_cursor
from posegen.web.rooms import Needs, Room
from posegen.web.texts import Name

room = Room("share links")
_DAY_SECONDS = 86_400


class NewShare(BaseModel):
    """A link that is asked for. `lasts_seconds`: at most 365 days."""

    model_config = ConfigDict(extra="forbid")

    generation_id: UUID
    lasts_seconds: int = Field(default=7 * _DAY_SECONDS, ge=1, le=365 * _DAY_SECONDS)


class Share(BaseModel):
    """A link without its secret."""

    link_id: UUID
    user_id: UUID
    generation_id: UUID
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, link: ShareLink) -> Share:
        """As the service returns it."""
        return cls(link_id=link.id, **{name: value for name, value in vars(link).items() if name != "id"})


class CreatedShare(Share):
    """A link with its secret, which is shown once; null when the request was repeated."""

    secret: str | None


class SharedPose(BaseModel):
    """A picture without what its customer has asked for and paid."""

    model_config = ConfigDict(from_attributes=True)

    pose_id: UUID
    position: int
    pose_name: str
    image_url: str | None
    thumbnail_url: str | None
    exports: dict[str, str]
    urls_expire_at: datetime | None


@room.post("/share-links", Scope.SHARE_WRITE, status_code=201, response_model=CreatedShare)
def create_share_link(new: NewShare, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Make a link. Its pictures are read with `GET /v1/shared/{secret}`, without a key."""

    def make(installation: Installation) -> CreatedShare:
        made = service.share(
            installation.database,
            caller,
            new.generation_id,
            lasts=timedelta(seconds=new.lasts_seconds),
            now=installation.now(),
        )
        return CreatedShare(**dict(Share.of(made.link)), secret=made.secret)

    return once.do(here, caller, make)


@room.get("/share-links", Scope.SHARE_WRITE)
def list_share_links(
    caller: TheCaller,
    here: Here,
    user: Annotated[UUID | None, Query(description="Whose links, where the caller reaches several users.")] = None,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[Share]:
    """The links of a user, the latest first, revoked and expired ones included."""
    found = service.list_share_links(
        here.database, caller, user_shown(caller, user), after=read_cursor(cursor), limit=limit + 1
    )
    return page_of([Share.of(link) for link in found], limit, lambda link: (link.created_at, link.link_id))


@room.delete("/share-links/{link_id}", Scope.SHARE_WRITE, status_code=204)
def revoke_share_link(link_id: UUID, caller: TheCaller, here: Here) -> None:
    """End a link. Repeating it changes nothing."""
    service.revoke_share_link(here.database, caller, link_id, here.now())


class Shared(BaseModel):
    """The pictures of a shared generation."""

    generation_id: UUID
    expires_at: datetime
    poses: list[SharedPose]


@room.get("/shared/{secret}", Needs.NOTHING)
def shared(secret: Name, here: Here) -> Shared:
    """The pictures that a share link shows to everybody who has it."""
    link = service.shared(here.database, secret, here.now())
    poses = shown(here, generations.pose_results(here.database, link.generation_id))
    return Shared(
        generation_id=link.generation_id,
        expires_at=link.expires_at,
        poses=[
            SharedPose(**{name: getattr(pose, name) for name in SharedPose.model_fields})
            for pose in poses
            if pose.image_url
        ],
    )
