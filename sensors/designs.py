"""New design requests become partitions and runs, what lost its worker waits anew, and what was deleted is cleared.

PostgreSQL decides what is new. A tick that finds nothing waits for a notification before it answers.
"""

from dataclasses import dataclass, field
from uuid import UUID

import dagster as dg
import structlog
from dagster._core.storage.tags import RUN_KEY_TAG

from posegen.database import designs
from posegen.database.connection import Database
from posegen.database.designs import REQUESTS_CHANNEL, DesignClaim, DesignProgress
from posegen.errors import StorageError
from posegen.lifecycle.designs import (
    cancel_claim,
    claim_designs,
    claims_to_send_again,
    recover_lost_run,
    sweep_expired_leases,
)
from posegen.settings import Settings, load_settings
from posegen.studio.designs import clear_deleted
from posegen.work.steps import Steps
from resources.database import DatabaseResource
from resources.studio import StudioResource
from sensors.targets import DESIGN_CLAIM_TAG, DESIGNS, OPERATOR, RENDER_DESIGNS_JOB, USER_TAG
from sensors.waiting import skipped_without_database

log = structlog.get_logger(__name__)

SENSOR = "design_requests"
# As with generations, a short row of claims ahead keeps the slots busy between two looks.
CLAIMS_AHEAD = 2


@dataclass(frozen=True)
class _Found:
    """What one look found: claims that need a run, and designs that are gone."""

    claims: list[DesignClaim] = field(default_factory=list)
    gone: list[UUID] = field(default_factory=list)


@dg.sensor(
    job_name=RENDER_DESIGNS_JOB,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Judges new design requests, claims what may start, and clears what was deleted.",
)
@skipped_without_database
def design_requests(
    context: dg.SensorEvaluationContext, database: DatabaseResource, studio: StudioResource
) -> dg.SensorResult | dg.SkipReason:
    """One run and one partition for each design; the claim, not the cursor, decides what is new."""
    settings = load_settings()
    with database.open() as opened, opened.listening(REQUESTS_CHANNEL) as listener:
        found = _look(context.instance, opened, studio, settings)
        if found == _Found() and listener.wait(settings.posegen_listen_seconds):
            found = _look(context.instance, opened, studio, settings)
    if found == _Found():
        return dg.SkipReason("Nothing to start: no design is waiting, or enough are being rendered.")
    partitions: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if found.claims:
        partitions.append(DESIGNS.build_add_request([str(claim.design_id) for claim in found.claims]))
    if found.gone:
        partitions.append(DESIGNS.build_delete_request([str(design_id) for design_id in found.gone]))
    return dg.SensorResult(
        run_requests=[_run_request(claim) for claim in found.claims], dynamic_partitions_requests=partitions
    )


def _look(instance: dg.DagsterInstance, database: Database, studio: StudioResource, settings: Settings) -> _Found:
    steps = Steps(database, SENSOR)
    most_lost, most_under_way = settings.posegen_max_lost_leases, settings.posegen_max_running * (1 + CLAIMS_AHEAD)
    swept = steps.run("recovery", lambda: sweep_expired_leases(database, most_lost_leases=most_lost)) or []
    steps.each("lost_runs", lambda: swept, lambda progress: _end_lost_run(instance, progress))
    old = steps.each(
        "claims_without_run",
        lambda: claims_to_send_again(database),
        lambda claim: claim if _still_needs_run(instance, database, claim) else None,
    )
    new = steps.run("claims", lambda: claim_designs(database, most_under_way=most_under_way)) or []
    gone = steps.run("deleted_designs", lambda: _cleared(database, studio)) or []
    return _Found([claim for claim in old if claim is not None] + new, gone)


def _cleared(database: Database, studio: StudioResource) -> list[UUID]:
    """Designs of which nothing is left; the store is opened only when there is something to delete."""
    with database.transaction() as connection:
        if not designs.deleted_waiting(connection):
            return []
    try:
        with studio.open() as opened:
            return clear_deleted(opened)
    except StorageError as failure:
        log.warning("deleted designs are not cleared yet", reason=str(failure))
        return []


def _still_needs_run(instance: dg.DagsterInstance, database: Database, claim: DesignClaim) -> bool:
    """Whether the run of an old claim was never created. What a run left that ended before it began waits anew."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={RUN_KEY_TAG: _run_key(claim)}), limit=1)
    if runs and runs[0].status is dg.DagsterRunStatus.CANCELED:
        cancel_claim(database, claim, actor=OPERATOR)
    elif runs and runs[0].is_finished:
        recover_lost_run(
            database, claim, reason=f"run {runs[0].run_id} ended as {runs[0].status.value} before it began"
        )
    return not runs


def _end_lost_run(instance: dg.DagsterInstance, progress: DesignProgress) -> None:
    """Tell Dagster of a run that is gone, or it would keep its slot until the longest run time is over."""
    log.warning("lease on a design lost", design=str(progress.id), run=progress.run_id)
    run = instance.get_run_by_id(progress.run_id) if progress.run_id else None
    if run is not None and not run.is_finished:
        instance.report_run_failed(run, "The worker was silent for longer than its lease; the design goes on.")


def _run_key(claim: DesignClaim) -> str:
    return f"design:{claim.design_id}:{claim.claim}"


def _run_request(claim: DesignClaim) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=_run_key(claim),
        partition_key=str(claim.design_id),
        tags={
            DESIGN_CLAIM_TAG: str(claim.claim),
            USER_TAG: str(claim.user_id),
            "dagster/max_retries": "0",
            "dagster/retry_on_asset_or_op_failure": "false",
        },
    )
