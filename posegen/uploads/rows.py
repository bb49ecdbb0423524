"""Statements on the table of uploads. Which of them belong together is decided in `service`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, TypeVar
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.keyset import Place, page
from posegen.database.rows import changed, existing, one, value
from posegen.database.texts import storable
from posegen.objects.moves import DoomedObject

T = TypeVar("T")


@dataclass(frozen=True)
class Upload:
    """One upload.

    `size`: bytes that the client has announced; `key`: where the client puts them; `kept_key`, `kept_bytes`: the object
    that is kept of a completed one.
    """

    id: UUID
    user_id: UUID
    content_type: str
    size: int
    store: str
    key: str
    status: str
    error_detail: str | None
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None
    kept_key: str | None
    kept_bytes: int | None


_SELECTED: LiteralString = """
    select u.id, u.user_id, u.content_type, u.size, u.store, u.key, u.status, u.error_detail, u.created_at,
           u.expires_at, u.finished_at, o.key as kept_key, o.size as kept_bytes
    from uploads u left join objects o on o.id = u.object_id
"""


def begin(
    connection: Connection,
    upload: UUID,
    user: UUID,
    *,
    content_type: str,
    size: int,
    store: str,
    key: str,
    seconds: int,
) -> None:
    """Insert an upload that a client may make within `seconds`; `size`: bytes."""
    connection.execute(
        """
        insert into uploads (id, user_id, content_type, size, store, key, expires_at)
        values (%s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))
        """,
        [upload, user, content_type, size, store, key, seconds],
    )


def find(connection: Connection, upload: UUID) -> Upload | None:
    """The upload, or None when there is no such upload."""
    return one(connection, Upload, f"{_SELECTED} where u.id = %s", [upload])


def uploads_of(
    connection: Connection, *, user_id: UUID | None, status: str | None, limit: int, after: Place | None
) -> list[Upload]:
    """A page of uploads, the newest first, of one user and status or of all."""
    return page(
        connection,
        Upload,
        _SELECTED,
        order=("u.created_at", "u.id"),
        limit=limit,
        after=after,
        where={"u.user_id = %s": user_id, "u.status = %s": status},
    )


def kept(connection: Connection, kind: type[T], upload: UUID) -> T:
    """A completed upload with store, key and size of its object, as an object of this class."""
    return existing(
        connection,
        kind,
        """
        select u.id, u.user_id, u.status, u.object_id, o.store, o.key, o.size
        from uploads u join objects o on o.id = u.object_id where u.id = %s
        """,
        [upload],
    )


def complete(connection: Connection, upload: UUID, object_id: int) -> bool:
    """Complete a pending upload with the object that is kept of it; returns False when it has ended already."""
    completed = changed(
        connection,
        """
        update uploads set status = 'completed', object_id = %s, finished_at = now()
        where id = %s and status = 'pending'
        """,
        [object_id, upload],
    )
    return completed == 1


def reject(connection: Connection, upload: UUID, detail: str) -> None:
    """Reject a pending upload, with the reason."""
    connection.execute(
        """
        update uploads set status = 'rejected', error_detail = %s, finished_at = now()
        where id = %s and status = 'pending'
        """,
        [storable(detail), upload],
    )


def expire(connection: Connection) -> dict[str, list[DoomedObject]]:
    """End the uploads that have expired; returns, by store, what the clients may have put there."""
    rows = connection.execute(
        """
        update uploads set status = 'expired', finished_at = now() where status = 'pending' and expires_at < now()
        returning store, key, size
        """
    )
    expired: dict[str, list[DoomedObject]] = {}
    for row in rows:
        expired.setdefault(row["store"], []).append(DoomedObject(row["key"], row["size"]))
    return expired


def delete(connection: Connection, upload: UUID, *, actor: str) -> bool:
    """Delete an upload with its variants; returns False when it is unknown, or has ended without an object."""
    return bool(value(connection, "select delete_upload(%s, %s)", [upload, actor]))
