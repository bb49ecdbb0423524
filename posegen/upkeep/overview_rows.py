"""Statements about the work of all kinds at this moment: what waits, and what runs work at.

Each reads only partial indexes over open rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import many


@dataclass(frozen=True)
class WaitingWork:
    """Rows of a table of work that wait in one state. `oldest_seconds`: since the oldest request; None without one."""

    work: str
    status: str
    number: int
    oldest_seconds: float | None


@dataclass(frozen=True)
class WorkUnderWay:
    """A row of work that a run was claimed for or works at. `run`: rows with the same one share a run."""

    work: str
    id: UUID
    user_id: UUID
    status: str
    run: UUID
    run_id: str | None
    backend: str | None
    attempts: int
    dispatched_at: datetime | None
    started_at: datetime | None
    progressed_at: datetime | None
    lease_expires_at: datetime | None


# The tables with the states before a run, each read by a partial index for this state.
_STATES: tuple[tuple[LiteralString, LiteralString], ...] = (
    ("generations", "submitted"),
    ("generations", "queued"),
    ("designs", "draft"),
    ("image_variants", "submitted"),
)
_TABLES: tuple[tuple[LiteralString, LiteralString, LiteralString], ...] = (
    ("generations", "running", "backend"),
    ("designs", "rendering", "null"),
    ("image_variants", "running", "null"),
)
"""Each table of work, its status under a lease, and where it names a backend."""


def waiting_work(connection: Connection) -> list[WaitingWork]:
    """What waits, by kind of work and state, also where nothing does."""
    statements = [
        f"""
        select '{table}' as work, '{status}' as status, count(*) as number,
               extract(epoch from now() - min(submitted_at))::float8 as oldest_seconds
        from {table} where status = '{status}'
        """
        for table, status in _STATES
    ]
    return many(connection, WaitingWork, " union all ".join(statements))


def work_under_way(connection: Connection) -> list[WorkUnderWay]:
    """What runs were claimed for or work at, the oldest claim first."""
    statements = [
        f"""
        select '{table}' as work, id, user_id, status, coalesce(batch, id) as run, run_id, {backend} as backend,
               attempts, dispatched_at, started_at, progressed_at, lease_expires_at
        from {table} where status in ('dispatched', '{running}')
        """
        for table, running, backend in _TABLES
    ]
    return many(connection, WorkUnderWay, f"{' union all '.join(statements)} order by dispatched_at, id")
