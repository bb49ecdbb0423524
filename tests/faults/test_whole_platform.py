"""`posegen up` with all its processes: each is killed, and some are stopped past a lease."""

from __future__ import annotations

from tests.faults.whole_platform import QUICK_KINDS, harm, platform_under_faults

SEED = "2026"


def test_whatever_is_killed_or_stopped_every_promise_is_kept(tmp_path):
    with platform_under_faults(tmp_path / "home", SEED) as platform:
        took = harm(platform, QUICK_KINDS)
        seen = platform.settle()
        runs = {run["status"] for generation in platform.accepted for run in platform.home.runs(generation)}

    print(f"seed {SEED}: {took}")
    assert seen.clean, seen
    assert seen.statuses.keys() == {"completed"}
    assert seen.poses == len(platform.accepted) * 4
    assert runs == {"SUCCESS", "FAILURE"}, "a run that died with the code server does not stay as it was"
