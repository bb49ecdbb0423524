"""No picture is paid for twice: a worker is killed or stopped at each step of a call, and responses get lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.hosted_scenes import HostedScene, Outcome, play, scenes
from tests.faults.world import Ground

AT_ONCE = 10
SCENES = scenes("fal")
# A sender that is only stopped may still send: whether it has cannot be told, and no other call is made.
MAY_STILL_SEND = {HostedScene("fal", "after mark", "stop")}


@pytest.fixture(scope="module")
def played(ground: Ground) -> Iterator[dict[HostedScene, Future[Outcome]]]:
    """Each scene in a world of its own; most of their time they wait."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scene") as threads:
        yield {scene: threads.submit(play, ground, scene) for scene in SCENES}


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_no_picture_is_paid_for_twice(played, scene):
    outcome = played[scene].result()

    assert not outcome.paid_twice, outcome
    assert outcome.paid <= 1, outcome
    assert outcome.evidence.clean, outcome.evidence
    if scene in MAY_STILL_SEND:
        assert (outcome.status, outcome.states, outcome.codes) == ("failed", ["uncertain"], ["backend_uncertain"])
    else:
        assert (outcome.status, outcome.states) == ("completed", ["used"]), outcome
