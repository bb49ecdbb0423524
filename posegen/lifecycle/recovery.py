"""Recovery: what lost its worker, gets nowhere or takes too long is put back or ended, with the reason as an event.

The same pass runs in every tick of the request sensor, on a schedule, and when the platform starts. It decides from
the database's clock and from file locks that the kernel drops; never from what Dagster says of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import LiteralString
from uuid import UUID

import structlog

from posegen.database import recovery
from posegen.database.connection import Connection, Database
from posegen.database.generations import Progress, progress_of
from posegen.error_codes import ErrorCode
from posegen.lifecycle import outcomes
from posegen.lifecycle.rules import RetryRule, TimeLimits
from posegen.lifecycle.workers import WorkerHome
from posegen.states import GenerationStatus

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

    `worker_home`: where the runs of this machine hold their locks.
    """
    with database.transaction() as connection:
        need = recovery.need(connection, asdict(limits))
        here = None if worker_home is None else worker_home.id
        at_work = [] if here is None else recovery.running_in(connection, here)
    decisions: list[Decision] = []
    if worker_home is not None and at_work:
        decisions += _bury_the_dead(database, rule, worker_home, at_work)
    if need.expired:
        decisions += _sweep(database, rule)
    if need.stalled:
        decisions += _stir_the_stalled(database, rule, limits)
    if need.overdue:
        decisions += _end_the_overdue(database, limits)
    if need.abandoned:
        decisions += _end_the_abandoned(database, limits)
    for decision in decisions:
        log.warning(
            "recovered",
            generation=str(decision.generation_id),
            status=str(decision.status),
            reason=decision.reason,
            run=decision.run_id,
        )
    return decisions


def _bury_the_dead(
    database: Database, rule: RetryRule, home: WorkerHome, at_work: Sequence[Progress]
) -> Iterator[Decision]:
    """Workers of this machine that are surely dead: their leases need not run out."""
    for progress in at_work:
        if progress.run_id is None or not home.is_dead(progress.run_id):
            continue
        with database.transaction() as connection:
            still = recovery.lock_at_work(connection, progress)
            if still is not None:
                reason = "its worker has died"
                status = outcomes.take_away(connection, still, rule, reason=reason, lost_lease=True)
                yield Decision(still.id, status, reason, still.run_id)


def _sweep(database: Database, rule: RetryRule) -> Iterator[Decision]:
    for progress in outcomes.sweep_expired_leases(database, rule):
        with database.transaction() as connection:
            now = progress_of(connection, progress.id)
        if now is not None:
            yield Decision(progress.id, now.status, "the lease ran out", progress.run_id)


def _stir_the_stalled(database: Database, rule: RetryRule, limits: TimeLimits) -> Iterator[Decision]:
    """A worker that renews its lease and gets nowhere: another one goes on from the checkpoint."""
    reason = f"no progress for {limits.stall:g} s"
    for connection, progress in _each(database, recovery.STALLED, limits):
        status = outcomes.take_away(connection, progress, rule, reason=reason, lost_lease=False)
        yield Decision(progress.id, status, reason, progress.run_id)


def _end_the_overdue(database: Database, limits: TimeLimits) -> Iterator[Decision]:
    reason = f"it has not ended {limits.total:g} s after its start, outages of its backend left out"
    for connection, progress in _each(database, recovery.OVERDUE, limits):
        yield _ended(connection, progress, ErrorCode.TIMED_OUT, reason)


def _end_the_abandoned(database: Database, limits: TimeLimits) -> Iterator[Decision]:
    reason = f"its backend has not answered anybody for {limits.outage:g} s"
    for connection, progress in _each(database, recovery.ABANDONED, limits):
        yield _ended(connection, progress, ErrorCode.BACKEND_UNAVAILABLE, reason)


def _ended(connection: Connection, progress: Progress, code: ErrorCode, reason: str) -> Decision:
    at_work = progress.status in (GenerationStatus.DISPATCHED, GenerationStatus.RUNNING)
    run_id = progress.run_id if at_work else None
    if run_id is not None:
        recovery.note_lost_run(connection, run_id, progress.id, reason)
    status = GenerationStatus.PARTIAL if progress.poses_completed else GenerationStatus.FAILED
    outcomes.end(connection, progress, status, code, reason, reason=f"generation ended: {code}")
    return Decision(progress.id, status, reason, run_id)


def _each(database: Database, condition: LiteralString, limits: TimeLimits) -> Iterator[tuple[Connection, Progress]]:
    """Each generation that meets the condition, locked in a transaction of its own."""
    values = asdict(limits)
    with database.transaction() as connection:
        found = recovery.ids_where(connection, condition, values, MOST_AT_ONCE)
    for generation_id in found:
        with database.transaction() as connection:
            progress = recovery.lock_where(connection, generation_id, condition, values)
            if progress is not None:
                yield connection, progress
