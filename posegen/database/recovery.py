"""Statements about generations that lost their worker or their time, and about the runs that lost their generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row

from posegen.database.connection import Connection
from posegen.database.generations import PROGRESS, Progress
from posegen.database.texts import storable

EXPIRED: LiteralString = "g.status = 'running' and g.lease_expires_at < now()"
"""The lease has run out, by the database's clock."""

STALLED: LiteralString = "g.status = 'running' and g.progressed_at < now() - make_interval(secs => %(stall)s)"
"""Its worker renews the lease, but gets nowhere."""

OVERDUE: LiteralString = """
g.started_at < now() - make_interval(secs => %(total)s) and g.finished_at is null
and now() - g.started_at - coalesce((
    select sum(coalesce(o.closed_at, now()) - greatest(o.opened_at, g.started_at)) from backend_outages o
    where o.backend = g.backend and coalesce(o.closed_at, now()) > g.started_at
), interval '0') > make_interval(secs => %(total)s)
"""
"""Its time is over; while the breaker of its backend is open, the clock stands still."""

ABANDONED: LiteralString = """
exists (select from backend_breakers where opened_at < now() - make_interval(secs => %(outage)s))
and g.status = 'queued' and g.queued_at < now() - make_interval(secs => %(outage)s)
and g.backend in (select backend from backend_breakers where opened_at < now() - make_interval(secs => %(outage)s))
"""
"""It has waited for its backend for too long."""


@dataclass(frozen=True)
class Need:
    """What needs help now, whether anything does."""

    expired: bool
    stalled: bool
    overdue: bool
    abandoned: bool


@dataclass(frozen=True)
class LostRun:
    """A run that does not have its generation any more, whatever its process may think."""

    run_id: str
    generation_id: UUID
    reason: str


def need(connection: Connection, values: Mapping[str, object]) -> Need:
    """One look at everything, for the many times that there is nothing to do."""
    conditions = {"expired": EXPIRED, "stalled": STALLED, "overdue": OVERDUE, "abandoned": ABANDONED}
    asked = ", ".join(
        f"exists (select from generations g where {condition}) as {name}" for name, condition in conditions.items()
    )
    with connection.cursor(row_factory=class_row(Need)) as cursor:
        found = cursor.execute(f"select {asked}", values).fetchone()
    assert found is not None, "it answers a row"
    return found


def ids_where(connection: Connection, condition: LiteralString, values: Mapping[str, object], limit: int) -> list[UUID]:
    """Generations that meet one of the conditions above, those that began first."""
    rows = connection.execute(
        f"select g.id from generations g where {condition} order by g.started_at, g.id limit {limit}", values
    )
    return [row["id"] for row in rows]


def lock_where(
    connection: Connection, generation_id: UUID, condition: LiteralString, values: Mapping[str, object]
) -> Progress | None:
    """Where a generation stands; None when it does not meet the condition any more, or when somebody has the row."""
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(
            f"{PROGRESS} where g.id = %(id)s and {condition} for update skip locked", {**values, "id": generation_id}
        ).fetchone()


def expired_ids(connection: Connection) -> list[UUID]:
    """Running generations whose lease has run out."""
    return ids_where(connection, EXPIRED, {}, 1000)


def running_in(connection: Connection, worker_home: UUID) -> list[Progress]:
    """The generations at work whose runs hold a file lock in this place."""
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(PROGRESS + " where status = 'running' and worker_home = %s", [worker_home]).fetchall()


def lock_at_work(connection: Connection, progress: Progress) -> Progress | None:
    """Where a generation stands that is still at work as it was in `progress`."""
    return lock_where(
        connection, progress.id, "g.status = 'running' and g.token = %(token)s", {"token": progress.token}
    )


def note_lost_run(connection: Connection, run_id: str, generation_id: UUID, reason: str) -> None:
    """Remember a run that Dagster has to be told of, in the transaction that took its generation away."""
    connection.execute(
        "insert into lost_runs (run_id, generation_id, reason) values (%s, %s, %s) on conflict do nothing",
        [run_id, generation_id, storable(reason)],
    )


def lost_runs(connection: Connection) -> list[LostRun]:
    """The runs that Dagster was not told of yet."""
    with connection.cursor(row_factory=class_row(LostRun)) as cursor:
        return cursor.execute(
            "select run_id, generation_id, reason from lost_runs order by created_at limit 1000"
        ).fetchall()


def forget_lost_run(connection: Connection, run_id: str) -> None:
    """Dagster knows."""
    connection.execute("delete from lost_runs where run_id = %s", [run_id])
