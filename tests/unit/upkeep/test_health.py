"""What counts as wrong: just below a threshold nothing, from there on a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from posegen.settings import Settings
from posegen.storage.space import Space
from posegen.upkeep.health import GB, HealthRule, Severity, Thresholds, judge
from posegen.upkeep.health_rows import Ended, LocalObjects, OpenBreaker, Seen, Waiting
from posegen.upkeep.metrics import LastLook

USUAL = Thresholds()
ROOMY = Space(free=50 * GB, size=100 * GB)
WELL = Seen(
    last_hour=Ended(100, 1),
    week_before=Ended(10_000, 100),
    waiting=Waiting(3, 10.0),
    breakers=[],
    full_accounts=0,
    local=LocalObjects(10, 10**6),
    looks=[LastLook("verify", 0, datetime.now(UTC))],
)


def found(seen: Seen, space: Space = ROOMY) -> list[tuple[HealthRule, str]]:
    return [(each.kind, each.subject) for each in judge(seen, space, USUAL)]


def test_where_all_is_well_nothing_is_found() -> None:
    assert found(WELL) == []


@pytest.mark.parametrize(
    ("last_hour", "week_before", "wrong"),
    [
        (Ended(100, 5), Ended(0, 0), False),  # 5 % may always be
        (Ended(100, 6), Ended(0, 0), True),
        (Ended(100, 30), Ended(1000, 100), False),  # three times what is usual here
        (Ended(100, 31), Ended(1000, 100), True),
        (Ended(19, 19), Ended(0, 0), False),  # too few to say
        (Ended(20, 20), Ended(0, 0), True),
        (Ended(0, 0), Ended(0, 0), False),
    ],
)
def test_failures_are_held_against_the_week_before(last_hour: Ended, week_before: Ended, wrong: bool) -> None:
    seen = replace(WELL, last_hour=last_hour, week_before=week_before)
    assert found(seen) == ([(HealthRule.ERROR_RATE, "")] if wrong else [])


def test_a_queue_that_stands_is_found() -> None:
    assert found(replace(WELL, waiting=Waiting(1, 900.0))) == []
    assert found(replace(WELL, waiting=Waiting(1, 900.1))) == [(HealthRule.QUEUE_AGE, "")]


def test_each_backend_that_is_left_alone_for_long_is_found_by_its_name() -> None:
    open_for = [OpenBreaker("quick", 119.0, None), OpenBreaker("gone", 120.0, "refused"), OpenBreaker("fal", 500, None)]
    seen = replace(WELL, breakers=open_for)

    assert found(seen) == [(HealthRule.BREAKER_OPEN, "gone"), (HealthRule.BREAKER_OPEN, "fal")]
    assert "The backend gone has not responded for 0:02:00: refused" in [
        each.summary for each in judge(seen, ROOMY, USUAL)
    ]


def test_space_that_runs_out_is_found_on_the_disk_and_in_accounts() -> None:
    assert found(WELL, Space(free=10, size=100)) == []
    assert found(WELL, Space(free=9, size=100)) == [(HealthRule.DISK_SPACE, "")]
    assert found(WELL, Space(free=0, size=0)) == [(HealthRule.DISK_SPACE, "")]
    assert found(replace(WELL, full_accounts=1)) == [(HealthRule.ACCOUNT_SPACE, "")]


@pytest.mark.parametrize(
    ("local", "wrong"),
    [
        (LocalObjects(9_999, 10 * GB - 1), False),
        (LocalObjects(9_999, 10 * GB), True),
        (LocalObjects(10_000, None), True),
    ],
)
def test_from_so_many_poses_or_bytes_on_moving_pays(local: LocalObjects, wrong: bool) -> None:
    assert found(replace(WELL, local=local)) == ([(HealthRule.MOVING_PAYS, "")] if wrong else [])


def test_what_the_last_looks_left_is_found_by_their_names() -> None:
    looks = [LastLook("reconcile", 2, datetime.now(UTC)), LastLook("verify", 0, datetime.now(UTC))]
    assert found(replace(WELL, looks=looks)) == [(HealthRule.FINDINGS, "reconcile")]


def test_what_customers_feel_is_critical() -> None:
    wrong = replace(WELL, waiting=Waiting(1, 1000), full_accounts=1)
    assert [each.severity for each in judge(wrong, ROOMY, USUAL)] == [Severity.CRITICAL, Severity.WARNING]


def test_the_settings_have_the_thresholds_that_are_usual() -> None:
    assert Thresholds.of(Settings()) == USUAL
