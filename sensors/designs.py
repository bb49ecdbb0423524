"""New design requests become partitions and runs, and the objects of deleted designs are deleted."""

from uuid import UUID

import dagster as dg
import structlog

from posegen.database.connection import Database
from posegen.designs import service
from posegen.designs.rows import REQUESTS_CHANNEL
from posegen.designs.work import kind
from posegen.errors import StorageError
from posegen.settings import Settings
from posegen.work.steps import Steps
from resources.database import DatabaseResource
from resources.studio import StudioResource
from sensors.runs import launches_now
from sensors.targets import DESIGNS, RENDER_DESIGNS_JOB, run_of_one
from sensors.waiting import skipped_without_database

log = structlog.get_logger(__name__)


@dg.sensor(
    job_name=RENDER_DESIGNS_JOB,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Judges new design requests, claims what may start, and clears what was deleted.",
)
@skipped_without_database
def design_requests(
    context: dg.SensorEvaluationContext,
    database: dg.ResourceParam[DatabaseResource],
    studio: dg.ResourceParam[StudioResource],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult | dg.SkipReason:
    """One run and one partition for each design that is claimed."""
    designs = kind(settings)
    with database.open_for_a_tick() as opened:
        launches = launches_now(context.instance, opened, designs, settings, channel=REQUESTS_CHANNEL)
        gone = Steps(opened, designs.name).run("deleted_designs", lambda: _cleared(opened, studio)) or []
    if not launches and not gone:
        return dg.SkipReason("Nothing to start: no design is waiting, or enough are being rendered.")
    partitions: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if launches:
        partitions.append(DESIGNS.build_add_request([str(launch.claims[0].id) for launch in launches]))
    if gone:
        partitions.append(DESIGNS.build_delete_request([str(design_id) for design_id in gone]))
    return dg.SensorResult(
        run_requests=[run_of_one(launch) for launch in launches], dynamic_partitions_requests=partitions
    )


def _cleared(database: Database, studio: StudioResource) -> list[UUID]:
    """Deleted designs whose objects are deleted now; the store is opened only when there are any."""
    if not service.deleted_waiting(database):
        return []
    try:
        with studio.open() as opened:
            return service.clear_deleted(opened)
    except StorageError as failure:
        log.warning("deleted designs are not cleared yet", reason=str(failure))
        return []
