"""Runs that ended without doing their work become states and events. The database decides; a run's status is a hint."""

from uuid import UUID

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.storage.tags import PARTITION_NAME_TAG, RUN_FAILURE_REASON_TAG

from posegen.lifecycle.outcomes import RetryRule, cancel, recover_lost_run
from posegen.settings import load_settings
from resources.database import DatabaseResource
from sensors.targets import DISPATCH_TAG, OPERATOR


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.FAILURE,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Puts a generation back that a failed run has left open.",
)
def failed_runs(context: dg.RunStatusSensorContext, database: DatabaseResource) -> None:
    """A run that failed at work has settled its generation by itself; before and between its assets it could not.

    A run whose process died is another thing: its lease runs out, which is no error of the generation.
    """
    claim = _claim_of(context.dagster_run)
    if claim is None:
        return
    generation_id, dispatch = claim
    rule = RetryRule(most_attempts=load_settings().posegen_max_attempts)
    run = context.dagster_run
    by_a_step = run.tags.get(RUN_FAILURE_REASON_TAG) == RunFailureReason.STEP_FAILURE.value
    with database.open() as opened:
        recover_lost_run(
            opened,
            generation_id,
            dispatch,
            rule,
            run_id=run.run_id if by_a_step else None,
            reason=f"run {run.run_id} failed",
        )


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.CANCELED,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Cancelling a run in the Dagster UI cancels its generation.",
)
def cancelled_runs(context: dg.RunStatusSensorContext, database: DatabaseResource) -> None:
    """An operator's word: what is finished stays and is paid for, the rest is released."""
    claim = _claim_of(context.dagster_run)
    if claim is None:
        return
    with database.open() as opened:
        cancel(opened, claim[0], actor=OPERATOR)


def _claim_of(run: dg.DagsterRun) -> tuple[UUID, int] | None:
    """Generation and dispatch, or None for a run that no claim has launched.

    A sensor answers nothing for such a run: a `SkipReason` would end Dagster's tick, and let the next run wait.
    """
    try:
        return UUID(run.tags[PARTITION_NAME_TAG]), int(run.tags[DISPATCH_TAG])
    except (KeyError, ValueError):
        return None
