"""No picture is paid for twice: a worker is killed or stopped at each step of a call, and responses get lost.

Every scene of every wire is played by `python -m benchmarks.calls`; these are the ones that differ most.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from posegen.work.commit_points import OF_HOSTED_CALLS, CommitPoint
from tests.faults.hosted_breakages import OUTSIDE_THE_FENCE
from tests.faults.hosted_controls import CONTROLS, FORGOTTEN, NEVER, OVERTAKEN
from tests.faults.hosted_plays import Outcome, kept, play
from tests.faults.hosted_scenes import INSIDE, HostedScene
from tests.faults.world import Ground

AT_ONCE = 6
SCENES = [
    *(HostedScene("fal", point=point, ending="kill") for point in OF_HOSTED_CALLS),
    HostedScene("fal", point=INSIDE, ending="kill"),
    *(HostedScene("fal", response) for response in ("lost", "slow", "cut", "reset", "502", "flagged")),
    # A worker that is only stopped is another matter than one that was killed.
    *(HostedScene("fal", point=point, ending="stop") for point in (CommitPoint.AFTER_MARK, CommitPoint.WHILE_WAITING)),
    FORGOTTEN,
    OVERTAKEN,
    # A far end that cannot tell what has become of a submit.
    HostedScene("bfl", "lost"),
    HostedScene("bfl", point=CommitPoint.AFTER_MARK, ending="kill"),
    HostedScene("bfl", point=CommitPoint.AFTER_SUBMIT, ending="stop"),
    HostedScene("bfl", point=CommitPoint.WHILE_WAITING, ending="kill"),
    HostedScene("huggingface", "cut"),
    HostedScene("huggingface", point=CommitPoint.AFTER_ACCEPT, ending="kill"),
    # One whose calls cost nothing: another one is made.
    HostedScene("huggingface-endpoint", "lost"),
    HostedScene("huggingface-endpoint", point=INSIDE, ending="kill"),
    # One whose submit returns the picture.
    HostedScene("openai", "502"),
    HostedScene("openai", point=INSIDE, ending="stop"),
    HostedScene("openai", point=CommitPoint.BEFORE_STORE, ending="kill"),
    HostedScene("openai", point=CommitPoint.AFTER_DELIVERY, ending="kill"),
    # One that makes an order once, however often it is sent.
    HostedScene("openai with idempotency", "lost"),
    HostedScene("openai with idempotency", point=INSIDE, ending="kill"),
    HostedScene("openai with idempotency", point=CommitPoint.AFTER_SUBMIT, ending="stop"),
]


@pytest.fixture(scope="module")
def played(ground: Ground) -> Iterator[dict[HostedScene, Future[Outcome]]]:
    """Each scene in a world of its own; most of their time they wait."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scene") as threads:
        yield {scene: threads.submit(play, ground, scene) for scene in SCENES}


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_no_picture_is_paid_for_twice(played, scene):
    outcome = played[scene].result()

    assert kept(scene, outcome), outcome


@pytest.fixture(scope="module")
def broken(ground: Ground) -> Iterator[dict[str, Future[Outcome]]]:
    """The same scenes with one guard less."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="control") as threads:
        yield {
            name: threads.submit(play, ground, scene, breakage=name, patience=NEVER)
            for name, scene in [*CONTROLS.items(), (OUTSIDE_THE_FENCE, OVERTAKEN)]
        }


@pytest.mark.parametrize("guard", CONTROLS)
def test_without_the_guard_it_is_caught(broken, guard):
    outcome = broken[guard].result()

    assert not kept(CONTROLS[guard], outcome), f"nothing would have shown it: {guard}\n{outcome}"


def test_the_index_holds_where_the_fence_does_not(broken):
    outcome = broken[OUTSIDE_THE_FENCE].result()

    assert kept(OVERTAKEN, outcome), outcome
