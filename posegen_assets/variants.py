"""Variants of stored pictures, as image requests ask for them: one run makes one batch.

How they are made, and what happens to those that cannot be, lives in `posegen.studio`.
"""

from uuid import UUID

import dagster as dg

from posegen.images.decoding.pool import DecoderPool
from posegen.logs import bound
from posegen.studio import Studio
from posegen.variants.making import VariantsMade, make_variants
from posegen.variants.work import claim_batch
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
    with studio.open() as opened, bound(run=context.run.run_id):
        made = _make(opened, context.run.run_id, context.run.tags.get(BATCH_TAG))
    return dg.MaterializeResult(
        metadata={
            "completed": dg.MetadataValue.int(made.completed),
            "failed": dg.MetadataValue.int(made.failed),
            "to be tried again": dg.MetadataValue.int(made.waiting),
            "taken over by others": dg.MetadataValue.int(made.lost),
        }
    )


def _make(studio: Studio, run_id: str, tag: str | None) -> VariantsMade:
    batch = UUID(tag) if tag is not None else next((claim.batch for claim in claim_batch(studio.database)), None)
    if batch is None:
        return VariantsMade()
    with DecoderPool.of_our_own() as decoders:
        return make_variants(studio, batch, decoders.decode, run_id=run_id)
