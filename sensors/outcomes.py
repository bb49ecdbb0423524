"""Runs that ended without doing their work become states and events. The database decides; a run's status is a hint.

Plain sensors with a cursor of their own: Dagster's run status sensors begin with what happens after their first tick,
and pass over a run for which they raised. Here an event counts as seen when the database has taken it.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.storage.tags import PARTITION_NAME_TAG, RUN_FAILURE_REASON_TAG

from posegen.database.connection import Database
from posegen.designs.work import DESIGNS
from posegen.generations.making.outcomes import GENERATIONS
from posegen.settings import Settings
from posegen.work.outcomes import Work, cancel_run, recover_run, release_run
from posegen.work.queue import Claim
from posegen.work.rules import RetryRule
from posegen.work.steps import Steps
from posegen.work.tick import OPERATOR
from resources.database import DatabaseResource
from sensors.targets import DISPATCH_TAG, GENERATE_JOB, RENDER_DESIGNS_JOB, USER_TAG
from sensors.waiting import skipped_without_database

RUNS_PER_TICK = 100
Settle = Callable[[Database, Work, Claim, dg.DagsterRun], object]
_WORK: dict[str, Work] = {GENERATE_JOB: GENERATIONS, RENDER_DESIGNS_JOB: DESIGNS}


@dg.sensor(
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Puts work back that a failed run has left open.",
)
@skipped_without_database
def failed_runs(
    context: dg.SensorEvaluationContext,
    database: dg.ResourceParam[DatabaseResource],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult | dg.SkipReason:
    """A run that failed at work has settled its row by itself; before and between its assets it could not."""
    put_back = partial(_put_back, RetryRule.of(settings))
    return _each_ended_run(context, database, "failed_runs", dg.DagsterEventType.RUN_FAILURE, put_back)


@dg.sensor(
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Cancelling a run in the Dagster UI cancels its work.",
)
@skipped_without_database
def cancelled_runs(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[DatabaseResource]
) -> dg.SensorResult | dg.SkipReason:
    """An operator's word: what is finished stays and is paid for, the rest is released.

    A run at work on a generation hears it by itself, and cancels it before it ends. This is for the others.
    """
    return _each_ended_run(context, database, "cancelled_runs", dg.DagsterEventType.RUN_CANCELED, _cancel)


def _put_back(rule: RetryRule, database: Database, work: Work, claim: Claim, run: dg.DagsterRun) -> None:
    """A process that was asked to stop has ended in order. One that died is left to its lock and its lease."""
    failed_by = run.tags.get(RUN_FAILURE_REASON_TAG)
    if failed_by == RunFailureReason.UNEXPECTED_TERMINATION.value:
        release_run(database, work, claim, run_id=run.run_id)
        return
    recover_run(
        database,
        work,
        claim,
        rule,
        run_id=run.run_id if failed_by == RunFailureReason.STEP_FAILURE.value else None,
        reason=f"run {run.run_id} failed",
    )


def _cancel(database: Database, work: Work, claim: Claim, _: dg.DagsterRun) -> None:
    cancel_run(database, work, claim, actor=OPERATOR)


def _each_ended_run(
    context: dg.SensorEvaluationContext,
    database: DatabaseResource,
    sensor: str,
    event: dg.DagsterEventType,
    settle: Settle,
) -> dg.SensorResult | dg.SkipReason:
    ended = context.instance.fetch_run_status_changes(event, RUNS_PER_TICK, cursor=context.cursor, ascending=True)
    ids = [record.run_id for record in ended.records]
    if not ids:
        return dg.SkipReason("No run has ended so since the last tick.")
    with database.open_for_a_tick() as opened:
        steps = Steps(opened, sensor)
        runs = steps.each("read_runs", lambda: ids, context.instance.get_run_by_id)
        if not runs:
            return dg.SkipReason(f"{len(ids)} ended runs cannot be read; the next tick tries again.")
        # What could not be settled counts as seen all the same: what it leaves open is recovered by its lease.
        steps.each("settle", lambda: [run for run in runs if run], lambda run: _settle_one(opened, run, settle))
    return dg.SensorResult(
        skip_reason=f"{len(ids)} ended {'run was' if len(ids) == 1 else 'runs were'} looked at.", cursor=ended.cursor
    )


def _settle_one(database: Database, run: dg.DagsterRun, settle: Settle) -> None:
    claimed = _claim_of(run)
    if claimed is not None:
        settle(database, *claimed, run)


def _claim_of(run: dg.DagsterRun) -> tuple[Work, Claim] | None:
    """What the run was launched for, or None when no claim has launched it, or one of a batch."""
    try:
        row, dispatch = UUID(run.tags[PARTITION_NAME_TAG]), int(run.tags[DISPATCH_TAG])
        user = UUID(run.tags[USER_TAG])
    except (KeyError, ValueError):
        return None
    work = _WORK.get(run.job_name)
    return None if work is None else (work, Claim(row, dispatch, user))
