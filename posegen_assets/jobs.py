"""The jobs that sensors and operators start, by the names in `sensors.targets`."""

import dagster as dg

from sensors.targets import GENERATE_JOB

generate = dg.define_asset_job(
    GENERATE_JOB,
    selection=dg.AssetSelection.groups("pose_images"),
    description="One generation: its poses with their thumbnails, then its exports.",
    # Posegen counts attempts itself; a second counter in Dagster would charge for the same error twice.
    tags={"dagster/max_retries": "0", "dagster/retry_on_asset_or_op_failure": "false"},
)
