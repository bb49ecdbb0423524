"""Reconciling: what lies in the stores and what rows say of it, brought together again. Twice changes nothing more.

It reports; with `repair` it acts where that can lose nothing: orphans, unused rows, what killed writers left, and rows
whose object lies in another store. What is lost or damaged for good is named with its fix. Foreign files are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from posegen.database.connection import Database
from posegen.errors import ObjectCorrupt, ObjectMissing
from posegen.objects import moves
from posegen.objects import rows as objects
from posegen.objects.moves import DoomedObject
from posegen.objects.moving import delete_due
from posegen.storage.protocol import ObjectStore
from posegen.upkeep.comparison import Difference, DifferenceKind, Walk, differences, registered
from posegen.uploads import rows as uploads

DEFAULT_GRACE = timedelta(hours=24)
MOST_EXAMPLES = 5
_BATCH = 1000

_SAYS = {
    "orphan": "objects without a row",
    "foreign": "files that Posegen has not written",
    "unused": "rows that nothing points at",
    "unfinished": "uploads that a killed writer left",
    "lost": "rows without their object",
    "size": "objects in another size than their row",
    "hash": "objects with other bytes than their row",
}
_FIXES = {
    "foreign": "nothing; `posegen storage adopt` takes pictures in",
    "lost": "restore them from a backup; exports and thumbnails can be made again with `posegen regenerate`",
    "size": "delete the object and restore it from a backup",
    "hash": "delete the object and restore it from a backup",
}


@dataclass
class Found:
    """One kind of finding in one store. `repaired`: how many of `number` are in order now; `bytes`: of all of them."""

    store: str
    kind: str
    number: int = 0
    bytes: int = 0
    repaired: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def says(self) -> str:
        """What was found, in words."""
        return _SAYS[self.kind]

    @property
    def fix(self) -> str:
        """What to do about what is left."""
        return _FIXES.get(self.kind, "`posegen storage reconcile --repair`")

    def add(self, what: str, size: int, *, repaired: bool = False) -> None:
        """One more of it."""
        self.number += 1
        self.bytes += size
        self.repaired += repaired
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(what)


@dataclass(frozen=True)
class Reconciled:
    """What a pass has looked at and found. `deleted`, `deleted_bytes`: what was due and is gone now."""

    rows: int
    objects: int
    found: list[Found]
    deleted: int
    deleted_bytes: int

    @property
    def left(self) -> int:
        """How many findings are not in order; foreign files are."""
        return sum(each.number - each.repaired for each in self.found if each.kind != DifferenceKind.FOREIGN)


def reconcile(
    database: Database,
    stores: Sequence[ObjectStore],
    *,
    grace: timedelta = DEFAULT_GRACE,
    read_all: bool = False,
    repair: bool = False,
    looking_at: Callable[[str], object] = lambda _: None,
) -> Reconciled:
    """Compare every store with its rows; `repair` acts on what it finds.

    `grace`: how old an object without a row, and a row that nothing points at, has to be; `read_all`: also read every
    object and hash it.
    """
    walk = Walk()
    found: list[Found] = []
    if repair:
        expire_uploads(database)
    deleted = deleted_bytes = 0
    looking_at("rows that nothing points at")
    found += _unused(database, [store.name for store in stores], grace, repair=repair)
    for store in stores:
        looking_at(f"objects of the store {store.name}")
        found += _compared(database, store, stores, grace, walk, repair=repair)
        found.append(_unfinished(store, grace, repair=repair))
        if read_all:
            looking_at(f"the bytes of every object in the store {store.name}")
            found.append(_read_all(database, store))
        if repair:
            looking_at(f"deleting from the store {store.name}")
            objects, size = delete_due(database, store)
            deleted, deleted_bytes = deleted + objects, deleted_bytes + size
    return Reconciled(walk.rows, walk.objects, [each for each in found if each.number], deleted, deleted_bytes)


def expire_uploads(database: Database) -> int:
    """End uploads that clients never completed, and doom what they put; returns how many."""
    with database.transaction() as connection:
        expired = uploads.expire(connection)
        for store, doomed in expired.items():
            moves.doom_orphans(connection, store, doomed)
    return sum(map(len, expired.values()))


def _unused(database: Database, stores: Iterable[str], grace: timedelta, *, repair: bool) -> list[Found]:
    found = {store: Found(store, "unused") for store in stores}
    with database.transaction() as connection:
        for each in moves.unused(connection, made_before=grace):
            if each.store in found:
                found[each.store].add(each.key, each.size)
    while repair:
        with database.transaction() as connection:
            gone = moves.delete_unused(connection, made_before=grace, limit=_BATCH, grace=grace)
        for store, number in gone.items():
            if store in found:
                found[store].repaired += number
        if not gone:
            break
    return list(found.values())


def _compared(
    database: Database,
    store: ObjectStore,
    stores: Sequence[ObjectStore],
    grace: timedelta,
    walk: Walk,
    *,
    repair: bool,
) -> list[Found]:
    found = {kind: Found(store.name, kind) for kind in DifferenceKind}
    orphans: list[DoomedObject] = []
    for difference in differences(database, store, grace=grace, walk=walk):
        repaired = False
        if repair and difference.kind is DifferenceKind.ORPHAN:
            orphans.append(DoomedObject(difference.key, difference.size))
            repaired = True
        elif repair and difference.kind is DifferenceKind.LOST:
            repaired = _found_elsewhere(database, store, stores, difference)
        found[difference.kind].add(difference.says, difference.size, repaired=repaired)
        if len(orphans) >= _BATCH:
            _doom(database, store, orphans)
    _doom(database, store, orphans)
    return list(found.values())


def _doom(database: Database, store: ObjectStore, orphans: list[DoomedObject]) -> None:
    """Orphans have had their time of grace; one that was doomed for another reason keeps that date."""
    with database.transaction() as connection:
        moves.doom_orphans(connection, store.name, orphans)
    orphans.clear()


def _found_elsewhere(database: Database, store: ObjectStore, stores: Sequence[ObjectStore], lost: Difference) -> bool:
    """Let the row name another store that has this very object."""
    with database.transaction() as connection:
        row = objects.registered(connection, store.name, lost.key)
        if row is None:
            return False
        for other in stores:
            if other.name == store.name or not _has(other, lost.key, row.sha256):
                continue
            if lost.key in moves.take_off_the_list(connection, other.name, [lost.key]):
                continue
            moves.point_at(connection, row.id, other.name)
            return True
    return False


def _has(store: ObjectStore, key: str, sha256: str) -> bool:
    try:
        store.get(key, sha256=sha256)
    except (ObjectMissing, ObjectCorrupt):
        return False
    return True


def _unfinished(store: ObjectStore, grace: timedelta, *, repair: bool) -> Found:
    found = Found(store.name, "unfinished")
    before = datetime.now(UTC) - grace
    for each in store.list_unfinished():
        if each.started < before:
            if repair:
                store.delete_unfinished(each)
            found.add(f"{each.key or each.reference} of {each.started:%Y-%m-%d %H:%M}", each.size or 0, repaired=repair)
    return found


def _read_all(database: Database, store: ObjectStore) -> Found:
    found = Found(store.name, "hash")
    with database.transaction() as connection:
        for row in registered(connection, store.name):
            try:
                store.get(row.key, sha256=row.sha256)
            except ObjectCorrupt as corrupt:
                found.add(str(corrupt), row.size)
            except ObjectMissing:
                continue  # the walk has counted it
    return found
