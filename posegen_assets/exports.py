"""Platform exports: one file per pose and platform, derived from the stored poses; the generation ends here.

What is derived and in which order is in `posegen.generations.making`; this module only tells Dagster about it.
"""

import time

import dagster as dg
from pydantic import Field

from posegen.errors import GenerationUnknown
from posegen.generations.making.manifests import exports_manifest
from posegen.generations.making.work import derive
from posegen_assets.metadata import export_metadata
from posegen_assets.ownership import CODE_VERSION, OWNERS, POSE_IMAGES
from posegen_assets.refusals import opened, row_of, run_of
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
    with opened(context, studio, "generation") as of_step:
        generation_id = row_of(context.partition_key, GenerationUnknown)
        if generated_poses["generation"] != str(generation_id):
            raise dg.Failure(
                f"The manifest of {generation_id} is of {generated_poses['generation']}: materialise generated_poses.",
                allow_retries=False,
            )
        began = time.perf_counter()
        derived = derive(
            of_step,
            generation_id,
            run_of(context),
            formats=config.formats or None,
            numbers=config.poses or None,
            again=config.again,
        )
        seconds = time.perf_counter() - began
        manifest = exports_manifest(of_step, generation_id)
        traffic = of_step.store.traffic()
    metadata = export_metadata(
        manifest, derived=derived.number, seconds=seconds, status=str(derived.status or "ended before"), traffic=traffic
    )
    return dg.Output(manifest, metadata=metadata)
