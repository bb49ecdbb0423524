"""Statements about users that Posegen itself makes, for this machine and for the demonstration."""

from __future__ import annotations

from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import changed


def free_user(connection: Connection, user_id: UUID, name: str, *, credits: int, reason: str) -> UUID:
    """The user with this id, made and given credits when there is none yet."""
    if changed(connection, "insert into users (id, name) values (%s, %s) on conflict (id) do nothing", [user_id, name]):
        connection.execute("select grant_credits(%s, %s, %s, 'posegen')", [user_id, credits, reason])
    return user_id
