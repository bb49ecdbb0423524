"""New rows become partitions and runs: intake, claim, and the recovery of what lost its worker, in one tick.

PostgreSQL decides what is new; the cursor plays no part. A tick that finds nothing waits for a notification before it
answers, so that a request does not wait for Dagster's next look.
"""

import secrets

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from posegen.database import recovery
from posegen.database.connection import Database
from posegen.database.events import REQUESTS_CHANNEL
from posegen.database.generations import Claim
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.lifecycle.claims import claim_next, claims_to_send_again
from posegen.lifecycle.intake import take_in
from posegen.lifecycle.limits import LARGEST_SEED
from posegen.lifecycle.outcomes import cancel_run, recover_lost_run
from posegen.lifecycle.recovery import recover
from posegen.lifecycle.rules import IntakeLimits, Prices, TimeLimits
from posegen.settings import Settings, load_settings
from posegen.work.rules import RetryRule
from posegen.work.steps import Apart, Steps
from posegen.work.worker_home import WorkerHome
from resources.database import DatabaseResource
from sensors.targets import GENERATE_JOB, GENERATIONS, OPERATOR, run_key, run_request
from sensors.waiting import skipped_without_database

SENSOR = "generation_requests"
INTAKE_PER_TICK = 500
# Dagster looks at its sensors every 5 s; a short row of claims ahead keeps the slots busy in between.
CLAIMS_AHEAD = 2


@dg.sensor(
    job_name=GENERATE_JOB,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Judges new requests, claims what may start, and recovers what lost its worker.",
)
@skipped_without_database
def generation_requests(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> dg.SensorResult | dg.SkipReason:
    """Claims what customers have asked for; the claim, not the cursor, decides what is new."""
    settings = load_settings()
    with database.open() as opened, opened.listening(REQUESTS_CHANNEL) as listener:
        claims = _claims_now(context.instance, opened, settings)
        if not claims and listener.wait(settings.posegen_listen_seconds):
            claims = _claims_now(context.instance, opened, settings)
    if not claims:
        return dg.SkipReason("Nothing to start: no request is waiting, or every slot is taken.")
    return dg.SensorResult(
        run_requests=[run_request(claim) for claim in claims],
        dynamic_partitions_requests=[GENERATIONS.build_add_request([str(claim.generation_id) for claim in claims])],
    )


def _claims_now(instance: dg.DagsterInstance, database: Database, settings: Settings) -> list[Claim]:
    rule = RetryRule.of(settings)
    steps = Steps(database, SENSOR)
    worker_home = WorkerHome(settings.workers_path)
    steps.run("recovery", lambda: recover(database, rule, TimeLimits.of(settings), worker_home=worker_home))
    steps.run("lost_runs", lambda: end_lost_runs(instance, database))
    steps.run("intake", lambda: _take_in(database, settings))
    old = steps.each(
        "claims_without_run",
        lambda: claims_to_send_again(database),
        lambda claim: claim if _still_needs_run(instance, database, claim, rule) else None,
    )
    new = steps.run("claims", lambda: _claim(database, settings)) or []
    return [claim for claim in old if claim is not None] + new


def _take_in(database: Database, settings: Settings) -> int:
    return take_in(
        database,
        default_backend=settings.posegen_backend,
        prices=Prices.of(settings),
        draw_seed=lambda: secrets.randbelow(LARGEST_SEED + 1),
        limit=INTAKE_PER_TICK,
        limits=IntakeLimits.of(settings),
        thumbnails=thumbnail_sizes(settings.posegen_thumbnails),
    )


def _claim(database: Database, settings: Settings) -> list[Claim]:
    return claim_next(
        database,
        most_running=settings.posegen_max_running * (1 + CLAIMS_AHEAD),
        most_running_per_user=settings.posegen_max_running_per_user,
    )


def _still_needs_run(instance: dg.DagsterInstance, database: Database, claim: Claim, rule: RetryRule) -> bool:
    """Whether the run of an old claim was never created. One that ended without working is put back or cancelled."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={RUN_KEY_TAG: run_key(claim)}), limit=1)
    if runs and runs[0].status is dg.DagsterRunStatus.CANCELED:
        cancel_run(database, claim.generation_id, claim.dispatch, actor=OPERATOR)
    elif runs and runs[0].is_finished:
        reason = f"run {runs[0].run_id} ended as {runs[0].status.value} before it began"
        recover_lost_run(database, claim.generation_id, claim.dispatch, rule, reason=reason)
    return not runs


def end_lost_runs(instance: dg.DagsterInstance, database: Database) -> int:
    """Tell Dagster of runs that lost their generation, or they would keep their slots until their longest time is over.

    What takes a generation away notes its run in the same transaction; a process that dies here leaves it to the next
    tick. Returns how many runs Dagster knows of now; raises `PartlyDone` when it could not be told of some.
    """
    with database.transaction() as connection:
        lost = recovery.lost_runs(connection)
    apart, told = Apart(), 0
    for each in lost:
        with apart.each():
            run = instance.get_run_by_id(each.run_id)
            if run is not None and not run.is_finished:
                instance.report_run_failed(run, f"The generation was taken away from this run: {each.reason}.")
            with database.transaction() as connection:
                recovery.forget_lost_run(connection, each.run_id)
            told += 1
    return apart.settle(told)
