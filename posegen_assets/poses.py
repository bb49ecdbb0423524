"""Generated poses and their thumbnails, made in one pass so that a customer sees pictures from the first one on.

What is made, and how it is charged, lives in `posegen.studio`; this module only says what Dagster should know about it.
"""

from collections.abc import Iterator
from uuid import UUID

import dagster as dg

from posegen.generations.asking.claims import start_work
from posegen.generations.making.manifests import poses_manifest, thumbnails_manifest
from posegen.generations.making.poses import make_poses, make_thumbnails_again
from posegen.generations.making.work import at_work
from posegen.logs import bound
from posegen.studio import Studio
from posegen_assets.metadata import contact_sheet_shown, pose_metadata, thumbnail_metadata
from posegen_assets.ownership import CODE_VERSION, OWNERS, POSE_IMAGES
from posegen_assets.refusals import generation_of, refusals_in_words, who_cancelled
from resources.studio import StudioResource
from sensors.targets import DISPATCH_TAG, GENERATION_PARTITIONS


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
    with (
        refusals_in_words(context),
        studio.open() as opened,
        bound(generation=context.partition_key, run=context.run.run_id),
    ):
        generation_id = generation_of(context.partition_key)
        if "generated_poses" in selected:
            sheet = _make(context, opened, generation_id)
            manifest = poses_manifest(opened, generation_id)
            yield dg.Output(manifest, "generated_poses", metadata=pose_metadata(opened, manifest, sheet))
        else:
            make_thumbnails_again(opened, generation_id)
        if "thumbnails" in selected:
            manifest = thumbnails_manifest(opened, generation_id)
            yield dg.Output(manifest, "thumbnails", metadata=thumbnail_metadata(manifest))


def _make(context: dg.AssetExecutionContext, studio: Studio, generation_id: UUID) -> str | None:
    """Returns the contact sheet of what is there then, as Markdown."""
    run_id, dispatch = context.run.run_id, context.run.tags.get(DISPATCH_TAG)
    lease = start_work(
        studio.database,
        generation_id,
        dispatch=None if dispatch is None else int(dispatch),
        run_id=run_id,
        lease_seconds=studio.lease_seconds,
        worker_home=None if studio.worker_home is None else studio.worker_home.hold(run_id),
    )
    if lease is None:
        return contact_sheet_shown(studio, generation_id, None)
    with at_work(
        studio.database,
        lease,
        lease_seconds=studio.lease_seconds,
        rule=studio.retry_rule,
        cancelled_by=lambda: who_cancelled(context),
    ) as keeper:
        make_poses(studio, lease, keeper)
        return contact_sheet_shown(studio, generation_id, lease)
