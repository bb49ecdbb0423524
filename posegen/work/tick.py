"""One look at a kind of work: recover what lost its worker, take in what is new, send lost claims again, claim.

PostgreSQL decides what is new; the orchestrator only says what became of the runs that were launched. The steps are
independent: one that fails keeps none of the others from being done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID

from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Database
from posegen.work import outcomes, recovery
from posegen.work.lost_runs import LostRun, forget_lost_run, lost_runs
from posegen.work.outcomes import Work
from posegen.work.queue import Claim
from posegen.work.recovery import Recovered
from posegen.work.rules import RetryRule
from posegen.work.slots import waiting_runs
from posegen.work.steps import Steps
from posegen.work.worker_home import WorkerHome

RUN_SHOULD_HAVE_STARTED_SECONDS = 10.0
OPERATOR = "operator, in the Dagster UI"
"""Who is said to have cancelled work whose run was cancelled."""


@dataclass(frozen=True)
class Run:
    """A run as the orchestrator knows it. `status`: its word for the state, for messages."""

    id: str
    status: str
    is_finished: bool
    is_cancelled: bool


class Orchestrator(Protocol):
    """What launches runs, and remembers them."""

    def run_with_key(self, run_key: str) -> Run | None:
        """The newest run that was launched under this key."""

    def fail(self, run_id: str, reason: str) -> None:
        """Mark a run as failed, unless it has ended or is not known."""


@dataclass(frozen=True)
class Launch:
    """A run that is to be started for claims: of one row, or of a batch. A repeated key starts nothing.

    `waits`: it mostly waits for a hosted backend, and has a slot of those.
    """

    run_key: str
    claims: tuple[Claim, ...]
    waits: bool = False


@dataclass(frozen=True)
class WorkKind:
    """A kind of work, as a tick needs it.

    Attributes:
        name: what failures of its steps are counted under: the name of its sensor.
        work: its queue, and what happens to rows that are put back or given up.
        rule: how often a row may be tried.
        stall_seconds: how long a worker may hold its lease without progress.
        run_key: different for every claim of a row, the same for all claims of a batch.
        claim: claims what may start now. May raise `PartlyDone` with the claims.
        take_in: judges what is new before anything of it is claimed; None where the claim does.
        recover: what is done instead of `posegen.work.recovery.recover`.
        clear: deletes the objects that deleted rows left in stores, and returns the ids of these rows.
        channel: where new work is notified; None for work that waits for the next tick.
        hosted: backends whose runs have slots of their own.
        checks: of what operators have written, by the names of their steps; each raises what is wrong.
    """

    name: str
    work: Work
    rule: RetryRule
    stall_seconds: float
    run_key: Callable[[Claim], str]
    claim: Callable[[Database], Sequence[Claim]]
    take_in: Callable[[Database], object] | None = None
    recover: Callable[[Database, WorkerHome | None], list[Recovered]] | None = None
    clear: Callable[[Database], list[UUID]] | None = None
    channel: str | None = None
    hosted: frozenset[str] = frozenset()
    checks: Mapping[str, Callable[[], object]] = field(default_factory=dict)


def tick(
    database: Database, kind: WorkKind, orchestrator: Orchestrator, *, worker_home: WorkerHome | None = None
) -> list[Launch]:
    """The runs that are to be started now. Raises only when the database is lost.

    Args:
        database: where the rows are.
        kind: the kind of work.
        orchestrator: what launches its runs.
        worker_home: where the runs of this machine hold their file locks.
    """
    steps = Steps(database, kind.name)
    steps.run("recovery", lambda: recover(database, kind, worker_home=worker_home))
    end_lost_runs(database, steps, orchestrator)
    for step, check in kind.checks.items():
        steps.run(step, check)
    if kind.take_in is not None:
        take_in = kind.take_in
        steps.run("intake", lambda: take_in(database))
    again = steps.each(
        "claims_without_run",
        lambda: launches(kind, _unstarted_claims(database, kind)),
        lambda launch: launch if _needs_run(database, kind, orchestrator, launch) else None,
    )
    new = steps.run("claims", lambda: kind.claim(database)) or ()
    return _with_slots(database, kind, [launch for launch in again if launch is not None] + launches(kind, new))


@again_after_conflict
def _with_slots(database: Database, kind: WorkKind, found: list[Launch]) -> list[Launch]:
    if not found or not kind.hosted:
        return found
    with database.transaction() as connection:
        ids = [claim.id for launch in found for claim in launch.claims]
        waiting = waiting_runs(connection, ids, hosted=kind.hosted)
    return [replace(launch, waits=launch.claims[0].id in waiting) for launch in found]


def tick_when_notified(
    database: Database,
    kind: WorkKind,
    orchestrator: Orchestrator,
    *,
    seconds: float,
    worker_home: WorkerHome | None = None,
) -> list[Launch]:
    """The same. A tick that finds nothing waits for a notification of new work, and looks once more.

    A request therefore does not wait for the next tick.

    Args:
        database: where the rows are.
        kind: the kind of work.
        orchestrator: what launches its runs.
        seconds: how long to wait, where the kind has a channel.
        worker_home: where the runs of this machine hold their file locks.
    """
    if kind.channel is None:
        return tick(database, kind, orchestrator, worker_home=worker_home)
    with database.listening(kind.channel) as listener:
        launches = tick(database, kind, orchestrator, worker_home=worker_home)
        if not launches and listener.wait(seconds):
            launches = tick(database, kind, orchestrator, worker_home=worker_home)
    return launches


def clear(database: Database, kind: WorkKind) -> list[UUID]:
    """Delete the objects that deleted rows left in stores, as a step of the tick; returns the ids of these rows."""
    if kind.clear is None:
        return []
    clear_rows = kind.clear
    return Steps(database, kind.name).run(f"deleted_{kind.work.queue.table}", lambda: clear_rows(database)) or []


def recover(database: Database, kind: WorkKind, *, worker_home: WorkerHome | None = None) -> list[Recovered]:
    """Put back what lost its worker. Raises `PartlyDone` with what was recovered when some rows could not be."""
    if kind.recover is not None:
        return kind.recover(database, worker_home)
    return recovery.recover(database, kind.work, kind.rule, stall_seconds=kind.stall_seconds, worker_home=worker_home)


def launches(kind: WorkKind, claims: Sequence[Claim]) -> list[Launch]:
    """One launch for each run key, in the order of the claims."""
    by_key: dict[str, list[Claim]] = {}
    for claim in claims:
        by_key.setdefault(kind.run_key(claim), []).append(claim)
    return [Launch(key, tuple(of_key)) for key, of_key in by_key.items()]


def end_lost_runs(database: Database, steps: Steps, orchestrator: Orchestrator) -> None:
    """Tell the orchestrator of runs that lost their work, of any kind."""
    steps.each("lost_runs", lambda: _lost_runs(database), lambda lost: _end_lost_run(database, orchestrator, lost))


def _lost_runs(database: Database) -> list[LostRun]:
    with database.transaction() as connection:
        return lost_runs(connection)


def _end_lost_run(database: Database, orchestrator: Orchestrator, lost: LostRun) -> None:
    """Mark a run as failed that lost its work, or it would keep its slot until its longest time is over.

    What takes work away notes its run in the same transaction; a process that dies here leaves it to the next tick.
    """
    orchestrator.fail(lost.run_id, f"The work was taken away from this run: {lost.reason}.")
    with database.transaction() as connection:
        forget_lost_run(connection, lost.run_id)


@again_after_conflict
def _unstarted_claims(database: Database, kind: WorkKind) -> list[Claim]:
    with database.transaction() as connection:
        return kind.work.queue.unstarted_claims(connection, older_than_seconds=RUN_SHOULD_HAVE_STARTED_SECONDS)


def _needs_run(database: Database, kind: WorkKind, orchestrator: Orchestrator, launch: Launch) -> bool:
    """Whether the run of old claims was never created. One that ended before it began is put back or cancelled."""
    run = orchestrator.run_with_key(launch.run_key)
    if run is None:
        return True
    if run.is_finished:
        reason = f"run {run.id} ended as {run.status} before it began"
        for claim in launch.claims:
            if run.is_cancelled:
                outcomes.cancel_run(database, kind.work, claim, actor=OPERATOR)
            else:
                outcomes.recover_run(database, kind.work, claim, kind.rule, reason=reason)
    return False
