"""Recovery: every running row whose worker died, fell silent or gets nowhere is put back, with the reason.

Each row is taken in a transaction of its own, so that one that cannot be recovered leaves the others alone. What
decides is the database's clock and file locks that the kernel drops; never what Dagster says of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString, Protocol
from uuid import UUID

import structlog

from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.work.outcomes import Work, take_away
from posegen.work.queue import Progress, Queue
from posegen.work.rules import RetryRule
from posegen.work.steps import Apart
from posegen.work.worker_home import WorkerHome

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Recovered:
    """A row that was taken from its worker. `run_id`: the run that lost it; `goes_on`: False when it was ended."""

    id: UUID
    run_id: str | None
    reason: str
    goes_on: bool


class Decide(Protocol):
    """What happens to a locked row."""

    def __call__(self, connection: Connection, progress: Progress, /) -> Recovered: ...


class Recovery:
    """One pass over a table of work; doing it again, or in two places at once, changes nothing more."""

    def __init__(self, database: Database, work: Work, rule: RetryRule) -> None:
        self.recovered: list[Recovered] = []
        self._conditions: list[tuple[LiteralString, Mapping[str, object], Decide]] = []
        self._database = database
        self._work = work
        self._rule = rule
        self._apart = Apart()

    def release_dead_workers(self, home: WorkerHome) -> None:
        """Take away what workers of this machine had that are known to be dead: their leases need not expire."""
        if home.id is None:
            return
        with self._database.transaction() as connection:
            running = self._work.queue.running_in(connection, home.id)
        for each in running:
            if each.run_id is not None and home.is_dead(each.run_id):
                self._one(each.id, self._work.queue.held, {"token": each.token}, self._lost("its worker has died"))

    def release_silent_workers(self) -> None:
        """Take away what workers had that were silent for longer than their leases."""
        self.each(self._work.queue.expired, {}, self._lost("the lease ran out"))

    def release_stalled_workers(self, *, stall_seconds: float) -> None:
        """Take away what workers have that renew their leases and make no progress; it counts as an error."""
        self.each(
            self._work.queue.stalled,
            {"stall": stall_seconds},
            self._lost(f"no progress for {stall_seconds:g} s", lost_lease=False),
        )

    def each(self, condition: LiteralString, values: Mapping[str, object], decide: Decide) -> None:
        """Let `finish` decide about every row that meets a condition, locked in a transaction of its own.

        A placeholder that two conditions share must have one value.
        """
        self._conditions.append((condition, values, decide))

    def finish(self) -> list[Recovered]:
        """Decide, and return what was recovered.

        Raises `PartlyDone` with it when some rows could not be, after all others were.
        """
        for condition, values, decide in self._met():
            with self._database.transaction() as connection:
                found = self._work.queue.ids_where(connection, condition, values)
            for work_id in found:
                self._one(work_id, condition, values, decide)
        for each in self.recovered:
            log.warning(
                "recovered",
                work=self._work.queue.table,
                id=str(each.id),
                run=each.run_id,
                reason=each.reason,
                goes_on=each.goes_on,
            )
        return self._apart.settle(self.recovered)

    def _met(self) -> list[tuple[LiteralString, Mapping[str, object], Decide]]:
        """All conditions, or none where no row meets any: nearly every pass ends with this one statement."""
        values = {name: value for _, given, _ in self._conditions for name, value in given.items()}
        with self._database.transaction() as connection:
            met = self._work.queue.any_where(connection, [condition for condition, _, _ in self._conditions], values)
        return self._conditions if met else []

    def _one(self, work_id: UUID, condition: LiteralString, values: Mapping[str, object], decide: Decide) -> None:
        with self._apart.each():
            recovered = _decide_on_one(self._database, self._work.queue, work_id, condition, values, decide)
            if recovered is not None:
                self.recovered.append(recovered)

    def _lost(self, reason: str, *, lost_lease: bool = True) -> Decide:
        def decide(connection: Connection, progress: Progress, /) -> Recovered:
            goes_on = take_away(connection, self._work, progress, self._rule, reason=reason, lost_lease=lost_lease)
            return Recovered(progress.id, progress.run_id, reason, goes_on)

        return decide


@again_after_conflict
def _decide_on_one(
    database: Database,
    queue: Queue,
    work_id: UUID,
    condition: LiteralString,
    values: Mapping[str, object],
    decide: Decide,
) -> Recovered | None:
    """None when the row does not meet the condition any more, or when another transaction holds it."""
    with database.transaction() as connection:
        progress = queue.lock_where(connection, work_id, condition, values)
        return None if progress is None else decide(connection, progress)


def recover(
    database: Database, work: Work, rule: RetryRule, *, stall_seconds: float, worker_home: WorkerHome | None = None
) -> list[Recovered]:
    """Put back every running row whose worker died, fell silent or gets nowhere.

    Args:
        database: where the rows are.
        work: the kind of work.
        rule: how often a row may be tried.
        stall_seconds: how long a worker may hold its lease without progress.
        worker_home: where the runs of this machine hold their file locks.

    Returns:
        What was recovered.

    Raises:
        PartlyDone: some rows could not be recovered; all others were.
    """
    pass_ = Recovery(database, work, rule)
    if worker_home is not None:
        pass_.release_dead_workers(worker_home)
    pass_.release_silent_workers()
    pass_.release_stalled_workers(stall_seconds=stall_seconds)
    return pass_.finish()
