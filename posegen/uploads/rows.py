"""Statements about uploads: what clients were allowed to put into a store, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import changed, one, value
from posegen.database.texts import storable
from posegen.objects.moves import DoomedObject


@dataclass(frozen=True)
class Upload:
    """One upload. `size`: bytes that the client has announced."""

    id: UUID
    user_id: UUID
    content_type: str
    size: int
    store: str
    key: str
    status: str
    error_detail: str | None
    object_id: int | None
    expires_at: datetime


_COLUMNS = "id, user_id, content_type, size, store, key, status, error_detail, object_id, expires_at"


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
    """Write down that a client may put something."""
    connection.execute(
        """
        insert into uploads (id, user_id, content_type, size, store, key, expires_at)
        values (%s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))
        """,
        [upload, user, content_type, size, store, key, seconds],
    )


def find(connection: Connection, upload: UUID) -> Upload | None:
    """One upload."""
    return one(connection, Upload, f"select {_COLUMNS} from uploads where id = %s", [upload])


def complete(connection: Connection, upload: UUID, object_id: int) -> bool:
    """Let this object be what was uploaded; False when the upload has ended already."""
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
    """Write down why an upload is none that we keep."""
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
    ).fetchall()
    expired: dict[str, list[DoomedObject]] = {}
    for row in rows:
        expired.setdefault(row["store"], []).append(DoomedObject(row["key"], row["size"]))
    return expired


def delete(connection: Connection, upload: UUID, *, actor: str) -> bool:
    """Delete an upload with its variants, for good; False when there is none that could be."""
    return bool(value(connection, "select delete_upload(%s, %s)", [upload, actor]))
