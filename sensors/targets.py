"""The names that sensors aim at: jobs, the partitions of generations, and the tags of their runs."""

import dagster as dg

from posegen.database.generations import Claim

GENERATE_JOB = "generate"
VARIANTS_JOB = "make_variants"
RENDER_DESIGNS_JOB = "render_designs"
GENERATIONS = dg.DynamicPartitionsDefinition(name="generations")
"""One partition for each generation that was claimed; its key is the generation's id."""
DESIGNS = dg.DynamicPartitionsDefinition(name="designs")
"""One partition for each design that was claimed; its key is the design's id."""

DISPATCH_TAG = "posegen/dispatch"
CLAIM_TAG = "posegen/variants_claim"
DESIGN_CLAIM_TAG = "posegen/design_claim"
USER_TAG = "posegen/user"
OPERATOR = "operator, in the Dagster UI"
"""Who is said to have cancelled a generation whose run was cancelled."""


def run_key(claim: Claim) -> str:
    """Different for every claim of a generation, so that no second claim is taken for a repetition."""
    return f"{claim.generation_id}:{claim.dispatch}"


def run_request(claim: Claim) -> dg.RunRequest:
    """One run for one claim. Posegen's own attempts count, so Dagster is told not to retry."""
    return dg.RunRequest(
        run_key=run_key(claim),
        partition_key=str(claim.generation_id),
        tags={
            DISPATCH_TAG: str(claim.dispatch),
            USER_TAG: str(claim.user_id),
            "dagster/max_retries": "0",
            "dagster/retry_on_asset_or_op_failure": "false",
        },
    )
