"""Whether this installation is well: what was seen goes in, findings come out. Nothing is read or changed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from posegen.graphemes import cut, shorten
from posegen.settings import Settings
from posegen.storage.space import Space
from posegen.upkeep.health_rows import Seen
from posegen.work import failing_steps as steps

GB = 10**9


class HealthRule(StrEnum):
    """What can be wrong: the names of the checks, and of incidents."""

    ERROR_RATE = "error_rate"
    QUEUE_AGE = "queue_age"
    BREAKER_OPEN = "breaker_open"
    DISK_SPACE = "disk_space"
    ACCOUNT_SPACE = "account_space"
    MOVING_PAYS = "moving_pays"
    FINDINGS = "findings"
    STEP_FAILING = steps.INCIDENT


class Severity(StrEnum):
    """Critical: customers wait or lose something, or soon will."""

    WARNING = "warning"
    CRITICAL = "critical"


SEVERITIES = {
    HealthRule.ERROR_RATE: Severity.CRITICAL,
    HealthRule.QUEUE_AGE: Severity.CRITICAL,
    HealthRule.BREAKER_OPEN: Severity.CRITICAL,
    HealthRule.DISK_SPACE: Severity.CRITICAL,
    HealthRule.ACCOUNT_SPACE: Severity.WARNING,
    HealthRule.MOVING_PAYS: Severity.WARNING,
    HealthRule.FINDINGS: Severity.CRITICAL,
    HealthRule.STEP_FAILING: Severity.CRITICAL,
}


@dataclass(frozen=True)
class Thresholds:
    """From where on something is wrong; `docs/reference/settings.md#alerts` has the reasons.

    `error_share`, `disk_free_share`, `account_share`: 0 to 1; `error_factor`: times the share of the week before;
    `fewest_ended`: generations without which a share means nothing.
    """

    error_share: float = 0.05
    error_factor: float = 3.0
    fewest_ended: int = 20
    queue_seconds: float = 900.0
    breaker_seconds: float = 120.0
    disk_free_share: float = 0.1
    account_share: float = 0.95
    move_bytes: int = 10 * GB
    move_poses: int = 10_000

    @classmethod
    def of(cls, settings: Settings) -> Thresholds:
        """As the settings say."""
        return cls(
            error_share=settings.posegen_alert_error_share,
            error_factor=settings.posegen_alert_error_factor,
            fewest_ended=settings.posegen_alert_fewest_ended,
            queue_seconds=settings.posegen_alert_queue_seconds,
            breaker_seconds=settings.posegen_alert_breaker_seconds,
            disk_free_share=settings.posegen_alert_disk_free,
            account_share=settings.posegen_alert_account_share,
            move_bytes=int(settings.posegen_move_gb * GB),
            move_poses=settings.posegen_move_poses,
        )


@dataclass(frozen=True)
class HealthFinding:
    """Something that is wrong. `subject`: the backend or the look that it is about; empty where there is only one."""

    kind: HealthRule
    summary: str
    subject: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return SEVERITIES[self.kind]


def judge(seen: Seen, space: Space, thresholds: Thresholds) -> list[HealthFinding]:
    """What is wrong, in the order of `HealthRule`. `space`: of the disk that the local store lies on."""
    return [
        *_errors(seen, thresholds),
        *_queue(seen, thresholds),
        *_breakers(seen, thresholds),
        *_space(seen, space, thresholds),
        *_moving(seen, thresholds),
        *_looks(seen),
        *(HealthFinding(HealthRule.STEP_FAILING, step.summary, step.subject) for step in seen.failing_steps),
    ]


def _errors(seen: Seen, thresholds: Thresholds) -> Iterator[HealthFinding]:
    now, usual = seen.last_hour, seen.week_before.failed_share
    allowed = max(thresholds.error_share, thresholds.error_factor * usual)
    if now.generations >= thresholds.fewest_ended and now.failed_share > allowed:
        yield HealthFinding(
            HealthRule.ERROR_RATE,
            f"{now.failed} of {now.generations} generations failed within the last hour: {now.failed_share:.1%}, where "
            f"{allowed:.1%} is the most that is usual ({usual:.1%} in the 7 days before).",
        )


def _queue(seen: Seen, thresholds: Thresholds) -> Iterator[HealthFinding]:
    waiting = seen.waiting
    if waiting.oldest_seconds > thresholds.queue_seconds:
        yield HealthFinding(
            HealthRule.QUEUE_AGE,
            f"The oldest of {waiting.generations} generations that wait has done so for "
            f"{_time(waiting.oldest_seconds)}; {_time(thresholds.queue_seconds)} are allowed.",
        )


def _breakers(seen: Seen, thresholds: Thresholds) -> Iterator[HealthFinding]:
    for breaker in seen.breakers:
        if breaker.seconds >= thresholds.breaker_seconds:
            yield HealthFinding(
                HealthRule.BREAKER_OPEN,
                f"The backend {breaker.backend} has not responded for {_time(breaker.seconds)}: "
                f"{shorten(breaker.last_error or 'no error is known', 300)}",
                cut(breaker.backend, 200),
            )


def _space(seen: Seen, space: Space, thresholds: Thresholds) -> Iterator[HealthFinding]:
    if space.free_share < thresholds.disk_free_share:
        yield HealthFinding(
            HealthRule.DISK_SPACE,
            f"{space.free / GB:,.1f} of {space.size / GB:,.1f} GB are free on the disk of the local store: "
            f"{space.free_share:.1%}, where {thresholds.disk_free_share:.1%} should be.",
        )
    if seen.full_accounts:
        yield HealthFinding(
            HealthRule.ACCOUNT_SPACE,
            f"Accounts that have used or reserved {thresholds.account_share:.0%} of their space or more: "
            f"{seen.full_accounts}. What goes beyond it is refused as quota_exceeded.",
        )


def _moving(seen: Seen, thresholds: Thresholds) -> Iterator[HealthFinding]:
    local = seen.local
    many = local.poses >= thresholds.move_poses
    if many or (local.bytes is not None and local.bytes >= thresholds.move_bytes):
        holds = f"{local.poses:,} poses or more" if local.bytes is None else f"{local.bytes / GB:,.1f} GB"
        yield HealthFinding(
            HealthRule.MOVING_PAYS,
            f"The local store holds {holds}; from {thresholds.move_bytes / GB:,.0f} GB or {thresholds.move_poses:,} "
            "poses on another store pays. `posegen storage migrate --to r2` moves it while it runs.",
        )


def _looks(seen: Seen) -> Iterator[HealthFinding]:
    for last in seen.looks:
        if last.findings:
            command = "posegen verify" if last.look == "verify" else "posegen storage reconcile"
            yield HealthFinding(
                HealthRule.FINDINGS,
                f"The last {last.look} left {last.findings} findings; `{command}` names them.",
                last.look,
            )


def _time(seconds: float) -> str:
    """Without fractions of a second.

    >>> _time(3725.4)
    '1:02:05'
    """
    return str(timedelta(seconds=int(seconds)))
