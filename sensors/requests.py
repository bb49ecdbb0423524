"""New generation requests become partitions and runs. PostgreSQL decides what is new; the cursor plays no part."""

import dagster as dg

from posegen.generations.kind import kind
from posegen.generations.rows.events import REQUESTS_CHANNEL
from posegen.settings import Settings
from resources.database import DatabaseResource
from sensors.runs import launches_now
from sensors.targets import GENERATE_JOB, GENERATION_PARTITIONS, run_of_one
from sensors.waiting import skipped_without_database


@dg.sensor(
    job_name=GENERATE_JOB,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Judges new requests, claims what may start, and recovers what lost its worker.",
)
@skipped_without_database
def generation_requests(
    context: dg.SensorEvaluationContext,
    database: dg.ResourceParam[DatabaseResource],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult | dg.SkipReason:
    """One run and one partition for each generation that is claimed."""
    with database.open_for_a_tick() as opened:
        launches = launches_now(context.instance, opened, kind(settings), settings, channel=REQUESTS_CHANNEL)
    if not launches:
        return dg.SkipReason("Nothing to start: no request is waiting, or every slot is taken.")
    runs = [run_of_one(launch) for launch in launches]
    partitions = GENERATION_PARTITIONS.build_add_request([str(launch.claims[0].id) for launch in launches])
    return dg.SensorResult(run_requests=runs, dynamic_partitions_requests=[partitions])
