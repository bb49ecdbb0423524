"""Statements about objects: which bytes lie where. A row never holds a URL. Stores themselves are in `stores.py`."""

from __future__ import annotations

from uuid import UUID

from posegen.database.connection import Connection
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
    row = connection.execute(
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
    ).fetchone()
    assert row is not None, "a select without a table returns a row"
    if stored.skipped and row["deleted_at"] is not None:
        raise StoreUnavailable(
            "The object was deleted just after it was found; put it again", store=store, key=stored.key
        )
    if row["id"] is not None:
        return row["id"], True
    row = connection.execute(
        "select id from objects where store = %s and key = %s and sha256 = %s", [store, stored.key, stored.sha256]
    ).fetchone()
    if row is None:
        raise ObjectExists("The key is registered with other bytes", store=store, key=stored.key)
    return row["id"], False
