"""Recovery: what lost its worker, gets nowhere or takes too long is put back or ended, with the reason as an event.

The same pass runs in every tick of the request sensor, on a schedule, and when the platform starts. It decides from
the database's clock and from file locks that the kernel drops; never from what Dagster says of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import LiteralString
from uuid import UUID

import structlog

from posegen.database import recovery
from posegen.database.connection import Connection, Database
from posegen.database.generations import Progress, progress_of
from posegen.error_codes import ErrorCode
from posegen.lifecycle import outcomes
from posegen.lifecycle.rules import TimeLimits
from posegen.states import GenerationStatus
from posegen.work.rules import RetryRule
from posegen.work.steps import Apart
from posegen.work.worker_home import WorkerHome

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 200


@dataclass(frozen=True)
class Decision:
    """What was decided about a generation. `status`: its state from now on; `run_id`: the run that lost it."""

    generation_id: UUID
    status: GenerationStatus
    reason: str
    run_id: str | None


def recover(
    database: Database, rule: RetryRule, limits: TimeLimits, *, worker_home: WorkerHome | None = None
) -> list[Decision]:
    """One pass over everything that is under way; doing it again, or in two places at once, changes nothing more.

    `worker_home`: where the runs of this machine hold their locks. Raises `PartlyDone` with the decisions when some
    generations could not be recovered, after all others were.
    """
    with database.transaction() as connection:
        need = recovery.need(connection, asdict(limits))
        here = None if worker_home is None else worker_home.id
        at_work = [] if here is None else recovery.running_in(connection, here)
    each = _OneByOne(database, rule, limits)
    if worker_home is not None and at_work:
        each.bury_the_dead(worker_home, at_work)
    if need.expired:
        each.sweep()
    if need.stalled:
        each.stir_the_stalled()
    if need.overdue:
        each.end_the_overdue()
    if need.abandoned:
        each.end_the_abandoned()
    for decision in each.decisions:
        log.warning(
            "recovered",
            generation=str(decision.generation_id),
            status=str(decision.status),
            reason=decision.reason,
            run=decision.run_id,
        )
    return each.apart.settle(each.decisions)


class _OneByOne:
    """A pass of recovery: each generation in a transaction of its own, whatever the one before it met."""

    def __init__(self, database: Database, rule: RetryRule, limits: TimeLimits) -> None:
        self.decisions: list[Decision] = []
        self.apart = Apart()
        self._database = database
        self._rule = rule
        self._limits = limits

    def bury_the_dead(self, home: WorkerHome, at_work: Sequence[Progress]) -> None:
        """Workers of this machine that are surely dead: their leases need not run out."""
        for progress in at_work:
            if progress.run_id is None or not home.is_dead(progress.run_id):
                continue
            with self.apart.each(), self._database.transaction() as connection:
                still = recovery.lock_at_work(connection, progress)
                if still is not None:
                    self._take_away(connection, still, "its worker has died", lost_lease=True)

    def sweep(self) -> None:
        """Workers that were silent for longer than their leases."""
        swept = self.apart.done_of(lambda: outcomes.sweep_expired_leases(self._database, self._rule))
        for progress in swept:
            with self.apart.each(), self._database.transaction() as connection:
                now = progress_of(connection, progress.id)
                if now is not None:
                    self.decisions.append(Decision(progress.id, now.status, "the lease ran out", progress.run_id))

    def stir_the_stalled(self) -> None:
        """A worker that renews its lease and gets nowhere: another one goes on from the checkpoint."""
        reason = f"no progress for {self._limits.stall:g} s"
        self._each(recovery.STALLED, partial(self._take_away, reason=reason, lost_lease=False))

    def end_the_overdue(self) -> None:
        """What has taken longer than it may."""
        reason = f"it has not ended {self._limits.total:g} s after its start, outages of its backend left out"
        self._each(recovery.OVERDUE, partial(self._end, code=ErrorCode.TIMED_OUT, reason=reason))

    def end_the_abandoned(self) -> None:
        """What waits for a backend that has been left alone for too long."""
        reason = f"its backend has not answered anybody for {self._limits.outage:g} s"
        self._each(recovery.ABANDONED, partial(self._end, code=ErrorCode.BACKEND_UNAVAILABLE, reason=reason))

    def _each(self, condition: LiteralString, decide: Callable[[Connection, Progress], None]) -> None:
        """Each generation that meets the condition, locked in a transaction of its own."""
        values = asdict(self._limits)
        with self._database.transaction() as connection:
            found = recovery.ids_where(connection, condition, values, MOST_AT_ONCE)
        for generation_id in found:
            with self.apart.each(), self._database.transaction() as connection:
                progress = recovery.lock_where(connection, generation_id, condition, values)
                if progress is not None:
                    decide(connection, progress)

    def _take_away(self, connection: Connection, progress: Progress, reason: str, *, lost_lease: bool) -> None:
        status = outcomes.take_away(connection, progress, self._rule, reason=reason, lost_lease=lost_lease)
        self.decisions.append(Decision(progress.id, status, reason, progress.run_id))

    def _end(self, connection: Connection, progress: Progress, code: ErrorCode, reason: str) -> None:
        at_work = progress.status in (GenerationStatus.DISPATCHED, GenerationStatus.RUNNING)
        run_id = progress.run_id if at_work else None
        if run_id is not None:
            recovery.note_lost_run(connection, run_id, progress.id, reason)
        status = GenerationStatus.PARTIAL if progress.poses_completed else GenerationStatus.FAILED
        outcomes.end(connection, progress, status, code, reason, reason=f"generation ended: {code}")
        self.decisions.append(Decision(progress.id, status, reason, run_id))
