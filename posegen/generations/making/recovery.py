"""Recovery of generations: besides lost workers, what takes too long or has waited too long for its backend ends.

The same pass runs in every tick of the request sensor, on a schedule, and when the platform starts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import LiteralString

from posegen.database.connection import Connection, Database
from posegen.error_codes import ErrorCode
from posegen.generations.making.outcomes import GENERATIONS, end_early
from posegen.settings import Settings
from posegen.work.lost_runs import note_lost_run
from posegen.work.queue import DISPATCHED, Progress
from posegen.work.recovery import Decide, Recovered, Recovery
from posegen.work.rules import RetryRule
from posegen.work.worker_home import WorkerHome


@dataclass(frozen=True)
class TimeLimits:
    """Outer bounds, in seconds.

    `stall`: without progress; `total`: since the start, without outages of the backend; `outage`: of the backend.
    """

    stall: float = 1800
    total: float = 7200
    outage: float = 86_400

    @classmethod
    def of(cls, settings: Settings) -> TimeLimits:
        """As the settings say."""
        return cls(
            stall=settings.posegen_stall_seconds,
            total=settings.posegen_time_limit_seconds,
            outage=settings.posegen_outage_seconds,
        )


OVERDUE: LiteralString = """
started_at < now() - make_interval(secs => %(total)s) and finished_at is null
and now() - started_at - coalesce((
    select sum(coalesce(o.closed_at, now()) - greatest(o.opened_at, generations.started_at)) from backend_outages o
    where o.backend = generations.backend and coalesce(o.closed_at, now()) > generations.started_at
), interval '0') > make_interval(secs => %(total)s)
"""
"""Its time is over; while the breaker of its backend is open, the clock stands still."""

ABANDONED: LiteralString = """
exists (select from backend_breakers where opened_at < now() - make_interval(secs => %(outage)s))
and status = 'queued' and queued_at < now() - make_interval(secs => %(outage)s)
and backend in (select backend from backend_breakers where opened_at < now() - make_interval(secs => %(outage)s))
"""
"""It has waited for its backend for too long."""


def recover(
    database: Database, rule: RetryRule, limits: TimeLimits, *, worker_home: WorkerHome | None = None
) -> list[Recovered]:
    """One pass over everything that is under way; doing it again, or in two places at once, changes nothing more.

    Args:
        database: where the generations are.
        rule: how often a generation may be tried.
        limits: how long it may take and wait.
        worker_home: where the runs of this machine hold their file locks.

    Returns:
        What was put back or ended.

    Raises:
        PartlyDone: some generations could not be recovered; all others were.
    """
    recovery = Recovery(database, GENERATIONS, rule)
    if worker_home is not None:
        recovery.release_dead_workers(worker_home)
    recovery.release_silent_workers()
    recovery.release_stalled_workers(stall_seconds=limits.stall)
    overdue = f"it has not ended {limits.total:g} s after its start, outages of its backend left out"
    recovery.each(OVERDUE, asdict(limits), _ended(ErrorCode.TIMED_OUT, overdue))
    abandoned = f"its backend has been unavailable for {limits.outage:g} s"
    recovery.each(ABANDONED, asdict(limits), _ended(ErrorCode.BACKEND_UNAVAILABLE, abandoned))
    return recovery.finish()


def _ended(code: ErrorCode, reason: str) -> Decide:
    def decide(connection: Connection, progress: Progress, /) -> Recovered:
        has_run = progress.status in (DISPATCHED, GENERATIONS.queue.running)
        run_id = progress.run_id if has_run else None
        if run_id is not None:
            note_lost_run(connection, run_id, GENERATIONS.queue.table, progress.id, reason)
        end_early(connection, progress.id, code, reason, reason=f"generation ended: {code}")
        return Recovered(progress.id, run_id, reason, goes_on=False)

    return decide
