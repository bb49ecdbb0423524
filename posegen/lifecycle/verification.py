"""Verifying a deployment: every invariant as a query on one snapshot, and the stores beside it.

Looks and changes nothing, so it may run while work goes on. The invariants themselves lie in `invariants.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from psycopg.rows import class_row

from posegen.database.connection import Connection, Database
from posegen.database.poses import pose_id
from posegen.errors import ObjectCorrupt, ObjectMissing
from posegen.lifecycle.invariants import INVARIANTS, MADE_ONCE, Bounds, Invariant
from posegen.storage.keys import PUBLIC_FOLDERS
from posegen.storage.protocol import ObjectEntry, ObjectStore

MOST_EXAMPLES = 5
DEFAULT_GRACE = timedelta(hours=24)
DEFAULT_READ = 100


@dataclass
class Finding:
    """What was found about one rule. `violations`: how many of the `checked` cases break it; `examples`: the first."""

    name: str
    says: str
    checked: int = 0
    violations: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        """One more case against the rule."""
        self.violations += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(what)


@dataclass(frozen=True)
class StoredObject:
    """An object as its row has it. `size`: bytes."""

    key: str
    size: int
    sha256: str


def verify(
    database: Database,
    stores: Sequence[ObjectStore] = (),
    *,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    grace: timedelta = DEFAULT_GRACE,
    read_back: int | None = DEFAULT_READ,
    looking_at: Callable[[str], object] = lambda _: None,
) -> list[Finding]:
    """Look at everything.

    `stores`: whose objects are compared with their rows; `grace`: how old an object may be without a row; `read_back`:
    how many of the newest objects of each store are read and hashed, all of them for None; `looking_at`: told what
    comes next.
    """
    findings = []
    with database.transaction() as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        for name, value in asdict(bounds).items():
            connection.execute("select set_config(%s, %s, true)", [f"posegen.{name}", str(value)])
        for invariant in INVARIANTS:
            looking_at(invariant.says)
            finding = _ask(connection, invariant)
            if invariant is MADE_ONCE:
                _compare_ids(connection, finding)
            findings.append(finding)
    for store in stores:
        findings += _compare_store(database, store, grace, looking_at)
        looking_at(f"objects of the store {store.name} are read back")
        findings.append(_read_back(database, store, read_back))
    return findings


def _ask(connection: Connection, invariant: Invariant) -> Finding:
    counted = connection.execute(invariant.counted).fetchone()
    broken = connection.execute(
        f"""
        with broken as ({invariant.broken})
        select (select count(*) from broken) as violations,
               array(select what from broken limit {MOST_EXAMPLES}) as examples
        """
    ).fetchone()
    assert counted is not None, "an aggregate answers a row"
    assert broken is not None, "an aggregate answers a row"
    (checked,) = counted.values()
    return Finding(invariant.name, invariant.says, checked, broken["violations"], broken["examples"])


def _compare_ids(connection: Connection, finding: Finding) -> None:
    """PostgreSQL cannot compute a uuid5 by itself."""
    with connection.cursor(name="pose_ids") as cursor:
        cursor.itersize = 10_000
        for row in cursor.execute("select id, generation_id, position from generated_poses"):
            if row["id"] != pose_id(row["generation_id"], row["position"]):
                finding.add(f"pose {row['id']} is at place {row['position']} of generation {row['generation_id']}")


def _compare_store(
    database: Database, store: ObjectStore, grace: timedelta, looking_at: Callable[[str], object]
) -> tuple[Finding, Finding]:
    """Rows without their object, and objects without a row, by one walk through both in the order of their keys."""
    stored = Finding("I3", f"every row has its object in the store {store.name}, in its size")
    known = Finding("I4", f"no object in the store {store.name} is older than {_in_words(grace)} without a row")
    looking_at(stored.says)
    with database.transaction() as connection:
        now = _now(connection)
        for entry, row in _side_by_side(_listed(store), _registered(connection, store)):
            stored.checked += row is not None
            known.checked += entry is not None
            if entry is None and row is not None:
                if _is_registered(database, store, row.key) and not store.exists(row.key):
                    stored.add(f"{row.key} is not there")
            elif row is None and entry is not None:
                if now - entry.modified > grace and not _is_expected(database, store, entry.key, grace):
                    known.add(f"{entry.key} of {entry.modified:%Y-%m-%d %H:%M} has no row")
            elif entry is not None and row is not None and entry.size != row.size:
                stored.add(f"{row.key} has {entry.size} bytes, not {row.size}")
    return stored, known


def _now(connection: Connection) -> datetime:
    row = connection.execute("select now() as now").fetchone()
    assert row is not None, "a clock answers"
    now: datetime = row["now"]
    return now


def _listed(store: ObjectStore) -> Iterator[ObjectEntry]:
    for folder in sorted(PUBLIC_FOLDERS):
        yield from store.list(f"{folder}/")


def _registered(connection: Connection, store: ObjectStore) -> Iterator[StoredObject]:
    folders = [f"{folder}/%" for folder in sorted(PUBLIC_FOLDERS)]
    with connection.cursor(name="objects", row_factory=class_row(StoredObject)) as cursor:
        cursor.itersize = 10_000
        # Stores list in the order of bytes, whatever language the database sorts by.
        yield from cursor.execute(
            'select key, size, sha256 from objects where store = %s and key like any(%s) order by key collate "C"',
            [store.name, folders],
        )


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


def _is_expected(database: Database, store: ObjectStore, key: str, grace: timedelta) -> bool:
    """Whether there is a row now, or the object is to be deleted and that is not long overdue."""
    with database.transaction() as connection:
        doomed = connection.execute(
            "select from doomed_objects where store = %s and key = %s and deleted_at is null and due > now() - %s",
            [store.name, key, grace],
        )
        if doomed.fetchone() is not None:
            return True
    return _is_registered(database, store, key)


def _is_registered(database: Database, store: ObjectStore, key: str) -> bool:
    """Whether there is a row now: work goes on while we look."""
    with database.transaction() as connection:
        found = connection.execute("select from objects where store = %s and key = %s", [store.name, key])
        return found.fetchone() is not None


def _read_back(database: Database, store: ObjectStore, most: int | None) -> Finding:
    which = "every object" if most is None else f"each of the newest {most:,} objects"
    finding = Finding("I14", f"{which} in the store {store.name} has the bytes that were recorded")
    with database.transaction() as connection, connection.cursor(row_factory=class_row(StoredObject)) as cursor:
        newest = cursor.execute(
            "select key, size, sha256 from objects where store = %s order by id desc limit %s", [store.name, most]
        ).fetchall()
    for row in newest:
        finding.checked += 1
        try:
            store.get(row.key, sha256=row.sha256)
        except ObjectCorrupt as broken:
            finding.add(str(broken))
        except ObjectMissing:
            if _is_registered(database, store, row.key):
                finding.add(f"{row.key} is not there")
    return finding


def _in_words(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    return f"{hours:g} h" if hours >= 1 or not hours else f"{time.total_seconds():g} s"
