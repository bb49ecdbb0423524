"""Design previews: a text on a coloured ground, as preview, thumbnail and print; one partition for each design.

What a design is and how it is made lives in `posegen.designs`; this module only tells Dagster about the asset.
"""

from uuid import UUID

import dagster as dg

from posegen.designs import service
from posegen.errors import DesignUnknown, RequestRefused
from posegen.studio import Studio
from posegen_assets.ownership import CODE_VERSION, DESIGN_PREVIEWS, OWNERS
from posegen_assets.refusals import opened, row_of, run_of
from resources.manifest_io_manager import Manifest
from resources.studio import StudioResource
from sensors.targets import DESIGNS


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
    with opened(context, studio, "design") as of_step:
        design_id, run = row_of(context.partition_key, DesignUnknown), run_of(context)
        try:
            service.render(of_step, design_id, run_id=run.id, dispatch=run.dispatch)
        except RequestRefused as refused:
            raise dg.Failure(f"The design cannot be made: {refused}", allow_retries=False) from None
        manifest = _manifest(of_step, design_id)
        return dg.Output(manifest, metadata=_metadata(of_step, manifest))


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
