"""Uploads, over HTTP: a signed PUT is begun here, made against the store, and completed here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, StrictInt
from starlette.responses import Response

from posegen.access.callers import Scope
from posegen.uploads import service
from posegen.uploads.rows import Upload
from posegen.web.callers import TheCaller, user_for, users_shown
from posegen.web.idempotency import DoneOnce
from posegen.web.installation import Here, Installation
from posegen.web.paging import CursorText, Limit, Page, page_of, read_cursor
from posegen.web.rooms import Room
from posegen.web.texts import Name

room = Room("uploads")


class NewUpload(BaseModel):
    """An upload that is announced. `size`: bytes, at most 10 MiB; `content_type`: of PNG, JPEG or WebP."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    content_type: Name
    size: StrictInt


class UploadPermission(BaseModel):
    """Where the file is to be put, with exactly these headers. It may be repeated until it is complete."""

    upload_id: UUID
    url: str
    headers: dict[str, str]


class UploadOut(BaseModel):
    """An upload. `error_detail`: why nothing was kept; `kept_bytes`: of the file that is kept."""

    upload_id: UUID
    user_id: UUID
    content_type: str
    size: int
    status: str
    error_detail: str | None
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None
    kept_bytes: int | None

    @classmethod
    def of(cls, upload: Upload) -> UploadOut:
        """As the service returns it; the keys in the store stay inside."""
        return cls(
            upload_id=upload.id, **{name: value for name, value in vars(upload).items() if name in cls.model_fields}
        )


@room.post("/uploads", Scope.UPLOADS_WRITE, status_code=201, response_model=UploadPermission)
def begin_upload(new: NewUpload, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Announce a picture. `PUT` its bytes to `url`, then complete it."""
    user = user_for(caller, new.user_id)

    def begin(installation: Installation) -> UploadPermission:
        permission = service.begin(installation.studio, user, content_type=new.content_type, size=new.size)
        return UploadPermission(
            upload_id=permission.upload,
            url=here.absolute(permission.put.url) or "",
            headers=dict(permission.put.headers),
        )

    return once.do(here, caller, begin)


@room.get("/uploads", Scope.UPLOADS_WRITE)
def list_uploads(
    caller: TheCaller,
    here: Here,
    user: Annotated[UUID | None, Query(description="Whose, where the caller reaches several users.")] = None,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[UploadOut]:
    """Uploads, the latest first."""
    found = service.uploads_of(here.database, user_id=users_shown(caller, user), limit=limit, after=read_cursor(cursor))
    return page_of([UploadOut.of(each) for each in found], limit, lambda upload: (upload.created_at, upload.upload_id))


@room.post("/uploads/{upload_id}/complete", Scope.UPLOADS_WRITE)
async def complete_upload(upload_id: UUID, caller: TheCaller, here: Here) -> UploadOut:
    """Check the picture that was put, and keep it; repeating it returns the same. 422 says why nothing is kept."""
    owner = users_shown(caller, None)

    def complete() -> UploadOut:
        service.complete(here.studio, upload_id, here.decoders.decode, user_id=owner)
        return UploadOut.of(service.upload_of(here.database, upload_id, user_id=owner))

    return await here.heavy_work.run(complete)


@room.delete("/uploads/{upload_id}", Scope.UPLOADS_WRITE, status_code=204)
def delete_upload(upload_id: UUID, caller: TheCaller, here: Here) -> None:
    """Delete an upload, and the variants made of it."""
    service.delete(here.database, upload_id, actor=caller.credential, user_id=users_shown(caller, None))
