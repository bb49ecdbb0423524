"""Generated poses and their thumbnails, made in one pass so that a customer sees pictures from the first one on.

What is made, and how it is charged, is in `posegen.generations.making`; this module only tells Dagster about it.
"""

from collections.abc import Iterator

import dagster as dg

from posegen.errors import GenerationUnknown
from posegen.generations.making.manifests import poses_manifest, thumbnails_manifest
from posegen.generations.making.poses import make_thumbnails_again
from posegen.generations.making.work import make
from posegen_assets.metadata import pose_metadata, thumbnail_metadata
from posegen_assets.ownership import CODE_VERSION, OWNERS, POSE_IMAGES
from posegen_assets.refusals import opened, row_of, run_of
from resources.studio import StudioResource
from sensors.targets import GENERATION_PARTITIONS


def _out(description: str, kinds: set[str]) -> dg.AssetOut:
    return dg.AssetOut(
        dagster_type=dict,
        io_manager_key="manifests",
        is_required=False,
        group_name=POSE_IMAGES,
        description=description,
        kinds=kinds,
        owners=OWNERS,
        code_version=CODE_VERSION,
    )


@dg.multi_asset(
    name="pose_images",
    partitions_def=GENERATION_PARTITIONS,
    can_subset=True,
    outs={
        "generated_poses": _out(
            "The poses of one generation, 1024x1024, each paid for as it is stored.", {"python", "postgres"}
        ),
        "thumbnails": _out("A 400x400 WebP of every pose, stored together with it.", {"pillow"}),
    },
    deps=["pose_library"],
    internal_asset_deps={
        "generated_poses": {dg.AssetKey("pose_library")},
        "thumbnails": {dg.AssetKey("generated_poses")},
    },
)
def pose_images(
    context: dg.AssetExecutionContext, studio: dg.ResourceParam[StudioResource]
) -> Iterator[dg.Output[dict[str, object]]]:
    """Render what is still open, skip what is complete; selecting `thumbnails` alone makes them anew at no charge."""
    selected = context.op_execution_context.selected_output_names
    with opened(context, studio, "generation") as of_step:
        generation_id = row_of(context.partition_key, GenerationUnknown)
        if "generated_poses" in selected:
            sheet = make(of_step, generation_id, run_of(context))
            manifest = poses_manifest(of_step, generation_id)
            yield dg.Output(manifest, "generated_poses", metadata=pose_metadata(of_step, manifest, sheet))
        else:
            make_thumbnails_again(of_step, generation_id)
        if "thumbnails" in selected:
            manifest = thumbnails_manifest(of_step, generation_id)
            yield dg.Output(manifest, "thumbnails", metadata=thumbnail_metadata(manifest))
