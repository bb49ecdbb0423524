"""Keys, over HTTP: their owners and the operator make, list and revoke them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from posegen.access import service
from posegen.access.callers import Kind, Scope
from posegen.access.keys import ApiKey
from posegen.web.callers import TheCaller
from posegen.web.idempotency import DoneOnce
from posegen.web.installation import Here, Installation
from posegen.web.paging import CursorText, Limit, Page, page_of, read_key_cursor
from posegen.web.rooms import Room
from posegen.web.texts import Name

room = Room("keys")


class NewKey(BaseModel):
    """A key that is asked for. `rate`: requests a minute; without `scopes` it has those of its kind."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    kind: Kind = Kind.USER
    user_id: UUID | None = None
    scopes: Annotated[list[Scope], Field(max_length=50)] | None = None
    rate: int | None = None
    expires_at: AwareDatetime | None = None


class Key(BaseModel):
    """A key without its secret."""

    key_id: str
    kind: Kind
    user_id: UUID | None
    name: str
    scopes: list[str]
    rate: int | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Key:
        """As the service returns it."""
        return cls(key_id=key.id, **{name: value for name, value in vars(key).items() if name not in {"id", "secret"}})


class CreatedKey(Key):
    """A key with what its owner sends. `secret`: shown once; null when the request was repeated."""

    secret: str | None


@room.post("/keys", Scope.KEYS_WRITE, status_code=201, response_model=CreatedKey)
def create_key(new: NewKey, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Make a key. Users make keys of their own, services those of users, admins all."""
    owner = new.user_id if new.kind is not Kind.USER else new.user_id or caller.user_id

    def make(installation: Installation) -> CreatedKey:
        made = service.create_key(
            installation.database,
            caller,
            kind=new.kind,
            name=new.name,
            now=installation.now(),
            user_id=owner,
            scopes=None if new.scopes is None else list(new.scopes),
            rate=new.rate,
            expires_at=new.expires_at,
        )
        return CreatedKey(**dict(Key.of(made.key)), secret=made.secret)

    return once.do(here, caller, make)


@room.get("/keys", Scope.KEYS_WRITE)
def list_keys(
    caller: TheCaller,
    here: Here,
    user: Annotated[UUID | None, Query(description="Only keys of this user.")] = None,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[Key]:
    """Keys that the caller manages, the latest first, revoked and expired ones included."""
    found = service.list_keys(here.database, caller, user_id=user, after=read_key_cursor(cursor), limit=limit + 1)
    return page_of([Key.of(key) for key in found], limit, lambda key: (key.created_at, key.key_id))


@room.delete("/keys/{key_id}", Scope.KEYS_WRITE, status_code=204)
def revoke_key(key_id: Name, caller: TheCaller, here: Here) -> None:
    """Revoke a key: from the next request on it is refused. Repeating it changes nothing."""
    service.revoke_key(here.database, caller, key_id, here.now())
