"""The checks can fail: every guard that is taken away is missed, and nothing is found where all are there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.evidence import Evidence
from tests.faults.ground import new_world
from tests.faults.scenarios import SCENARIOS
from tests.faults.world import PATIENCE, Ground

# Long enough that only who is killed or stopped loses one, on a busy machine, too.
LEASE_SECONDS = 4.0
AT_ONCE = 8
# What has not ended by then, while workers have nothing else to do, is lost.
NEVER = 6.0


def _play(ground: Ground, name: str, breakage: str) -> Evidence:
    scenario = SCENARIOS[name]
    title = f"{name}, {breakage}" if breakage else name
    patience = NEVER if breakage and scenario.shows == "lost" else PATIENCE
    with new_world(ground, title, lease_seconds=LEASE_SECONDS, patience=patience, breakage=breakage) as world:
        return scenario.play(world)


@pytest.fixture(scope="module")
def played(ground: Ground) -> Iterator[dict[tuple[str, str], Future[Evidence]]]:
    """Every scenario, whole and broken, several at once: most of their time is waiting for a lease."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scenario") as threads:
        yield {
            (name, breakage): threads.submit(_play, ground, name, breakage)
            for name, scenario in SCENARIOS.items()
            for breakage in ("", scenario.without)
        }


@pytest.mark.parametrize("name", SCENARIOS)
def test_with_all_its_guards_every_promise_is_kept(played, name):
    seen = played[name, ""].result()

    assert seen.clean, seen


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_the_guard_it_is_caught(played, name):
    scenario = SCENARIOS[name]

    seen = played[name, scenario.without].result()

    assert seen.broken[scenario.shows], f"nobody would have missed it: {scenario.without}\n{seen}"
