"""What operators look at, for every door: work at this moment, incidents, the audit trail and the settings.

A door calls these functions and shows what they return. Examinations that change or repair something are modules of
their own, and so are the metrics.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from posegen import audit, incidents
from posegen.audit import AuditLine
from posegen.backends.breaker_rows import BreakerRow, open_breakers
from posegen.database.connection import Database
from posegen.database.keyset import Place
from posegen.incidents import Incident
from posegen.settings import Settings, is_secret, source_of
from posegen.upkeep import overview_rows
from posegen.upkeep.overview_rows import WaitingWork, WorkUnderWay
from posegen.work.queue import DISPATCHED


@dataclass(frozen=True)
class Lane:
    """The runs that share slots.

    Attributes:
        name: `hosted` for generations whose backend is hosted, `local` for all other work.
        slots: runs that may be at work at once.
        running: runs at work.
        claimed: runs that were claimed ahead and have not begun.
    """

    name: str
    slots: int
    running: int
    claimed: int

    @property
    def free(self) -> int:
        """Slots without a run at work."""
        return max(0, self.slots - self.running)


@dataclass(frozen=True)
class Queue:
    """What waits, how full the lanes are, and the backends whose breakers are open."""

    waiting: list[WaitingWork]
    lanes: list[Lane]
    breakers: list[BreakerRow]


@dataclass(frozen=True)
class ListedSetting:
    """A setting as operators may see it.

    Attributes:
        name: the variable of Posegen's own name.
        value: as JSON has it; `set` or `not set` for a secret.
        source: the variable that the value comes from, which may have another name; None for a default.
        description: one sentence.
    """

    name: str
    value: str | int | float | bool | list[Any] | dict[str, Any] | None
    source: str | None
    description: str


def queue(database: Database, settings: Settings, *, hosted: Collection[str]) -> Queue:
    """The queue of all kinds of work at this moment.

    Args:
        database: where the work is.
        settings: have the number of slots.
        hosted: the names of the hosted backends.
    """
    with database.transaction() as connection:
        waiting = overview_rows.waiting_work(connection)
        under_way = overview_rows.work_under_way(connection)
        breakers = open_breakers(connection)
    at_far_ends = [each for each in under_way if each.backend in hosted]
    here = [each for each in under_way if each.backend not in hosted]
    lanes = [
        _lane("local", settings.posegen_max_running, here),
        _lane("hosted", settings.posegen_max_waiting, at_far_ends),
    ]
    return Queue(waiting, lanes, breakers)


def workers(database: Database) -> list[WorkUnderWay]:
    """What runs were claimed for or work at, the oldest claim first."""
    with database.transaction() as connection:
        return overview_rows.work_under_way(connection)


def list_incidents(
    database: Database, *, limit: int, after: Place | None = None, only_open: bool = False
) -> list[Incident]:
    """A page of incidents, the latest first.

    Args:
        database: where incidents are.
        limit: incidents on a page.
        after: `opened_at` and id of the last incident of the page before; None for the first page.
        only_open: leave out those that are over.

    Returns:
        At most `limit + 1` incidents: the last one tells that there is another page.
    """
    with database.transaction() as connection:
        return incidents.listed(connection, only_open=only_open, limit=limit, after=after)


def audit_trail(
    database: Database,
    *,
    limit: int,
    after: tuple[datetime, int] | None = None,
    since: datetime | None = None,
    action: str | None = None,
    subject: str | None = None,
) -> list[AuditLine]:
    """A page of the audit trail, the latest line first.

    Args:
        database: where the trail is.
        limit: lines on a page.
        after: `created_at` and `entry` of the last line of the page before; None for the first page.
        since: only what was done from then on.
        action: only this action.
        subject: only what was done to this id.

    Returns:
        At most `limit + 1` lines: the last one tells that there is another page.
    """
    with database.transaction() as connection:
        return audit.trail(connection, since=since, action=action, subject=subject, limit=limit, after=after)


def listed_settings(settings: Settings) -> list[ListedSetting]:
    """Every setting with its source, by name, and never a secret."""
    values = settings.model_dump(mode="json")
    return [
        ListedSetting(name, _shown(name, values[field]), source_of(field), info.description or "")
        for field, info in sorted(Settings.model_fields.items())
        for name in [field.upper()]
    ]


def _lane(name: str, slots: int, under_way: list[WorkUnderWay]) -> Lane:
    running = {each.run for each in under_way if each.status != DISPATCHED}
    claimed = {each.run for each in under_way} - running
    return Lane(name, slots, len(running), len(claimed))


def _shown(name: str, value: Any) -> Any:
    if not is_secret(name):
        return value
    return "not set" if value is None else "set"
