"""Accounts and users, over HTTP: what a customer has and owes, and whom services serve."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, StrictInt

from posegen.access.callers import Caller, Scope
from posegen.accounts import service
from posegen.accounts.credits import Entry
from posegen.accounts.projects import Project
from posegen.accounts.service import Limits
from posegen.accounts.users import User
from posegen.errors import UserUnknown
from posegen.web.callers import TheCaller, user_shown
from posegen.web.idempotency import DoneOnce
from posegen.web.installation import Here, Installation
from posegen.web.paging import CursorText, Limit, Page, page_of, read_cursor, read_key_cursor, read_number_cursor
from posegen.web.rooms import Room
from posegen.web.texts import Name

room = Room("accounts")
_User = Annotated[UUID | None, Query(description="Whose, where the caller reaches several users.")]


class Account(BaseModel):
    """A user's credits and space, in bytes, and the limits of requests; null for no limit."""

    user: User
    limits: Limits


class NewUser(BaseModel):
    """A user that is created. `user_id`: of the caller's choice; a random one without."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    user_id: UUID | None = None


class UserUpdate(BaseModel):
    """What changes of a user. `storage_limit`: bytes."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    storage_limit: StrictInt | None = None


@room.get("/account", Scope.ACCOUNT_READ)
def account(caller: TheCaller, here: Here, user: _User = None) -> Account:
    """The credits, the space and the limits of a user."""
    found = service.user(here.database, user_shown(caller, user))
    return Account(user=found, limits=service.limits(here.settings))


@room.get("/account/entries", Scope.ACCOUNT_READ)
def list_entries(
    caller: TheCaller, here: Here, user: _User = None, limit: Limit = 20, cursor: CursorText = None
) -> Page[Entry]:
    """The movements of a user's credits, the latest first."""
    place = read_number_cursor(cursor)
    found = service.entries(
        here.database, user_shown(caller, user), limit=limit, after=None if place is None else place[1]
    )
    return page_of(found, limit, lambda entry: (entry.created_at, entry.id))


@room.get("/projects", Scope.ACCOUNT_READ)
def list_projects(
    caller: TheCaller, here: Here, user: _User = None, limit: Limit = 20, cursor: CursorText = None
) -> Page[Project]:
    """The projects of a user, the one that was used last first."""
    found = service.projects(here.database, user_shown(caller, user), limit=limit, after=read_key_cursor(cursor))
    return page_of(found, limit, lambda project: (project.last_used_at, project.project_id))


@room.post("/users", Scope.USERS_WRITE, status_code=201, response_model=User)
def create_user(new: NewUser, caller: TheCaller, here: Here, once: DoneOnce) -> Response:
    """Create a user. Credits are granted by an operator."""

    def create(installation: Installation) -> User:
        return service.create_user(installation.database, new.name, actor=caller.credential, user_id=new.user_id)

    return once.do(here, caller, create)


@room.get("/users", Scope.USERS_WRITE)
def list_users(here: Here, limit: Limit = 20, cursor: CursorText = None) -> Page[User]:
    """Users, the latest first."""
    found = service.list_users(here.database, limit=limit, after=read_cursor(cursor))
    return page_of(found, limit, lambda user: (user.created_at, user.id))


@room.get("/users/{user_id}", Scope.USERS_WRITE)
def user(user_id: UUID, caller: TheCaller, here: Here) -> User:
    """One user with credits and space."""
    return service.user(here.database, _reached(caller, user_id))


@room.patch("/users/{user_id}", Scope.USERS_WRITE)
def update_user(user_id: UUID, body: UserUpdate, caller: TheCaller, here: Here) -> User:
    """Change the name or the space of a user."""
    return service.update_user(
        here.database,
        _reached(caller, user_id),
        actor=caller.credential,
        name=body.name,
        storage_limit=body.storage_limit,
    )


def _reached(caller: Caller, user_id: UUID) -> UUID:
    if not caller.may_see(user_id):
        raise UserUnknown(user_id)
    return user_id
