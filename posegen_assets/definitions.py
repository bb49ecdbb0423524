"""The code location: lists everything, builds nothing. No connection is made and no secret is read here."""

import dagster as dg

from posegen.logs import configure_logging
from posegen.settings import load_settings
from posegen_assets.checks import CHECKS
from posegen_assets.designs import design_previews
from posegen_assets.exports import exports
from posegen_assets.health import health
from posegen_assets.jobs import JOBS
from posegen_assets.maintenance import invariants_hold, recovery, settled_calls
from posegen_assets.pose_library import pose_library
from posegen_assets.poses import pose_images
from posegen_assets.retention import cleaned_images, recounted_space, retired_work
from posegen_assets.schedules import SCHEDULES
from posegen_assets.storage_upkeep import move_storage, reconciled_storage
from posegen_assets.usage import reports_are_current, usage_daily, usage_monthly, usage_weekly
from posegen_assets.variants import image_variants
from resources.environment import deployment_resources
from sensors.alerts import alerts
from sensors.outcomes import cancelled_runs, failed_runs
from sensors.requests import design_requests, generation_requests, image_requests

_settings = load_settings()
configure_logging(_settings)

defs = dg.Definitions(
    assets=[
        pose_library,
        pose_images,
        exports,
        image_variants,
        design_previews,
        recovery,
        settled_calls,
        health,
        reconciled_storage,
        cleaned_images,
        retired_work,
        recounted_space,
        usage_daily,
        usage_weekly,
        usage_monthly,
    ],
    asset_checks=[*CHECKS, invariants_hold, reports_are_current],
    jobs=[*JOBS, move_storage],
    schedules=SCHEDULES,
    sensors=[generation_requests, failed_runs, cancelled_runs, image_requests, design_requests, alerts],
    resources=deployment_resources(_settings),
    # A process for each step would cost nine times the time of a small run; poses run in threads inside the step.
    executor=dg.in_process_executor,
)
