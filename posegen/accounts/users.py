"""Statements about users: who has an account, under which name, and with how much space."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation

from posegen.accounts.credits import Balance
from posegen.database.connection import Connection
from posegen.database.keyset import Place, page
from posegen.database.requests import insert_request, refusals_in_words
from posegen.database.rows import changed, one
from posegen.errors import UserExists

_DEMANDS = {
    "users_name_check": "the name must be 1 to 200 characters long",
    "accounts_storage_limit_check": "the storage limit must be 0 or more bytes",
    "storage_limit_in_range": "the storage limit must be at most 9,007,199,254,740,992 bytes",
    "storage_within_limit": "the storage limit must not be below what is used and reserved",
}
"""What the constraints of `users` and `accounts` demand, by their names."""


@dataclass(frozen=True)
class User(Balance):
    """A user with the account."""

    id: UUID
    name: str
    created_at: datetime


_SELECTED: LiteralString = """
    select u.id, u.name, u.created_at, a.credits_granted, a.credits_available, a.credits_held, a.credits_spent,
           a.storage_used, a.storage_reserved, a.storage_limit
    from users u join accounts a on a.user_id = u.id
"""


def free_user(connection: Connection, user_id: UUID, name: str, *, credits: int, reason: str) -> UUID:
    """The user with this id, inserted and given credits when there is none yet."""
    if changed(connection, "insert into users (id, name) values (%s, %s) on conflict (id) do nothing", [user_id, name]):
        connection.execute("select grant_credits(%s, %s, %s, 'posegen')", [user_id, credits, reason])
    return user_id


def insert(connection: Connection, name: str, user_id: UUID | None) -> UUID:
    """Insert a user; returns the id. Raises `UserExists`, or `RequestRefused` (invalid_request)."""
    try:
        return insert_request(connection, "users", {"id": user_id, "name": name}, _DEMANDS)
    except UniqueViolation:
        raise UserExists(user_id) from None


def find(connection: Connection, user_id: UUID, *, lock: bool = False) -> User | None:
    """One user, or None."""
    return one(connection, User, f"{_SELECTED} where u.id = %s {'for update' if lock else ''}", [user_id])


def users(connection: Connection, *, limit: int, after: Place | None) -> list[User]:
    """A page of all users, the newest first."""
    return page(connection, User, _SELECTED, order=("u.created_at", "u.id"), limit=limit, after=after)


def update(connection: Connection, user_id: UUID, *, name: str | None, storage_limit: int | None) -> None:
    """Change what is not None. Raises `RequestRefused` (invalid_request)."""
    with refusals_in_words(connection, _DEMANDS):
        if name is not None:
            connection.execute("update users set name = %s where id = %s", [name, user_id])
        if storage_limit is not None:
            connection.execute("update accounts set storage_limit = %s where user_id = %s", [storage_limit, user_id])
