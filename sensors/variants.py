"""New image requests become runs that make their variants: one run makes a whole batch."""

import dagster as dg

from posegen.settings import Settings
from posegen.variants.work import kind
from resources.database import DatabaseResource
from sensors.runs import launches_now
from sensors.targets import VARIANTS_JOB, run_of_batch
from sensors.waiting import skipped_without_database


@dg.sensor(
    job_name=VARIANTS_JOB,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Claims new image requests, and recovers those that lost their worker.",
)
@skipped_without_database
def image_requests(
    context: dg.SensorEvaluationContext,
    database: dg.ResourceParam[DatabaseResource],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult | dg.SkipReason:
    """One run for each batch that is claimed."""
    with database.open_for_a_tick() as opened:
        launches = launches_now(context.instance, opened, kind(settings), settings)
    if not launches:
        return dg.SkipReason("Nothing to start: no image request is waiting, or enough are being made.")
    return dg.SensorResult(run_requests=[run_of_batch(launch) for launch in launches])
