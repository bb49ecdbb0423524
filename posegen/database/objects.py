"""Statements about stores and objects: which bytes lie where. A row never holds a URL."""

from __future__ import annotations

from uuid import UUID

from posegen.database.connection import Connection
from posegen.errors import ObjectExists
from posegen.storage.protocol import ObjectInfo


def register_store(connection: Connection, name: str, base_url: str) -> None:
    """Make a store known, or change what its URLs begin with."""
    connection.execute(
        """
        insert into stores (name, base_url) values (%s, %s)
        on conflict (name) do update set base_url = excluded.base_url where stores.base_url <> excluded.base_url
        """,
        [name, base_url],
    )


def register(connection: Connection, store: str, stored: ObjectInfo, *, generation_id: UUID | None) -> tuple[int, bool]:
    """The row of a stored object, and whether it is new. The same object may be registered again and again.

    Raises `ObjectExists` when the key is registered with other bytes.
    """
    row = connection.execute(
        """
        insert into objects (store, key, sha256, crc32, size, content_type, generation_id)
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (store, key) do nothing returning id
        """,
        [store, stored.key, stored.sha256, stored.crc32, stored.size, stored.content_type, generation_id],
    ).fetchone()
    if row is not None:
        return row["id"], True
    row = connection.execute(
        "select id from objects where store = %s and key = %s and sha256 = %s", [store, stored.key, stored.sha256]
    ).fetchone()
    if row is None:
        raise ObjectExists("The key is registered with other bytes", store=store, key=stored.key)
    return row["id"], False
