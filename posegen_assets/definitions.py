"""The code location: lists everything, builds nothing. No connection is made and no secret is read here."""

import dagster as dg

from posegen.logs import configure_logging
from posegen.settings import load_settings
from posegen_assets.checks import CHECKS
from posegen_assets.exports import exports
from posegen_assets.jobs import generate
from posegen_assets.pose_library import pose_library
from posegen_assets.poses import pose_images
from resources.environment import deployment_resources
from sensors.outcomes import cancelled_runs, failed_runs
from sensors.requests import generation_requests

_settings = load_settings()
configure_logging(_settings)

defs = dg.Definitions(
    assets=[pose_library, pose_images, exports],
    asset_checks=CHECKS,
    jobs=[generate],
    sensors=[generation_requests, failed_runs, cancelled_runs],
    resources=deployment_resources(_settings),
    # A process for each step would cost nine times the time of a small run; poses run in threads inside the step.
    executor=dg.in_process_executor,
)
