"""Asset checks on one generation's pictures. Only a corrupt object stops what follows; fewer poses than asked do not.

The checks are not partitioned: they read the partition from the run, and name the generation in their metadata.
"""

from collections.abc import Callable
from uuid import UUID

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from posegen.errors import GenerationUnknown
from posegen.generations.reading.inspection import (
    Inspection,
    inspect_counts,
    inspect_exports,
    inspect_poses,
    inspect_quality,
)
from posegen.studio import Studio
from posegen.upkeep.verification import inspect_calls
from posegen_assets.refusals import refusals_in_words, row_of
from resources.studio import StudioResource

_SHOWN = 20


def _check(
    name: str,
    asset: str,
    inspect: Callable[[Studio, UUID], Inspection],
    severity: dg.AssetCheckSeverity,
    *,
    description: str,
    blocking: bool = False,
) -> dg.AssetChecksDefinition:
    """A check of one generation.

    Args:
        name: of the check.
        asset: what is checked.
        inspect: finds the problems of a generation.
        severity: of a check that finds problems.
        description: what Dagster's UI says of the check.
        blocking: whether a run ends at a check that does not pass.
    """

    @dg.asset_check(name=name, asset=asset, blocking=blocking, description=description)
    def check(context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[StudioResource]) -> dg.AssetCheckResult:
        partition = context.run.tags.get(PARTITION_NAME_TAG)
        if partition is None:
            raise dg.Failure(
                "A check looks at one generation. Start it as part of a run of that generation's partition.",
                allow_retries=False,
            )
        with refusals_in_words(context), studio.open() as opened:
            inspection = inspect(opened, row_of(partition, GenerationUnknown))
        return dg.AssetCheckResult(
            passed=not inspection.problems,
            severity=severity,
            metadata={
                "generation": partition,
                "looked at": inspection.looked_at,
                "problems": dg.MetadataValue.md(_listed(inspection.problems)),
            },
        )

    return check


def _listed(problems: list[str]) -> str:
    lines = [f"- {problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"- and {len(problems) - _SHOWN} more")
    return "\n".join(lines) or "none"


_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
CHECKS = [
    _check(
        "poses_are_whole", "generated_poses", inspect_poses, _ERROR, blocking=True,
        description="Every pose and thumbnail is stored, whole and in its size.",
    ),
    _check(
        "quality", "generated_poses", inspect_quality, _WARN,
        description="Every pose is sharp, bright and different enough, with its figure in place.",
    ),
    _check(
        "poses_are_paid_once", "generated_poses", inspect_calls, _ERROR,
        description="Every pose of a hosted backend has one used call, whose file is its original.",
    ),
    _check(
        "exports_are_whole", "exports", inspect_exports, _ERROR,
        description="Every export is stored, whole and in its platform's size.",
    ),
    _check(
        "nothing_is_missing", "exports", inspect_counts, _WARN,
        description="Every pose that was asked for is there, in every format.",
    ),
]  # fmt: skip
