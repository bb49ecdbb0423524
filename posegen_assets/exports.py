"""Platform exports: one file per pose and platform, derived from the stored poses; the generation ends here.

The geometry lives in `posegen.images`, the order of events in `posegen.studio`.
"""

import time
from uuid import UUID

import dagster as dg
from pydantic import Field

from posegen.generations.asking.claims import resume_work
from posegen.generations.asking.regeneration import regenerate
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.manifests import exports_manifest
from posegen.generations.making.outcomes import finish_generation
from posegen.generations.making.work import at_work
from posegen.logs import bound
from posegen.studio import Studio
from posegen_assets.metadata import export_metadata
from posegen_assets.ownership import CODE_VERSION, OWNERS, POSE_IMAGES
from posegen_assets.refusals import generation_of, refusals_in_words, who_cancelled
from resources.manifest_io_manager import Manifest
from resources.studio import StudioResource
from sensors.targets import GENERATION_PARTITIONS


class ExportConfig(dg.Config):
    """What a run of `exports` may be told; without anything it derives what the request asked for and is missing."""

    formats: list[str] = Field(
        default_factory=list, description="Formats to derive of an ended generation; those of the request when empty."
    )
    poses: list[int] = Field(
        default_factory=list, description="Numbers of poses of an ended generation, from 1; all of them when empty."
    )
    again: bool = Field(default=False, description="Derive also what is there already.")


@dg.asset(
    partitions_def=GENERATION_PARTITIONS,
    io_manager_key="manifests",
    group_name=POSE_IMAGES,
    kinds={"opencv", "jpeg"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="Every wanted platform's version of every completed pose; deriving them again costs nothing.",
)
def exports(
    context: dg.AssetExecutionContext,
    config: ExportConfig,
    generated_poses: Manifest,
    studio: dg.ResourceParam[StudioResource],
) -> dg.Output[Manifest]:
    """Derive what is missing and end the generation; on an ended one, derive what was asked for."""
    with (
        refusals_in_words(context),
        studio.open() as opened,
        bound(generation=context.partition_key, run=context.run.run_id),
    ):
        generation_id = generation_of(context.partition_key)
        if generated_poses["generation"] != str(generation_id):
            raise dg.Failure(
                f"The manifest of {generation_id} is of {generated_poses['generation']}: materialise generated_poses.",
                allow_retries=False,
            )
        began = time.perf_counter()
        derived, status = _derive(context, opened, generation_id, config)
        seconds = time.perf_counter() - began
        manifest = exports_manifest(opened, generation_id)
        traffic = opened.store.traffic()
    metadata = export_metadata(manifest, derived=derived, seconds=seconds, status=status, traffic=traffic)
    return dg.Output(manifest, metadata=metadata)


def _derive(
    context: dg.AssetExecutionContext, studio: Studio, generation_id: UUID, config: ExportConfig
) -> tuple[int, str]:
    lease = resume_work(studio.database, generation_id, run_id=context.run.run_id)
    if lease is None:
        made_again = regenerate(
            studio,
            generation_id,
            formats=config.formats or None,
            numbers=config.poses or None,
            again=config.again,
        )
        return made_again.derived, "ended before"
    with at_work(
        studio.database,
        lease,
        lease_seconds=studio.lease_seconds,
        rule=studio.retry_rule,
        cancelled_by=lambda: who_cancelled(context),
    ) as keeper:
        derived = derive_exports(studio, generation_id, lease, keeper, again=config.again)
        return derived, str(finish_generation(studio.database, lease))
