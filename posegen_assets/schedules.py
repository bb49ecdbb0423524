"""When upkeep runs by itself. What it does lies beside this module."""

import dagster as dg

from posegen_assets.jobs import (
    clean_up_images,
    reconcile_storage,
    recount_space,
    recover_lost_work,
    report_day,
    report_month,
    report_week,
    retire_work,
    verify_everything,
    watch_health,
)

_ON = dg.DefaultScheduleStatus.RUNNING

recover_often = dg.ScheduleDefinition(
    name="recover_often",
    job=recover_lost_work,
    cron_schedule="*/10 * * * *",
    default_status=_ON,
    description="The outer bounds: half an hour without progress, two hours in all.",
)
verify_hourly = dg.ScheduleDefinition(
    name="verify_hourly",
    job=verify_everything,
    cron_schedule="7 * * * *",
    default_status=_ON,
    description="Whether everything that must always be true is true.",
)
watch_often = dg.ScheduleDefinition(
    name="watch_often",
    job=watch_health,
    cron_schedule="*/5 * * * *",
    default_status=_ON,
    description="Opens and closes incidents, and sends alerts.",
)
reconcile_nightly = dg.ScheduleDefinition(
    name="reconcile_nightly",
    job=reconcile_storage,
    cron_schedule="17 3 * * *",
    default_status=_ON,
    description="Deletes unused objects from the stores, and names what is lost or damaged.",
)
clean_up_nightly = dg.ScheduleDefinition(
    name="clean_up_nightly",
    job=clean_up_images,
    cron_schedule="47 2 * * *",
    default_status=_ON,
    description="Hides unused images, and deletes those that were hidden a day ago.",
)
retire_nightly = dg.ScheduleDefinition(
    name="retire_nightly",
    job=retire_work,
    cron_schedule="27 2 * * *",
    default_status=_ON,
    description="Drops events, partitions and runs of work that ended a week ago.",
)
recount_nightly = dg.ScheduleDefinition(
    name="recount_nightly",
    job=recount_space,
    cron_schedule="7 4 * * *",
    default_status=_ON,
    description="Counts everybody's space anew.",
)
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
