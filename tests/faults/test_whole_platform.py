"""`posegen up` with all its processes: run workers, daemon and code server are killed, and stopped past a lease."""

from __future__ import annotations

import pytest

from tests.faults.whole_platform import QUICK_KINDS, harm, platform_under_faults

SEED = "2026"


@pytest.mark.timeout(400)
def test_whatever_is_killed_or_stopped_every_promise_is_kept(tmp_path):
    with platform_under_faults(tmp_path / "home", SEED) as platform:
        took = harm(platform, QUICK_KINDS)
        seen = platform.settle()

    print(f"seed {SEED}: {took}")
    assert seen.clean, seen
    assert seen.statuses.keys() == {"completed"}
    assert seen.poses == len(platform.accepted) * 4
