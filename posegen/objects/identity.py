"""The marker that ties a store to one database: nothing is written where it is missing or speaks of another one.

A volume that was not mounted looks like an empty store, and a bucket can be taken for another by one wrong letter.
"""

from __future__ import annotations

import json
from contextlib import suppress
from uuid import UUID

import structlog

from posegen.database.connection import Database
from posegen.errors import ObjectExists, ObjectMissing, StoreMistaken
from posegen.objects import stores
from posegen.objects.stores import StoreRow
from posegen.storage.keys import STORE_MARKER_KEY
from posegen.storage.protocol import ObjectStore

_EXPLANATION = "Says which Posegen database keeps objects here. Without it Posegen writes nothing: do not delete it."


def require_own(database: Database, store: ObjectStore) -> None:
    """Makes sure that this is the store that the database has been writing to; one that is new gets its marker.

    Raises `StoreMistaken` with the fix, and the storage error that looking at the marker met.
    """
    row = _row(database, store)
    if not _is_marked(row, store):
        with suppress(ObjectExists):  # another process has just marked it, for this database or for another one
            _put_marker(store, row.identity, create_only=True)
        _is_marked(row, store)
    if not row.marked:
        _put_marked(database, store.name)


def is_own(database: Database, store: ObjectStore) -> bool:
    """The same look without writing anything: False for a store that is new to this database. Raises likewise."""
    return _is_marked(_row(database, store), store)


def take_over(database: Database, store: ObjectStore) -> None:
    """Lets the store belong to this database from now on, whatever it belonged to."""
    _put_marker(store, _row(database, store).identity, create_only=False)
    _put_marked(database, store.name)
    structlog.get_logger(__name__).warning("store taken over", store=store.name)


def _is_marked(row: StoreRow, store: ObjectStore) -> bool:
    found = _marker(store)
    if found == str(row.identity):
        return True
    if found is not None:
        raise StoreMistaken(
            "The store belongs to another Posegen database: give this one a folder or bucket of its own, or, if this "
            "database takes its place for good, `posegen storage init --take-over`.",
            store=store.name,
            key=STORE_MARKER_KEY,
        )
    if row.marked:
        raise StoreMistaken(
            "The store's marker is missing: this is not the store that the database has been writing to. Mount the "
            "volume, or correct the settings; if it was emptied on purpose, `posegen storage init --take-over`.",
            store=store.name,
            key=STORE_MARKER_KEY,
        )
    return False


def _row(database: Database, store: ObjectStore) -> StoreRow:
    with database.transaction() as connection:
        row = stores.store_row(connection, store.name)
    if row is None:
        raise StoreMistaken("The database does not know this store yet: `posegen db upgrade`.", store=store.name)
    return row


def _marker(store: ObjectStore) -> str | None:
    """Whose the store is, as its marker says; None when there is no marker."""
    try:
        marker = json.loads(store.get(STORE_MARKER_KEY))
        return str(marker["identity"])
    except ObjectMissing:
        return None
    except (ValueError, KeyError, TypeError):
        return "something that cannot be read"


def _put_marker(store: ObjectStore, identity: UUID, *, create_only: bool) -> None:
    marker = {"identity": str(identity), "store": store.name, "what": _EXPLANATION}
    data = json.dumps(marker, indent=1, sort_keys=True).encode()
    store.put(STORE_MARKER_KEY, data, content_type="application/json", create_only=create_only)


def _put_marked(database: Database, name: str) -> None:
    with database.transaction() as connection:
        stores.put_marked(connection, name)
