"""The pose library as an asset: its rows, with a control map of each kind and a preview of every pose.

How they are made lives in `posegen.library`; this module only tells Dagster about the asset.
"""

import dagster as dg

from posegen.library import service
from posegen_assets.ownership import CODE_VERSION, OWNERS, POSE_LIBRARY
from resources.manifest_io_manager import Manifest
from resources.studio import StudioResource


@dg.asset(
    io_manager_key="manifests",
    group_name=POSE_LIBRARY,
    kinds={"python", "postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="The 64 poses and those that operators added, with an OpenPose map, a depth map and a preview of each.",
)
def pose_library(context: dg.AssetExecutionContext, studio: dg.ResourceParam[StudioResource]) -> dg.Output[Manifest]:
    """Seed the library and draw the pictures that are missing; a second time there is nothing to do."""
    with studio.open() as opened:
        library = service.prepare(opened)
    made = sum(each.made for maps in library.maps.values() for each in maps.values())
    context.log.info("%d poses, %d control maps drawn", library.poses, made)
    manifest = {slug: {kind: each.key for kind, each in maps.items()} for slug, maps in library.maps.items()}
    return dg.Output(
        manifest,
        metadata={
            "control maps": dg.MetadataValue.md(f"![control maps]({library.sheet_url})"),
            "poses": library.poses,
            "control maps drawn now": made,
            "previews drawn now": library.previews_drawn,
            "uploads skipped": library.uploads_skipped,
            "cannot be drawn": dg.MetadataValue.md(
                "\n".join(f"- {slug}: {reason}" for slug, reason in library.unusable.items()) or "none"
            ),
        },
    )
