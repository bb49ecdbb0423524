"""Statements about incidents: what was wrong from when to when, and who was told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.keyset import Place, page
from posegen.database.rows import changed, many, one, value
from posegen.database.texts import storable


@dataclass(frozen=True)
class Incident:
    """One of them. `subject`: what it is about; empty where there is only one; `closed_at`: None while it is open."""

    id: UUID
    kind: str
    subject: str
    severity: str
    summary: str
    opened_at: datetime
    closed_at: datetime | None
    opening_accepted_at: datetime | None

    @property
    def over(self) -> bool:
        """Whether the next thing to tell of it is that it is over."""
        return self.opening_accepted_at is not None


_COLUMNS = "id, kind, subject, severity, summary, opened_at, closed_at, opening_accepted_at"


def note_found(connection: Connection, *, kind: str, subject: str, severity: str, summary: str) -> bool:
    """Open an incident, or note that an open one is still there; True when it is new."""
    statement = """
        insert into incidents as earlier (kind, subject, severity, summary) values (%s, %s, %s, %s)
        on conflict (kind, subject) where closed_at is null do update set seen_at = now()
        returning xmax = 0 as is_new
    """
    return bool(value(connection, statement, [kind, subject, severity, storable(summary, 1000)]))


def close_unseen(connection: Connection, *, quiet: timedelta) -> int:
    """End the incidents that no look has found for so long; how many."""
    statement = "update incidents set closed_at = now() where closed_at is null and seen_at < now() - %s"
    return changed(connection, statement, [quiet])


def open_incidents(connection: Connection) -> Sequence[Incident]:
    """Those that are open, the oldest first."""
    statement = f"select {_COLUMNS} from incidents where closed_at is null order by opened_at, id"
    return many(connection, Incident, statement)


def listed(connection: Connection, *, only_open: bool, limit: int, after: Place | None) -> list[Incident]:
    """A page of incidents, the latest first."""
    return page(
        connection,
        Incident,
        f"select {_COLUMNS} from incidents",
        order=("opened_at", "id"),
        limit=limit,
        after=after,
        where={"(closed_at is null) = %s": only_open or None},
    )


def next_to_send(connection: Connection, *, longest: timedelta) -> Incident | None:
    """The oldest of which something is to be told, locked; one that is over for longer than `longest` is let be.

    An incident that another process is sending is skipped.
    """
    statement = f"""
        select {_COLUMNS} from incidents
        where (opening_accepted_at is null or (closed_at is not null and closing_accepted_at is null))
            and (closed_at is null or closed_at > now() - %s)
        order by opened_at, id limit 1 for update skip locked
    """
    return one(connection, Incident, statement, [longest])


def note_accepted(connection: Connection, incident: Incident) -> None:
    """Note that the receiver accepted a message: the opening, or the closing when it had accepted the opening."""
    connection.execute(
        """
        update incidents set
            closing_accepted_at = case when opening_accepted_at is null then null else now() end,
            opening_accepted_at = coalesce(opening_accepted_at, now())
        where id = %s
        """,
        [incident.id],
    )
