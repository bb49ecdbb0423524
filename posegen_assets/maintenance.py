"""Upkeep of what is under way: the recovery pass as an asset, and the check that everything is as it must be.

The sensors make the same pass in each of their ticks. Here it is the net below, and what operators can look at.
"""

from datetime import UTC, datetime

import dagster as dg

from posegen.generations.calling.settling import Settled, settle_calls
from posegen.settings import Settings
from posegen.upkeep.invariants import Bounds
from posegen.upkeep.metrics import note_findings
from posegen.upkeep.recovery import RecoveredWork, recover_all
from posegen.upkeep.verification import RuleResult, verify
from posegen.work.steps import Steps
from posegen.work.tick import end_lost_runs
from posegen.work.worker_home import WorkerHome
from posegen_assets.ownership import CODE_VERSION, OWNERS, UPKEEP
from resources.database import DatabaseResource
from resources.studio import StudioResource
from sensors.runs import DagsterRuns


@dg.asset(
    group_name=UPKEEP,
    kinds={"postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="What lost its worker, gets nowhere or takes too long, put back or ended, with the reasons.",
)
def recovery(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[DatabaseResource],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One pass; a second one right after it finds nothing."""
    with database.open() as opened:
        steps = Steps(opened, "recovery")
        recovered = recover_all(opened, settings, steps)
        end_lost_runs(opened, steps, DagsterRuns(context.instance))
    return dg.MaterializeResult(
        metadata={
            "decisions": len(recovered),
            "what was decided": dg.MetadataValue.md(_decided(recovered)),
            "lock files removed": WorkerHome(settings.workers_path).tidy_up(),
            "at": dg.MetadataValue.timestamp(datetime.now(UTC)),
        }
    )


@dg.asset(
    group_name=UPKEEP,
    kinds={"postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="Calls of hosted backends that no worker holds: files collected, cancelled calls cancelled there.",
)
def settled_calls(
    studio: dg.ResourceParam[StudioResource],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One look at each of them."""
    with studio.open() as opened:
        settled = Steps(opened.database, "settle_calls").run("calls", lambda: settle_calls(opened)) or Settled()
    return dg.MaterializeResult(metadata={name: dg.MetadataValue.int(value) for name, value in vars(settled).items()})


@dg.asset_check(asset=recovery, description="Every invariant holds: states, leases, events, credits, space, objects.")
def invariants_hold(
    studio: dg.ResourceParam[StudioResource], settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """What `posegen verify` looks at."""
    bounds = Bounds.of(settings)
    with studio.open() as opened:
        findings = verify(opened.database, opened.stores_in_use(), bounds=bounds)
        with opened.database.transaction() as connection:
            note_findings(connection, "verify", sum(finding.violations for finding in findings))
    return dg.AssetCheckResult(
        passed=not any(finding.violations for finding in findings),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "violations": sum(finding.violations for finding in findings),
            "rules": dg.MetadataValue.md(_found(findings)),
        },
    )


def _decided(recovered: list[RecoveredWork]) -> str:
    rows = [
        f"| {each.noun} {each.row.id} | {each.outcome} | {each.row.reason} | {each.row.run_id or ''} |"
        for each in recovered
    ]
    return "\n".join(["| what | outcome | reason | run |", "|---|---|---|---|", *rows]) if rows else "nothing"


def _found(findings: list[RuleResult]) -> str:
    rows = [
        f"| {each.name} | {each.says} | {each.checked:,} | {each.violations:,} | {'; '.join(each.examples)} |"
        for each in findings
    ]
    head = ["| rule | what must be true | checked | violations | examples |", "|---|---|---:|---:|---|"]
    return "\n".join([*head, *rows])
