"""Asset checks on one generation's pictures. Only a corrupt object stops what follows; fewer poses than asked do not.

The checks are not partitioned: they read the partition from the run, and name the generation in their metadata.
"""

from collections.abc import Callable
from uuid import UUID

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from posegen.generations.reading.inspection import (
    Inspection,
    inspect_counts,
    inspect_exports,
    inspect_poses,
    inspect_quality,
)
from posegen.studio import Studio
from posegen_assets.refusals import generation_of, refusals_in_words
from resources.studio import StudioResource

_SHOWN = 20


@dg.asset_check(
    asset="generated_poses", blocking=True, description="Every pose and thumbnail is stored, whole and in its size."
)
def poses_are_whole(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[StudioResource]
) -> dg.AssetCheckResult:
    """Reads every object of the generation back and compares its hash and size."""
    return _result(context, studio, inspect_poses, dg.AssetCheckSeverity.ERROR)


@dg.asset_check(
    asset="generated_poses", description="Every pose is sharp, bright and different enough, with its figure in place."
)
def quality(context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[StudioResource]) -> dg.AssetCheckResult:
    """Judges what was measured on each picture again; no picture is read."""
    return _result(context, studio, inspect_quality, dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset="exports", description="Every export is stored, whole and in its platform's size.")
def exports_are_whole(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[StudioResource]
) -> dg.AssetCheckResult:
    """Reads every export of the generation back and compares its hash and size."""
    return _result(context, studio, inspect_exports, dg.AssetCheckSeverity.ERROR)


@dg.asset_check(asset="exports", description="Every pose that was asked for is there, in every format.")
def nothing_is_missing(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[StudioResource]
) -> dg.AssetCheckResult:
    """Compares what the request asked for with what is there."""
    return _result(context, studio, inspect_counts, dg.AssetCheckSeverity.WARN)


def _result(
    context: dg.AssetCheckExecutionContext,
    studio: dg.ResourceParam[StudioResource],
    inspect: Callable[[Studio, UUID], Inspection],
    severity: dg.AssetCheckSeverity,
) -> dg.AssetCheckResult:
    partition = context.run.tags.get(PARTITION_NAME_TAG)
    if partition is None:
        raise dg.Failure(
            "A check looks at one generation. Start it as part of a run of that generation's partition.",
            allow_retries=False,
        )
    with refusals_in_words(context), studio.open() as opened:
        inspection = inspect(opened, generation_of(partition))
    return dg.AssetCheckResult(
        passed=not inspection.problems,
        severity=severity,
        metadata={
            "generation": partition,
            "looked at": inspection.looked_at,
            "problems": dg.MetadataValue.md(_listed(inspection.problems)),
        },
    )


def _listed(problems: list[str]) -> str:
    lines = [f"- {problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"- and {len(problems) - _SHOWN} more")
    return "\n".join(lines) or "none"


CHECKS = [poses_are_whole, quality, exports_are_whole, nothing_is_missing]
