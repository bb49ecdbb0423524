"""Variants of stored pictures, as image requests ask for them: one run makes one batch.

How they are made lives in `posegen.variants`; this module only tells Dagster about the asset.
"""

from uuid import UUID

import dagster as dg
from structlog.contextvars import bound_contextvars

from posegen.variants import service
from posegen_assets.ownership import CODE_VERSION, OWNERS, VARIANTS
from resources.studio import StudioResource
from sensors.targets import BATCH_TAG


@dg.asset(
    group_name=VARIANTS,
    kinds={"jpeg", "postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="Any stored picture as a JPEG and as a WebP of high quality, for those who asked by image_requests.",
)
def image_variants(
    context: dg.AssetExecutionContext, studio: dg.ResourceParam[StudioResource]
) -> dg.MaterializeResult[None]:
    """Make the batch that this run was started for; one that was started by hand claims what waits."""
    with studio.open() as opened, bound_contextvars(run=context.run.run_id):
        batch = context.run.tags.get(BATCH_TAG)
        made = service.make_batch(opened, None if batch is None else UUID(batch), run_id=context.run.run_id)
    return dg.MaterializeResult(
        metadata={
            "completed": dg.MetadataValue.int(made.completed),
            "failed": dg.MetadataValue.int(made.failed),
            "to be tried again": dg.MetadataValue.int(made.waiting),
            "taken over by others": dg.MetadataValue.int(made.lost),
        }
    )
