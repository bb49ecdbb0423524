"""The pose library as an asset: its rows, and the control maps that pose-guided models are shown."""

import dagster as dg
import structlog

from posegen.database.failures import may_pass
from posegen.errors import InvalidPose, PosegenError
from posegen.library import rows as library
from posegen.library.control_maps import ControlMap, Kind, control_maps, store_library_sheet
from posegen.library.rows import StoredPose
from posegen.studio import Studio
from posegen_assets.ownership import CODE_VERSION, OWNERS, POSE_LIBRARY
from resources.manifest_io_manager import Manifest
from resources.studio import StudioResource

log = structlog.get_logger(__name__)


@dg.asset(
    io_manager_key="manifests",
    group_name=POSE_LIBRARY,
    kinds={"python", "postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="The 64 poses and those that operators added, with an OpenPose and a depth map of each.",
)
def pose_library(context: dg.AssetExecutionContext, studio: StudioResource) -> dg.Output[Manifest]:
    """Seed the library and draw the control maps that are missing; a second time there is nothing to do."""
    with studio.open() as opened:
        with opened.database.transaction() as connection:
            library.seed_reference_data(connection)
            poses = [pose for pose in library.stored_poses(connection) if pose.enabled]
        drawn, unusable = _draw_all(opened, poses)
        skipped = opened.store.traffic().skipped.operations
        shown = store_library_sheet(opened, {slug: maps["openpose"] for slug, maps in drawn.items()})
    made = sum(each.made for maps in drawn.values() for each in maps.values())
    context.log.info("%d poses, %d control maps drawn", len(poses), made)
    manifest = {slug: {kind: each.key for kind, each in maps.items()} for slug, maps in drawn.items()}
    return dg.Output(
        manifest,
        metadata={
            "control maps": dg.MetadataValue.md(f"![control maps]({shown})"),
            "poses": len(poses),
            "control maps drawn now": made,
            "uploads skipped": skipped,
            "cannot be drawn": dg.MetadataValue.md(
                "\n".join(f"- {slug}: {reason}" for slug, reason in unusable.items()) or "none"
            ),
        },
    )


def _draw_all(studio: Studio, poses: list[StoredPose]) -> tuple[dict[str, dict[Kind, ControlMap]], dict[str, str]]:
    """The maps of each pose by its slug, and why an operator's pose has none."""
    drawn, unusable = {}, {}
    for pose in poses:
        try:
            drawn[pose.slug] = control_maps(studio, pose)
        except InvalidPose as invalid:
            unusable[pose.slug] = str(invalid)
        except Exception as defect:  # one pose must not take the whole library with it
            if isinstance(defect, PosegenError) or may_pass(defect):  # the store's or the database's, not the pose's
                raise
            log.exception("library pose not drawn", pose=pose.slug)
            unusable[pose.slug] = f"{type(defect).__name__}: {defect}"
    return drawn, unusable
