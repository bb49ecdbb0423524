"""Statements about events: what happened to a generation, in order, with a hint to those who listen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.database.json_documents import as_object
from posegen.database.rows import many
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
    """Add an event in the same transaction as the change that it tells of."""
    clean = {name: storable(fact) if isinstance(fact, str) else fact for name, fact in detail.items()}
    connection.execute("select record_event(%s, %s, %s)", [generation_id, kind, Jsonb(clean)])


def events_of(connection: Connection, generation_id: UUID, *, after: int = 0) -> list[Event]:
    """The events of a generation that come after sequence number `after`."""
    statement = """
        select sequence, kind, detail, created_at from events
        where generation_id = %s and sequence > %s order by sequence
    """
    return many(connection, Event, statement, [generation_id, after])
