"""Statements about objects: which bytes lie where. A row never holds a URL. Stores themselves are in `stores.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import existing, one, value
from posegen.errors import ObjectExists, StoreUnavailable
from posegen.storage.protocol import ObjectInfo


def register(
    connection: Connection,
    store: str,
    stored: ObjectInfo,
    *,
    generation_id: UUID | None,
    user_id: UUID | None = None,
) -> tuple[int, bool]:
    """The row of a stored object, and whether it is new. The same object may be registered again and again.

    It counts against the quota of its generation's user, or of `user_id` where it belongs to no generation.
    Raises `ObjectExists` when the key is registered with other bytes. Raises `StoreUnavailable` when the put found the
    object there and it was deleted since, because nothing needed it: then it has to be put again.
    """
    made = existing(
        connection,
        _Registered,
        """
        with spared as (
            delete from doomed_objects where store = %(store)s and key = %(key)s returning deleted_at
        ), made as (
            insert into objects (store, key, sha256, crc32, size, content_type, generation_id, user_id)
            values (%(store)s, %(key)s, %(sha256)s, %(crc32)s, %(size)s, %(content_type)s, %(generation)s, %(user)s)
            on conflict (store, key) do nothing returning id
        )
        select (select id from made) as id, (select deleted_at from spared) as deleted_at
        """,
        {
            "store": store,
            "key": stored.key,
            "sha256": stored.sha256,
            "crc32": stored.crc32,
            "size": stored.size,
            "content_type": stored.content_type,
            "generation": generation_id,
            "user": user_id,
        },
    )
    if stored.skipped and made.deleted_at is not None:
        raise StoreUnavailable(
            "The object was deleted just after it was found; put it again", store=store, key=stored.key
        )
    if made.id is not None:
        return made.id, True
    statement = "select id from objects where store = %s and key = %s and sha256 = %s"
    known: int | None = value(connection, statement, [store, stored.key, stored.sha256])
    if known is None:
        raise ObjectExists("The key is registered with other bytes", store=store, key=stored.key)
    return known, False


def give_to_generation(connection: Connection, object_id: int, generation_id: UUID) -> int | None:
    """Let an object of no user belong to a generation; returns its size, or None when it belongs to one already."""
    statement = """
        update objects set generation_id = %s where id = %s and generation_id is null and user_id is null returning size
    """
    size: int | None = value(connection, statement, [generation_id, object_id])
    return size


def registered(connection: Connection, store: str, key: str) -> RegisteredObject | None:
    """The row of an object, or None when it has none."""
    statement = "select id, sha256 from objects where store = %s and key = %s"
    return one(connection, RegisteredObject, statement, [store, key])


@dataclass(frozen=True)
class RegisteredObject:
    """The row of an object."""

    id: int
    sha256: str


@dataclass(frozen=True)
class _Registered:
    id: int | None
    deleted_at: datetime | None
