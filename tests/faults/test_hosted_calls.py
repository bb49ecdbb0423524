"""No picture is paid for twice: a worker is killed or stopped at each step of a call, and responses get lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from posegen.work.commit_points import CommitPoint
from tests.faults.hosted_scenes import HostedScene, Outcome, play, scenes
from tests.faults.world import Ground

AT_ONCE = 6
# Where a worker that is only stopped is another matter than one that was killed.
STOPPED = (CommitPoint.AFTER_MARK, CommitPoint.AFTER_SUBMIT, CommitPoint.WHILE_WAITING)
SCENES = [
    *(scene for scene in scenes("fal") if scene.ending != "stop" or scene.step in STOPPED),
    HostedScene("fal", "flagged"),
    # The sender goes on while its successor still looks for the call: it alone knows the far end's id.
    HostedScene("fal", "after submit", "stop", forgets=True),
]
# A sender that is only stopped may still send: whether it has cannot be told, and no other call is made.
MAY_STILL_SEND = {HostedScene("fal", "after mark", "stop")}


# Each guard that is taken away, and the scene that shows it.
CONTROLS = {
    "sent again after a timeout": HostedScene("fal", "lost"),
    "absence believed while the sender is only stopped": HostedScene("fal", "after mark", "stop"),
    "gate before flag": HostedScene("fal", "flagged"),
    "id behind the fence": HostedScene("fal", "after submit", "stop", forgets=True),
}


@pytest.fixture(scope="module")
def played(ground: Ground) -> Iterator[dict[HostedScene, Future[Outcome]]]:
    """Each scene in a world of its own; most of their time they wait."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scene") as threads:
        yield {scene: threads.submit(play, ground, scene) for scene in SCENES}


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_no_picture_is_paid_for_twice(played, scene):
    outcome = played[scene].result()

    assert kept(scene, outcome), outcome
    assert outcome.evidence.clean, outcome.evidence


def kept(scene: HostedScene, outcome: Outcome) -> bool:
    """Whether nothing was paid for twice, and the generation has ended as it must."""
    if outcome.paid_twice or outcome.paid > 1:
        return False
    if scene in MAY_STILL_SEND:
        return (outcome.status, outcome.states, outcome.codes) == ("failed", ["uncertain"], ["backend_uncertain"])
    if scene.step == "flagged":
        return (outcome.status, outcome.states, outcome.codes) == ("failed", ["refused"], ["inappropriate_prompt"])
    return (outcome.status, outcome.states) == ("completed", ["used"])


@pytest.fixture(scope="module")
def broken(ground: Ground) -> Iterator[dict[str, Future[Outcome]]]:
    """The same scenes with one guard less."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="control") as threads:
        yield {name: threads.submit(play, ground, scene, breakage=name) for name, scene in CONTROLS.items()}


@pytest.mark.parametrize("guard", CONTROLS)
def test_without_the_guard_it_is_caught(broken, guard):
    outcome = broken[guard].result()

    assert not kept(CONTROLS[guard], outcome), f"nothing would have shown it: {guard}\n{outcome}"
