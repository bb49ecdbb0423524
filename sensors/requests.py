"""One sensor for each kind of work: what its tick claims becomes runs and partitions.

PostgreSQL decides what is new, in `posegen.work.tick`; the cursors play no part.
"""

from collections.abc import Callable

import dagster as dg

from posegen.designs import kind as designs
from posegen.generations import kind as generations
from posegen.settings import Settings
from posegen.variants import work as variants
from posegen.work.tick import WorkKind, clear, tick_when_notified
from posegen.work.worker_home import WorkerHome
from resources.database import DatabaseResource
from sensors.runs import DagsterRuns
from sensors.targets import (
    DESIGNS,
    GENERATE_JOB,
    GENERATION_PARTITIONS,
    RENDER_DESIGNS_JOB,
    VARIANTS_JOB,
    run_of_batch,
    run_of_one,
)
from sensors.waiting import skipped_without_database


def request_sensor(
    name: str,
    kind: Callable[[Settings], WorkKind],
    *,
    job: str,
    description: str,
    seconds: int,
    partitions: dg.DynamicPartitionsDefinition | None = None,
) -> dg.SensorDefinition:
    """The sensor of a kind of work.

    Args:
        name: of the sensor, and of the kind.
        kind: the kind of work under given settings.
        job: the job that its runs execute.
        description: what Dagster's UI says of the sensor.
        seconds: at least so long from one tick to the next.
        partitions: where each row has a partition and a run of its own; without them a run makes a batch.
    """

    @dg.sensor(
        name=name,
        job_name=job,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    @skipped_without_database
    def requests(
        context: dg.SensorEvaluationContext,
        database: dg.ResourceParam[DatabaseResource],
        settings: dg.ResourceParam[Settings],
    ) -> dg.SensorResult | dg.SkipReason:
        of_kind = kind(settings)
        with database.open_for_a_tick() as opened:
            launches = tick_when_notified(
                opened,
                of_kind,
                DagsterRuns(context.instance),
                seconds=settings.posegen_listen_seconds,
                worker_home=WorkerHome(settings.workers_path),
            )
            cleared = clear(opened, of_kind)
        if not launches and not cleared:
            return dg.SkipReason("Nothing to start: no request is waiting, or every slot is taken.")
        if partitions is None:
            return dg.SensorResult(run_requests=[run_of_batch(launch) for launch in launches])
        changes: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
        if launches:
            changes.append(partitions.build_add_request([str(launch.claims[0].id) for launch in launches]))
        if cleared:
            changes.append(partitions.build_delete_request([str(each) for each in cleared]))
        return dg.SensorResult(
            run_requests=[run_of_one(launch) for launch in launches], dynamic_partitions_requests=changes
        )

    return requests


generation_requests = request_sensor(
    "generation_requests",
    generations.kind,
    job=GENERATE_JOB,
    description="Judges new requests, claims what may start, and recovers what lost its worker.",
    seconds=1,
    partitions=GENERATION_PARTITIONS,
)
design_requests = request_sensor(
    "design_requests",
    designs.kind,
    job=RENDER_DESIGNS_JOB,
    description="Judges new design requests, claims what may start, and clears what was deleted.",
    seconds=1,
    partitions=DESIGNS,
)
image_requests = request_sensor(
    "image_requests",
    variants.kind,
    job=VARIANTS_JOB,
    description="Claims new image requests, and recovers those that lost their worker.",
    seconds=5,
)
