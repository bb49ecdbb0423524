"""Upkeep of what is under way: the recovery pass as an asset, and the check that everything is as it must be.

The request sensor makes the same pass in each of its ticks. Here it is the net below, and what operators can look at.
"""

from datetime import UTC, datetime

import dagster as dg

from posegen.database.metrics import note_findings
from posegen.lifecycle.invariants import Bounds
from posegen.lifecycle.recovery import Decision, recover
from posegen.lifecycle.rules import TimeLimits
from posegen.settings import load_settings
from posegen.upkeep.verification import Finding, verify
from posegen.work.rules import RetryRule
from posegen.work.steps import Steps
from posegen.work.worker_home import WorkerHome
from posegen_assets.ownership import CODE_VERSION, OWNERS, UPKEEP
from resources.database import DatabaseResource
from resources.studio import StudioResource
from sensors.requests import end_lost_runs


@dg.asset(
    group_name=UPKEEP,
    kinds={"postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="What lost its worker, gets nowhere or takes too long, put back or ended, with the reasons.",
)
def recovery(context: dg.AssetExecutionContext, database: DatabaseResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One pass; a second one right after it finds nothing."""
    settings = load_settings()
    worker_home = WorkerHome(settings.workers_path)
    with database.open() as opened:
        steps = Steps(opened, "recovery")
        rule, limits = RetryRule.of(settings), TimeLimits.of(settings)
        decisions = steps.run("recovery", lambda: recover(opened, rule, limits, worker_home=worker_home)) or []
        steps.run("lost_runs", lambda: end_lost_runs(context.instance, opened))
    return dg.MaterializeResult(
        metadata={
            "decisions": len(decisions),
            "what was decided": dg.MetadataValue.md(_decided(decisions)),
            "lock files removed": worker_home.tidy_up(),
            "at": dg.MetadataValue.timestamp(datetime.now(UTC)),
        }
    )


@dg.asset_check(asset=recovery, description="Every invariant holds: states, leases, events, credits, space, objects.")
def invariants_hold(studio: StudioResource) -> dg.AssetCheckResult:
    """What `posegen verify` looks at."""
    bounds = Bounds.of(load_settings())
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


def _decided(decisions: list[Decision]) -> str:
    rows = [f"| {each.generation_id} | {each.status} | {each.reason} | {each.run_id or ''} |" for each in decisions]
    return "\n".join(["| generation | is now | because | run |", "|---|---|---|---|", *rows]) if rows else "nothing"


def _found(findings: list[Finding]) -> str:
    rows = [
        f"| {each.name} | {each.says} | {each.checked:,} | {each.violations:,} | {'; '.join(each.examples)} |"
        for each in findings
    ]
    head = ["| rule | what must be true | checked | violations | examples |", "|---|---|---:|---:|---|"]
    return "\n".join([*head, *rows])
