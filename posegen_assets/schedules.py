"""When upkeep runs by itself. What it does lies beside this module."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from posegen.backends.registry import Backends
from posegen.generations.calling.rows import any_unattended
from posegen.settings import Settings
from posegen_assets.jobs import (
    clean_up_images,
    reconcile_storage,
    recount_space,
    recover_lost_work,
    report_day,
    report_month,
    report_week,
    retire_work,
    settle_calls,
    verify_everything,
    watch_health,
)
from resources.database import DatabaseResource
from sensors.waiting import skipped_without_database

_ON = dg.DefaultScheduleStatus.RUNNING


def _schedule(name: str, job: UnresolvedAssetJobDefinition, cron: str, description: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(name=name, job=job, cron_schedule=cron, default_status=_ON, description=description)


recover_often = _schedule(
    "recover_often",
    recover_lost_work,
    "*/10 * * * *",
    "The outer bounds: half an hour without progress, two hours in all.",
)


@dg.schedule(
    name="settle_calls_often",
    job=settle_calls,
    cron_schedule="* * * * *",
    default_status=_ON,
    description="Looks for calls of hosted backends that no worker holds; without any, no run starts.",
)
@skipped_without_database
def settle_calls_often(
    database: dg.ResourceParam[DatabaseResource], settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """A run only where it finds something."""
    with database.open_for_a_tick() as opened, opened.transaction() as connection:
        if not any_unattended(connection, backends=Backends.of(settings).hosted):
            return dg.SkipReason("Every call of a hosted backend has a worker, or is settled.")
    return dg.RunRequest()


verify_hourly = _schedule(
    "verify_hourly", verify_everything, "7 * * * *", "Whether everything that must always be true is true."
)
watch_often = _schedule("watch_often", watch_health, "*/5 * * * *", "Opens and closes incidents, and sends alerts.")
reconcile_nightly = _schedule(
    "reconcile_nightly",
    reconcile_storage,
    "17 3 * * *",
    "Deletes unused objects from the stores, and names what is lost or damaged.",
)
clean_up_nightly = _schedule(
    "clean_up_nightly",
    clean_up_images,
    "47 2 * * *",
    "Hides unused images, and deletes those that were hidden a day ago.",
)
retire_nightly = _schedule(
    "retire_nightly", retire_work, "27 2 * * *", "Drops events, partitions and runs of work that ended a week ago."
)
recount_nightly = _schedule("recount_nightly", recount_space, "7 4 * * *", "Counts everybody's space anew.")
# Half an hour after midnight no transaction of the day before is under way any more.
report_daily = dg.build_schedule_from_partitioned_job(
    report_day, name="report_daily", hour_of_day=0, minute_of_hour=30, default_status=_ON,
    description="Yesterday's usage report.",
)  # fmt: skip
report_weekly = dg.build_schedule_from_partitioned_job(
    report_week, name="report_weekly", hour_of_day=0, minute_of_hour=40, default_status=_ON,
    description="Last week's usage report.",
)  # fmt: skip
report_monthly = dg.build_schedule_from_partitioned_job(
    report_month, name="report_monthly", hour_of_day=0, minute_of_hour=50, default_status=_ON,
    description="Last month's usage report.",
)  # fmt: skip

SCHEDULES = [
    recover_often,
    settle_calls_often,
    verify_hourly,
    reconcile_nightly,
    clean_up_nightly,
    retire_nightly,
    recount_nightly,
    watch_often,
    report_daily,
    report_weekly,
    report_monthly,
]
