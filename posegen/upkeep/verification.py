"""Verifying a deployment: every invariant as a query on one snapshot, and the stores beside it.

Looks and changes nothing, so it may run while work goes on. The queries lie in `invariants`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from uuid import UUID

from posegen.database.connection import Connection, Database
from posegen.database.rows import column, existing, many, value
from posegen.errors import ObjectCorrupt, ObjectMissing
from posegen.generations.reading.inspection import Inspection
from posegen.generations.rows.generations import progress_of
from posegen.generations.rows.poses import pose_id
from posegen.storage.protocol import ObjectStore
from posegen.studio import Studio
from posegen.upkeep.comparison import DifferenceKind, StoredObject, Walk, differences, has_row
from posegen.upkeep.invariants import CALLED_ONCE_IN_ONE, INVARIANTS, MADE_ONCE, Bounds, Invariant

MOST_EXAMPLES = 5
DEFAULT_GRACE = timedelta(hours=24)
DEFAULT_READ = 100


@dataclass
class RuleResult:
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


def verify(
    database: Database,
    stores: Sequence[ObjectStore] = (),
    *,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    grace: timedelta = DEFAULT_GRACE,
    read_back: int | None = DEFAULT_READ,
    looking_at: Callable[[str], object] = lambda _: None,
) -> list[RuleResult]:
    """Look at everything.

    `stores`: whose objects are compared with their rows; `grace`: how old an object may be without a row; `read_back`:
    how many of the newest objects of each store are read and hashed, all of them for None; `looking_at`: told what
    comes next.
    """
    findings = []
    with database.transaction() as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        for name, bound in asdict(bounds).items():
            connection.execute("select set_config(%s, %s, true)", [f"posegen.{name}", str(bound)])
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


def inspect_calls(studio: Studio, generation_id: UUID) -> Inspection:
    """Whether every completed pose of a generation that a hosted backend has made was paid for once: invariant I15.

    Raises `GenerationUnknown`.
    """
    with studio.database.transaction() as connection:
        progress_of(connection, generation_id)
        connection.execute("select set_config('posegen.generation', %s, true)", [str(generation_id)])
        return Inspection(
            looked_at=value(connection, CALLED_ONCE_IN_ONE.counted),
            problems=column(connection, CALLED_ONCE_IN_ONE.broken),
        )


def _ask(connection: Connection, invariant: Invariant) -> RuleResult:
    checked = value(connection, invariant.counted)
    statement = f"""
        with broken as ({invariant.broken})
        select (select count(*) from broken) as violations,
               array(select what from broken limit {MOST_EXAMPLES}) as examples
    """
    broken = existing(connection, _Broken, statement)
    return RuleResult(invariant.name, invariant.says, checked, broken.violations, broken.examples)


@dataclass(frozen=True)
class _Broken:
    violations: int
    examples: list[str]


def _compare_ids(connection: Connection, finding: RuleResult) -> None:
    """PostgreSQL cannot compute a uuid5 by itself."""
    with connection.cursor(name="pose_ids") as cursor:
        cursor.itersize = 10_000
        for row in cursor.execute("select id, generation_id, position from generated_poses"):
            if row["id"] != pose_id(row["generation_id"], row["position"]):
                finding.add(f"pose {row['id']} is at place {row['position']} of generation {row['generation_id']}")


def _compare_store(
    database: Database, store: ObjectStore, grace: timedelta, looking_at: Callable[[str], object]
) -> tuple[RuleResult, RuleResult]:
    """Rows without their object, and objects without a row, by one walk through both in the order of their keys."""
    stored = RuleResult("I3", f"every row has its object in the store {store.name}, in its size")
    known = RuleResult(
        "I4", f"no object of Posegen's in the store {store.name} is older than {_in_words(grace)} without a row"
    )
    looking_at(stored.says)
    walk = Walk()
    for found in differences(database, store, grace=grace, walk=walk, overdue=grace):
        if found.kind is not DifferenceKind.FOREIGN:
            (known if found.kind is DifferenceKind.ORPHAN else stored).add(found.says)
    stored.checked, known.checked = walk.rows, walk.objects
    return stored, known


def _read_back(database: Database, store: ObjectStore, most: int | None) -> RuleResult:
    which = "every object" if most is None else f"each of the newest {most:,} objects"
    finding = RuleResult("I14", f"{which} in the store {store.name} has the bytes that were recorded")
    statement = "select key, size, sha256 from objects where store = %s order by id desc limit %s"
    with database.transaction() as connection:
        newest = many(connection, StoredObject, statement, [store.name, most])
    for row in newest:
        finding.checked += 1
        try:
            store.get(row.key, sha256=row.sha256)
        except ObjectCorrupt as broken:
            finding.add(str(broken))
        except ObjectMissing:
            if has_row(database, store.name, row.key):
                finding.add(f"{row.key} is not there")
    return finding


def _in_words(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    return f"{hours:g} h" if hours >= 1 or not hours else f"{time.total_seconds():g} s"
