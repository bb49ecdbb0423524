"""Whether the installation is well: one look every few minutes, as checks, and as incidents for those who are told.

What is wrong is judged in `posegen.upkeep.health`; `sensors.alerts` tells of incidents.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from posegen.error_codes import NOT_OURS
from posegen.incidents import Incident, open_incidents
from posegen.settings import Settings
from posegen.storage.space import space_of
from posegen.upkeep.health import SEVERITIES, HealthFinding, HealthRule, Severity, Thresholds, judge
from posegen.upkeep.health_rows import look
from posegen.upkeep.incidents import follow
from posegen.upkeep.metrics import move_mark
from posegen_assets.ownership import CODE_VERSION, OWNERS, UPKEEP
from resources.database import DatabaseResource

_SAYS = {
    HealthRule.ERROR_RATE: "No more generations fail than in the week before.",
    HealthRule.QUEUE_AGE: "Nothing waits for too long.",
    HealthRule.BREAKER_OPEN: "Every backend responds.",
    HealthRule.DISK_SPACE: "The disk of the local store has space.",
    HealthRule.ACCOUNT_SPACE: "No account has nearly used up its space.",
    HealthRule.MOVING_PAYS: "The local store is not so large that another store pays.",
    HealthRule.FINDINGS: "The last verify and reconcile left nothing.",
    HealthRule.STEP_FAILING: "Every step of the sensors' ticks works.",
}


@dg.asset(
    group_name=UPKEEP,
    kinds={"postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    check_specs=[dg.AssetCheckSpec(kind.value, asset="health", description=_SAYS[kind]) for kind in HealthRule],
    description="Errors, queue, backends and space beside their thresholds, and the incidents that follow from them.",
)
def health(database: dg.ResourceParam[DatabaseResource], settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One look; the second one right after it says the same."""
    thresholds = Thresholds.of(settings)
    with database.open() as opened:
        with opened.transaction() as connection:
            move_mark(connection)
        with opened.transaction() as connection:
            seen = look(
                connection,
                not_ours=NOT_OURS,
                account_share=thresholds.account_share,
                move_poses=thresholds.move_poses,
            )
            findings = judge(seen, space_of(settings.storage_path), thresholds)
            began, ended = follow(connection, findings)
            open_now = open_incidents(connection)
    return dg.MaterializeResult(
        metadata={
            "findings": len(findings),
            "incidents begun": began,
            "incidents over": ended,
            "open incidents": dg.MetadataValue.md(_shown(open_now)),
            "at": dg.MetadataValue.timestamp(datetime.now(UTC)),
        },
        check_results=[_checked(kind, findings) for kind in HealthRule],
    )


def _checked(kind: HealthRule, findings: Sequence[HealthFinding]) -> dg.AssetCheckResult:
    found = [finding.summary for finding in findings if finding.kind is kind]
    critical = SEVERITIES[kind] is Severity.CRITICAL
    return dg.AssetCheckResult(
        check_name=kind.value,
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR if critical else dg.AssetCheckSeverity.WARN,
        metadata={"found": "\n".join(found) or "nothing"},
    )


def _shown(incidents: Sequence[Incident]) -> str:
    rows = [
        f"| {each.opened_at:%Y-%m-%d %H:%M} | {each.severity} | {each.kind} | {each.summary} |" for each in incidents
    ]
    return "\n".join(["| since (UTC) | severity | what | says |", "|---|---|---|---|", *rows]) if rows else "none"
