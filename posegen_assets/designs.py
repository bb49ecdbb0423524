"""Design previews: a text on a coloured ground, as preview, thumbnail and print; one partition for each design.

What a design is and how it is made lives in `posegen.designs`; this module only tells Dagster about the asset.
"""

from uuid import UUID

import dagster as dg

from posegen.designs import service
from posegen.errors import DesignUnknown, RequestRefused
from posegen.logs import bound
from posegen.studio import Studio
from posegen_assets.ownership import CODE_VERSION, DESIGN_PREVIEWS, OWNERS
from posegen_assets.refusals import refusals_in_words
from resources.manifest_io_manager import Manifest
from resources.studio import StudioResource
from sensors.targets import DESIGNS, DISPATCH_TAG


@dg.asset(
    name=service.ASSET,
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
        _render(opened, design_id, context.run.run_id, context.run.tags.get(DISPATCH_TAG))
        manifest = _manifest(opened, design_id)
        return dg.Output(manifest, metadata=_metadata(opened, manifest))


def _render(studio: Studio, design_id: UUID, run_id: str, dispatch: str | None) -> None:
    try:
        service.render(studio, design_id, run_id=run_id, dispatch=None if dispatch is None else int(dispatch))
    except RequestRefused as refused:
        raise dg.Failure(f"The design cannot be made: {refused}", allow_retries=False) from None


def _manifest(studio: Studio, design_id: UUID) -> Manifest:
    """The design with keys and hashes of its objects; sizes in bytes and points."""
    result = service.result(studio.database, design_id)
    return {
        "design": str(design_id),
        "status": result.status,
        "error_code": result.error_code,
        "error_detail": result.error_detail,
        "warnings": result.warnings,
        "product_type": result.product_type,
        "font": result.font,
        "size_used": result.size_used,
        "objects": [vars(each) for each in service.objects_of(studio.database, design_id)],
    }


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
