"""Statements on share links, which show the pictures of one generation to everybody who has the link.

Which of its pictures are shown is decided where pictures are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import existing, many, one, value

_COLUMNS = "id, user_id, generation_id, created_by, created_at, expires_at, revoked_at"


@dataclass(frozen=True)
class ShareLink:
    """A link without its secret. `user_id`: whose generation it shows."""

    id: UUID
    user_id: UUID
    generation_id: UUID
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def owner_of(connection: Connection, generation_id: UUID) -> UUID | None:
    """The user of a generation; None when there is no such generation."""
    owner: UUID | None = value(connection, "select user_id from generations where id = %s", [generation_id])
    return owner


def insert(
    connection: Connection, secret: bytes, user_id: UUID, generation_id: UUID, *, expires_at: datetime, created_by: str
) -> ShareLink:
    """Insert a link."""
    statement = f"""
        insert into share_links (secret, user_id, generation_id, expires_at, created_by) values (%s, %s, %s, %s, %s)
        returning {_COLUMNS}
    """
    return existing(connection, ShareLink, statement, [secret, user_id, generation_id, expires_at, created_by])


def find(connection: Connection, secret: bytes) -> ShareLink | None:
    """The link with this secret, revoked and expired ones included."""
    return one(connection, ShareLink, f"select {_COLUMNS} from share_links where secret = %s", [secret])


def by_id(connection: Connection, link_id: UUID) -> ShareLink | None:
    """The link with this id, revoked and expired ones included."""
    return one(connection, ShareLink, f"select {_COLUMNS} from share_links where id = %s", [link_id])


def page(connection: Connection, user_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int) -> list[ShareLink]:
    """The links of a user, the latest first. `after`: creation time and id of the last one of the page before."""
    before, link_id = after or (None, None)
    return many(
        connection,
        ShareLink,
        f"""
        select {_COLUMNS} from share_links
        where user_id = %(user)s and (%(before)s::timestamptz is null or (created_at, id) < (%(before)s, %(id)s))
        order by created_at desc, id desc limit %(limit)s
        """,
        {"user": user_id, "before": before, "id": link_id, "limit": limit},
    )


def revoke(connection: Connection, link_id: UUID, now: datetime) -> None:
    """Revoke a link, unless it was revoked before."""
    connection.execute("update share_links set revoked_at = %s where id = %s and revoked_at is null", [now, link_id])
