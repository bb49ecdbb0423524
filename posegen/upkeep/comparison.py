"""A store beside its rows: one walk through both, in constant memory, that names every difference. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from psycopg.rows import class_row

from posegen.database.connection import Connection, Database
from posegen.database.rows import value
from posegen.errors import ObjectMissing
from posegen.storage.hashing import fingerprint
from posegen.storage.keys import content_hash_of, is_composed, is_registered
from posegen.storage.protocol import ObjectEntry, ObjectStore


class DifferenceKind(StrEnum):
    """What may be different."""

    ORPHAN = "orphan"
    FOREIGN = "foreign"
    LOST = "lost"
    SIZE = "size"


@dataclass(frozen=True)
class StoredObject:
    """An object as its row has it. `size`: bytes."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Difference:
    """One object that is not as its row says, or has none. `size`: bytes, of the row when the object is lost."""

    kind: DifferenceKind
    key: str
    size: int
    says: str


@dataclass
class Walk:
    """How far a walk has come: rows and objects that were looked at."""

    rows: int = 0
    objects: int = 0


def differences(
    database: Database, store: ObjectStore, *, grace: timedelta, walk: Walk, overdue: timedelta | None = None
) -> Iterator[Difference]:
    """Every difference between a store and its rows.

    An object without a row counts once it is older than `grace`: a worker stores first and writes its row then. One
    that is to be deleted does not count; with `overdue` it does when that should have happened so long ago. A file
    that Posegen has not written is foreign; one that was adopted where it lies does not count.
    """
    with database.transaction() as connection:
        now = _now(connection)
        for entry, row in _side_by_side(_listed(store), registered(connection, store.name)):
            walk.rows += row is not None
            walk.objects += entry is not None
            found = _difference(database, store, entry, row, now - grace, overdue)
            if found is not None:
                yield found


def has_row(database: Database, store: str, key: str) -> bool:
    """Whether there is a row now: work goes on while we look."""
    with database.transaction() as connection:
        statement = "select exists (select from objects where store = %s and key = %s)"
        return bool(value(connection, statement, [store, key]))


def _is_accounted_for(database: Database, store: str, key: str, overdue: timedelta | None) -> bool:
    """Whether there is a row now, a date on which the object goes that is not long past, an adopted file, or an upload
    that may still be completed.
    """
    statement = """
        select exists (
            select from objects where store = %(store)s and key = %(key)s
            union all
            select from doomed_objects where store = %(store)s and key = %(key)s and deleted_at is null
                and (%(overdue)s::interval is null or due > now() - %(overdue)s::interval)
            union all
            select from adopted_files where store = %(store)s and key = %(key)s
            union all
            select from uploads
            where store = %(store)s and key = %(key)s and status = 'pending' and expires_at > now()
        )
    """
    with database.transaction() as connection:
        return bool(value(connection, statement, {"store": store, "key": key, "overdue": overdue}))


def registered(connection: Connection, store: str) -> Iterator[StoredObject]:
    """The rows of a store in the order of their keys, page by page, as long as the transaction lasts."""
    with connection.cursor(name="objects", row_factory=class_row(StoredObject)) as cursor:
        cursor.itersize = 10_000
        # Stores list in the order of bytes, whatever language the database sorts by.
        yield from cursor.execute(
            'select key, size, sha256 from objects where store = %s order by key collate "C"', [store]
        )


def _difference(
    database: Database,
    store: ObjectStore,
    entry: ObjectEntry | None,
    row: StoredObject | None,
    before: datetime,
    overdue: timedelta | None,
) -> Difference | None:
    if entry is not None and row is not None:
        if entry.size == row.size:
            return None
        return Difference(DifferenceKind.SIZE, row.key, entry.size, f"{row.key} has {entry.size} bytes, not {row.size}")
    # Both sides change while we walk, and some stores list in an order of their own: ask again before it counts.
    if row is not None:
        if store.exists(row.key) or not has_row(database, store.name, row.key):
            return None
        return Difference(DifferenceKind.LOST, row.key, row.size, f"{row.key} is not there")
    assert entry is not None, "one side has something"
    if entry.modified >= before or _is_accounted_for(database, store.name, entry.key, overdue):
        return None
    kind = DifferenceKind.ORPHAN if _is_written_by_posegen(store, entry.key) else DifferenceKind.FOREIGN
    return Difference(kind, entry.key, entry.size, f"{entry.key} of {entry.modified:%Y-%m-%d %H:%M} has no row")


def _is_written_by_posegen(store: ObjectStore, key: str) -> bool:
    """Whether the key ends in the hash of what lies there. Names of others may look alike, and never do that.

    What a client has put under a signed URL has no hash in its key.
    """
    if not is_composed(key):
        return False
    wanted = content_hash_of(key)
    try:
        return wanted is None or fingerprint(store.get(key)).sha256.startswith(wanted)
    except ObjectMissing:  # deleted since it was listed
        return False


def _listed(store: ObjectStore) -> Iterator[ObjectEntry]:
    return (entry for entry in store.list() if is_registered(entry.key))


def _now(connection: Connection) -> datetime:
    now: datetime = value(connection, "select now()")
    return now


def _side_by_side(
    entries: Iterable[ObjectEntry], rows: Iterable[StoredObject]
) -> Iterator[tuple[ObjectEntry | None, StoredObject | None]]:
    """Pairs with the same key, and None where one side has none; both sides come in the order of their keys."""
    entry_left, row_left = iter(entries), iter(rows)
    entry, row = next(entry_left, None), next(row_left, None)
    while entry is not None or row is not None:
        if row is None or (entry is not None and entry.key < row.key):
            yield entry, None
            entry = next(entry_left, None)
        elif entry is None or row.key < entry.key:
            yield None, row
            row = next(row_left, None)
        else:
            yield entry, row
            entry, row = next(entry_left, None), next(row_left, None)
