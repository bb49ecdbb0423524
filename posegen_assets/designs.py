"""Design previews: a text on a coloured ground, as preview, thumbnail and print; one partition for each design.

How they are drawn and what may happen to them when lives in `posegen`; this module only says what Dagster should know.
"""

from uuid import UUID

import dagster as dg

from posegen.designs.making import ASSET, design_manifest, make_design
from posegen.designs.work import start_design
from posegen.errors import DesignUnknown, RequestRefused
from posegen.logs import bound
from posegen.studio import Studio
from posegen_assets.ownership import CODE_VERSION, DESIGN_PREVIEWS, OWNERS
from posegen_assets.refusals import refusals_in_words
from resources.manifest_io_manager import Manifest
from resources.studio import StudioResource
from sensors.targets import DESIGNS, DISPATCH_TAG


@dg.asset(
    name=ASSET,
    partitions_def=DESIGNS,
    io_manager_key="manifests",
    group_name=DESIGN_PREVIEWS,
    kinds={"python", "pillow"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="A design of design_requests: a 600x600 preview, a 200x200 thumbnail, a PDF where one was asked for.",
)
def design_previews(context: dg.AssetExecutionContext, studio: dg.ResourceParam[StudioResource]) -> dg.Output[Manifest]:
    """Render the design, unless it has ended; a published one never changes."""
    with (
        refusals_in_words(context),
        studio.open() as opened,
        bound(design=context.partition_key, run=context.run.run_id),
    ):
        design_id = _design_of(context.partition_key)
        _make(opened, design_id, context.run.run_id, context.run.tags.get(DISPATCH_TAG))
        manifest = design_manifest(opened, design_id)
        return dg.Output(manifest, metadata=_metadata(opened, manifest))


def _make(studio: Studio, design_id: UUID, run_id: str, dispatch: str | None) -> None:
    lease = start_design(
        studio.database,
        design_id,
        dispatch=None if dispatch is None else int(dispatch),
        run_id=run_id,
        lease_seconds=studio.lease_seconds,
        worker_home=None if studio.worker_home is None else studio.worker_home.hold(run_id),
    )
    if lease is None:
        return
    try:
        make_design(studio, lease)
    except RequestRefused as refused:
        raise dg.Failure(f"The design cannot be made: {refused}", allow_retries=False) from None


def _metadata(studio: Studio, manifest: Manifest) -> dict[str, dg.MetadataValue]:
    objects = {each["kind"]: each for each in manifest["objects"]}
    metadata: dict[str, dg.MetadataValue] = {
        "status": dg.MetadataValue.text(manifest["status"]),
        "product": dg.MetadataValue.text(manifest["product_type"]),
        "font": dg.MetadataValue.text(manifest["font"]),
        "bytes": dg.MetadataValue.int(sum(each["size"] for each in objects.values())),
        "warnings": dg.MetadataValue.md("\n".join(f"- {warning}" for warning in manifest["warnings"]) or "none"),
    }
    if "preview" not in objects:
        return metadata
    url = studio.url_to_look_at(objects["preview"]["key"])
    return {"preview": dg.MetadataValue.md(f"![design]({url})"), **metadata}


def _design_of(partition: str) -> UUID:
    """The design that a partition stands for. Raises `DesignUnknown` when its key can be no design's."""
    try:
        design_id = UUID(partition)
    except ValueError:
        raise DesignUnknown(partition) from None
    if str(design_id) != partition:
        raise DesignUnknown(partition)
    return design_id
