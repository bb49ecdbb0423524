"""Statements about events: what happened to a generation, in order, each with a notification to its listeners."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.database.json_documents import as_object
from posegen.database.rows import changed, many
from posegen.database.texts import storable

EVENTS_CHANNEL = "posegen_events"
REQUESTS_CHANNEL = "posegen_requests"


@dataclass(frozen=True)
class Event:
    """One thing that happened. `sequence` rises by one within a generation."""

    sequence: int
    kind: str
    detail: dict[str, Any]
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", as_object(self.detail))


def record(connection: Connection, generation_id: UUID, kind: str, **detail: object) -> None:
    """Insert an event, in the transaction of the change that it reports."""
    clean = {name: storable(fact) if isinstance(fact, str) else fact for name, fact in detail.items()}
    connection.execute("select record_event(%s, %s, %s)", [generation_id, kind, Jsonb(clean)])


def events_of(connection: Connection, generation_id: UUID, *, after: int = 0) -> list[Event]:
    """The events of a generation that come after sequence number `after`."""
    statement = """
        select sequence, kind, detail, created_at from events
        where generation_id = %s and sequence > %s order by sequence
    """
    return many(connection, Event, statement, [generation_id, after])


def forget_restored_positions(connection: Connection) -> int:
    """Take positions from events of a restored dump, which are ids of another cluster; return how many there were.

    Left as they are, such events would be new for followers when the ids of this cluster reach them.
    """
    statement = "update events set position = '0' where position >= pg_snapshot_xmax(pg_current_snapshot())"
    return changed(connection, statement)
