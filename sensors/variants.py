"""New image requests become runs that make their variants, and what lost its worker waits anew.

PostgreSQL decides what is new and who has it; one run makes a whole claim.
"""

from uuid import UUID

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from posegen.database.connection import Database
from posegen.settings import load_settings
from posegen.studio.variant_requests import claim_waiting, claims_to_send_again, lose_claim, sweep_lost
from posegen.work.rules import RetryRule
from posegen.work.steps import Steps
from resources.database import DatabaseResource
from sensors.targets import CLAIM_TAG, VARIANTS_JOB
from sensors.waiting import skipped_without_database

SENSOR = "image_requests"


@dg.sensor(
    job_name=VARIANTS_JOB,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Claims new image requests, and recovers those that lost their worker.",
)
@skipped_without_database
def image_requests(context: dg.SensorEvaluationContext, database: DatabaseResource) -> dg.SensorResult | dg.SkipReason:
    """One run for each claim; the cursor plays no part."""
    with database.open() as opened:
        claims = _look(context.instance, opened)
    if not claims:
        return dg.SkipReason("Nothing to start: no image request is waiting, or enough are being made.")
    return dg.SensorResult(run_requests=[_run_request(claim) for claim in claims])


def _look(instance: dg.DagsterInstance, database: Database) -> list[UUID]:
    rule = RetryRule.of(load_settings())
    steps = Steps(database, SENSOR)
    steps.run("recovery", lambda: sweep_lost(database, rule))
    old = steps.each(
        "claims_without_run",
        lambda: claims_to_send_again(database),
        lambda claim: claim if _still_needs_run(instance, database, claim, rule) else None,
    )
    new = steps.run("claims", lambda: claim_waiting(database))
    return [claim for claim in (*old, new) if claim is not None]


def _still_needs_run(instance: dg.DagsterInstance, database: Database, claim: UUID, rule: RetryRule) -> bool:
    """Whether the run of an old claim was never created. What a run has left that ended before it began waits anew."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={RUN_KEY_TAG: str(claim)}), limit=1)
    if runs and runs[0].is_finished:
        lose_claim(database, claim, rule)
    return not runs


def _run_request(claim: UUID) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=str(claim),
        tags={
            CLAIM_TAG: str(claim),
            "dagster/max_retries": "0",
            "dagster/retry_on_asset_or_op_failure": "false",
        },
    )
