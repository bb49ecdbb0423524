"""The history of one generation, for operators: what its rows, its events and the stores say, put together.

The statements are in `history_rows`. What customers see is in `results`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from uuid import UUID

from posegen.backends.breaker_rows import BreakerRow, breaker_of
from posegen.database.connection import Connection, Database
from posegen.errors import GenerationAmbiguous, GenerationUnknown, StorageError
from posegen.generations.calling.listing import ListedCall, calls_of
from posegen.generations.calling.rows import places_taken
from posegen.generations.reading import history_rows as history
from posegen.generations.reading.history_rows import AuditRow, EntryRow, ExportRow, GenerationRow, ObjectRow, PoseRow
from posegen.generations.rows import events
from posegen.generations.rows.events import Event
from posegen.states import GenerationStatus
from posegen.storage.protocol import ObjectStore

# What ends a claim, beside the end of the generation itself.
_GIVEN_BACK = {"requeued", "released", "held_back"}
_ENDINGS = _GIVEN_BACK | {status.value for status in GenerationStatus if status.is_terminal}
_SHOWN_IDS = 3


@dataclass(frozen=True)
class PastClaim:
    """A claim and what came of it. `dispatch`: its number; `ending`: the kind of the event that ended it.

    `poses`: how many poses it completed; `run_id`, `began_at`: None when no run began to work.
    """

    dispatch: int | None
    claimed_at: datetime | None
    run_id: str | None = None
    began_at: datetime | None = None
    poses: int = 0
    ended_at: datetime | None = None
    ending: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Stretch:
    """Things of one kind that happened one after the other, from `first` to `last`."""

    kind: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Presence:
    """What the stores have of the objects. `unknown`: why a store could not be asked, by its name."""

    missing: list[ObjectRow] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """Everything about one generation, on one snapshot of the database.

    `breaker`: of its backend, None where no call has ever failed; `places_taken`: calls of that backend that are out.
    """

    generation: GenerationRow
    poses: list[PoseRow]
    calls: list[ListedCall]
    breaker: BreakerRow | None
    places_taken: int
    exports: list[ExportRow]
    entries: list[EntryRow]
    objects: list[ObjectRow]
    audit: list[AuditRow]
    events: list[Event]

    @property
    def claims(self) -> list[PastClaim]:
        """The claims, in order; none when the events are not there any more."""
        return claims_of(self.events)


def identify(connection: Connection, beginning: str) -> UUID:
    """The one generation whose id begins so. Raises `GenerationUnknown`, `GenerationAmbiguous`."""
    found = history.ids_beginning_with(connection, beginning, most=_SHOWN_IDS)
    if not found:
        raise GenerationUnknown(beginning)
    if len(found) > 1:
        raise GenerationAmbiguous(beginning, found)
    return found[0]


def explain(database: Database, beginning: str) -> History:
    """Everything about the generation whose id begins so. Raises `GenerationUnknown`, `GenerationAmbiguous`."""
    with database.transaction() as connection:
        return history_of(connection, beginning)


def history_of(connection: Connection, beginning: str) -> History:
    """As `explain`, in a transaction that is open and fresh."""
    connection.execute("set transaction isolation level repeatable read read only")
    generation_id = identify(connection, beginning)
    generation = history.generation_row(connection, generation_id)
    assert generation is not None, "it was just found on this snapshot"
    backend = generation.backend or ""
    return History(
        generation=generation,
        poses=history.pose_rows(connection, generation_id),
        calls=calls_of(connection, generation_id),
        breaker=breaker_of(connection, backend),
        places_taken=places_taken(connection, backend),
        exports=history.export_rows(connection, generation_id),
        entries=history.entry_rows(connection, generation_id),
        objects=history.object_rows(connection, generation_id),
        audit=history.audit_rows(connection, generation_id),
        events=events.events_of(connection, generation_id),
    )


def claims_of(happened: Sequence[Event]) -> list[PastClaim]:
    """The claims that these events tell of, each with its run and its end."""
    claims: list[PastClaim] = []
    for event in happened:
        if event.kind == "dispatched":
            claims.append(PastClaim(event.detail.get("dispatch"), event.created_at))
        elif event.kind == "started":
            if not claims or claims[-1].began_at is not None:  # what was adopted was never claimed
                claims.append(PastClaim(event.detail.get("dispatch"), None))
            claims[-1] = replace(claims[-1], run_id=event.detail.get("run"), began_at=event.created_at)
        elif not claims or claims[-1].ended_at is not None:
            continue
        elif event.kind == "pose_completed":
            claims[-1] = replace(claims[-1], poses=claims[-1].poses + 1)
        elif event.kind in _ENDINGS:
            claims[-1] = replace(claims[-1], ended_at=event.created_at, ending=event.kind, reason=_reason(event))
    return claims


def stretches_of(happened: Sequence[Event]) -> Iterator[tuple[Stretch, list[Event]]]:
    """The events in order, those of one kind that follow each other as one stretch, with the events themselves."""
    for kind, alike in groupby(happened, key=lambda event: event.kind):
        together = list(alike)
        yield Stretch(kind, len(together), together[0].created_at, together[-1].created_at), together


def look_for(objects: Sequence[ObjectRow], open_store: Callable[[str], ObjectStore]) -> Presence:
    """Which of the objects are not in their stores, by listing the folders that they should be in."""
    missing, unknown = [], {}
    for name, rows in groupby(sorted(objects, key=lambda row: (row.store, row.key)), key=lambda row: row.store):
        recorded = list(rows)
        folders = {row.key.rpartition("/")[0] + "/" for row in recorded}
        try:
            store = open_store(name)
            there = {entry.key for folder in folders for entry in store.list(folder)}
        except StorageError as failure:
            unknown[name] = str(failure)
            continue
        missing += [row for row in recorded if row.key not in there]
    return Presence(missing, unknown)


def _reason(event: Event) -> str | None:
    given = event.detail.get("reason") or event.detail.get("error_code")
    if given is None and event.kind == GenerationStatus.CANCELLED:
        return f"by {event.detail.get('actor')}"
    return None if given is None else str(given)
