"""The names that sensors aim at: jobs, the partitions of generations and designs, and the tags of their runs."""

import dagster as dg

from posegen.work.tick import Launch
from resources.run_coordinator import SLOT_TAG, WAITING_SLOT

GENERATE_JOB = "generate"
VARIANTS_JOB = "make_variants"
RENDER_DESIGNS_JOB = "render_designs"
GENERATION_PARTITIONS = dg.DynamicPartitionsDefinition(name="generations")
"""One partition for each generation that was claimed; its key is the generation's id."""
DESIGNS = dg.DynamicPartitionsDefinition(name="designs")
"""One partition for each design that was claimed; its key is the design's id."""

DISPATCH_TAG = "posegen/dispatch"
BATCH_TAG = "posegen/batch"
USER_TAG = "posegen/user"
# Posegen's own attempts count, so Dagster is told not to retry.
_NO_RETRIES = {"dagster/max_retries": "0", "dagster/retry_on_asset_or_op_failure": "false"}


def run_of_one(launch: Launch) -> dg.RunRequest:
    """The run of one row, in the row's partition."""
    (claim,) = launch.claims
    tags = {DISPATCH_TAG: str(claim.dispatch), USER_TAG: str(claim.user_id), **_NO_RETRIES}
    if launch.waits:
        tags[SLOT_TAG] = WAITING_SLOT
    return dg.RunRequest(run_key=launch.run_key, partition_key=str(claim.id), tags=tags)


def run_of_batch(launch: Launch) -> dg.RunRequest:
    """The run of rows that were claimed together."""
    return dg.RunRequest(run_key=launch.run_key, tags={BATCH_TAG: str(launch.claims[0].batch), **_NO_RETRIES})
