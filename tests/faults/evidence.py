"""What is to be seen when the dust has settled: every promise that was broken, as a sentence.

Nothing here asks the code that made the promise: the statements, the counting and the hashing are the tests' own. What
`posegen verify` finds comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import numpy as np

from posegen.database.connection import Database
from posegen.errors import PosegenError
from posegen.images.validation import open_image
from posegen.storage.keys import is_registered
from posegen.storage.protocol import ObjectStore
from posegen.upkeep.reconciling import reconcile
from tests.backends import painted
from tests.faults.far_end import Call
from tests.faults.promises import CHARGES, COMPLETED, LOST, LOST_BESIDE, RECOVERED, STALE
from tests.wires.ledger import Ledger

CATEGORIES = (
    "lost",
    "wrong charges",
    "stale commits",
    "orphans",
    "corrupt",
    "repeated calls",
    "paid twice",
    "broken invariants",
)

DEAD_HERE = "dead on this machine"
SILENT = "silent"


@dataclass(frozen=True)
class Evidence:
    """What was found. `broken`: sentences by category; the rest is counted for the scorecard.

    `recoveries`: how each loss could be noticed, and the seconds until somebody went on; `unfinished`: what killed
    writers left in the store; `stopped_calls`: for finished poses, by workers who were stopped on their way to them;
    `hosted_calls`: that hosted backends have taken and bill, and `uncertain` ones among the rows of calls.
    """

    broken: dict[str, list[str]]
    generations: int
    designs: int
    image_requests: int
    poses: int
    calls: int
    objects: int
    orphans_removed: int
    unfinished: int
    statuses: dict[str, int]
    stopped_calls: int
    recoveries: list[tuple[str, float]]
    hosted_calls: int = 0
    uncertain: int = 0

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not any(self.broken.values())

    def __str__(self) -> str:
        lines = [f"{category}: {what}" for category, found in self.broken.items() for what in found]
        return "\n".join(lines) or "clean"


@dataclass(frozen=True)
class Loss:
    """Somebody who had a generation was out of reach. `at`: since when, seconds since the epoch.

    `how`: what others can know of it, `DEAD_HERE` (its machine drops its lock) or `SILENT` (its lease runs out).
    """

    at: float
    generation: UUID
    how: str


@dataclass(frozen=True)
class Scene:
    """Where to look. `accepted`, `designs`, `image_requests`: what was promised; `calls`: what the far end has seen.

    `verify`: what `posegen verify` says, one sentence for each violation; `reconcile`: whether that is done first;
    `ledgers`: of the hosted backends' far ends.
    """

    database: Database
    store: ObjectStore
    accepted: list[UUID]
    designs: list[UUID]
    image_requests: list[UUID]
    calls: list[Call]
    losses: list[Loss] = field(default_factory=list)
    verify: Callable[[], list[str]] = lambda: []
    reconcile: bool = True
    ledgers: Sequence[Ledger] = ()


def look(scene: Scene) -> Evidence:
    """Everything that can be seen. Nobody may be at work any more."""
    completed = _rows(scene.database, COMPLETED)
    reconciled = _reconcile(scene)
    repeated = _repeated(scene.calls, completed)
    objects = _rows(scene.database, "select key, sha256 from objects")
    statuses = _rows(scene.database, "select status, count(*) as number from generations group by status")
    broken = {
        "lost": [
            *_sentences(scene.database, LOST, [scene.accepted]),
            *_sentences(
                scene.database, LOST_BESIDE, {"designs": scene.designs, "image_requests": scene.image_requests}
            ),
        ],
        "wrong charges": _sentences(scene.database, CHARGES),
        "stale commits": _sentences(scene.database, STALE),
        "orphans": [*(f"{key} belongs to no row" for key in _orphans(scene)), *reconciled.again],
        "corrupt": _corrupt(scene.store, objects, completed),
        "repeated calls": [what for what, excused in repeated if not excused],
        "paid twice": [
            f"{count} times: {picture}" for ledger in scene.ledgers for picture, count in ledger.paid_twice().items()
        ],
        "broken invariants": scene.verify(),
    }
    return Evidence(
        broken=broken,
        generations=len(scene.accepted),
        designs=len(scene.designs),
        image_requests=len(scene.image_requests),
        poses=len(completed),
        calls=len(scene.calls),
        objects=len(objects),
        orphans_removed=reconciled.orphans,
        unfinished=reconciled.unfinished,
        statuses={row["status"]: row["number"] for row in statuses},
        stopped_calls=sum(excused for _, excused in repeated),
        recoveries=[(loss.how, _recovery(scene.database, loss)) for loss in scene.losses],
        hosted_calls=sum(sum(ledger.paid().values()) for ledger in scene.ledgers),
        uncertain=len(_rows(scene.database, "select from backend_calls where state = 'uncertain'")),
    )


def _orphans(scene: Scene) -> list[str]:
    known = {row["key"] for row in _rows(scene.database, "select key from objects")}
    return [entry.key for entry in scene.store.list() if is_registered(entry.key) and entry.key not in known]


@dataclass(frozen=True)
class _Reconciled:
    """What the product's own reconciling has removed, and what it finds when it is asked a second time."""

    orphans: int = 0
    unfinished: int = 0
    again: tuple[str, ...] = ()


def _reconcile(scene: Scene) -> _Reconciled:
    """Without any grace: nobody is about to write a row."""
    if not scene.reconcile:
        return _Reconciled()
    first, second = (reconcile(scene.database, [scene.store], grace=timedelta(0), repair=True).found for _ in range(2))
    removed = {found.kind: found.repaired for found in first}
    again = tuple(f"reconciling again finds {found.number} {found.says}" for found in second if found.repaired)
    return _Reconciled(removed.get("orphan", 0), removed.get("unfinished", 0), again)


def _corrupt(store: ObjectStore, objects: Iterable[Mapping[str, Any]], poses: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every object is read again, and every picture has to be the one that was asked for."""
    made = {row["key"]: row for row in poses}
    problems = []
    for row in objects:
        try:
            data = store.get(row["key"], sha256=row["sha256"])
            if row["key"] in made and not np.array_equal(open_image(data), _expected(store, made[row["key"]])):
                problems.append(f"{row['key']} is the picture of another recipe")
        except PosegenError as unreadable:
            problems.append(str(unreadable))
    return problems


def _expected(store: ObjectStore, pose: Mapping[str, Any]) -> np.ndarray:
    """The picture of a pose: what its hosted backend has delivered, or what the far end paints for its seed."""
    if pose["delivered"] is not None:
        return open_image(store.get(pose["delivered"]))
    return painted(pose["seed"], pose["side"], pose["side"])


def _repeated(calls: Iterable[Call], completed: Iterable[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """Calls for poses that were finished already, and whether their worker could not have known.

    It made sure of its lease before the pose was finished, and was stopped before it sent the call: no check can close
    that gap, only a service that knows tokens could.
    """
    done = {row["seed"]: (row["at"], row["id"]) for row in completed}
    late = [call for call in calls if call.seed in done and call.began > done[call.seed][0]]
    found = []
    for call in late:
        finished, pose = done[call.seed]
        what = f"pose {pose} was rendered again {call.began - finished:.2f} s after it was finished"
        found.append((what, 0 < call.checked < finished))
    return found


def _recovery(database: Database, loss: Loss) -> float:
    (row,) = _rows(database, RECOVERED, {"at": loss.at, "id": loss.generation})
    return float("inf") if row["seconds"] is None else float(row["seconds"])


def _sentences(database: Database, query: LiteralString, values: Any = None) -> list[str]:
    return [row["what"] for row in _rows(database, query, values)]


def _rows(database: Database, query: LiteralString, values: Any = None) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.execute(query, values).fetchall()
