"""A worker dies at each of its commit points, by name: wherever it was, nothing is lost, charged or made twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from posegen.work.commit_points import KILLED, OF_HOSTED_CALLS, CommitPoint
from tests.faults.evidence import Evidence
from tests.faults.ground import new_world
from tests.faults.world import Ground

# Long enough never to run out here: that the worker is dead is known from its lock.
LEASE_SECONDS = 10.0
AT_ONCE = 8
# The service refuses one pose: only a pose that is given up has its credits released by the worker.
GIVES_UP = {CommitPoint.BEFORE_RELEASE, CommitPoint.AFTER_RELEASE}
# The worker is asked to stop: only then it gives back what it has.
STOPS = {CommitPoint.BEFORE_GIVING_BACK, CommitPoint.AFTER_GIVING_BACK}
# Some have to be left when the signal comes.
POSES = dict.fromkeys(CommitPoint, 2) | dict.fromkeys(STOPS, 4)


# The others are those of hosted calls, see `test_hosted_calls`.
DRAWN = [point for point in CommitPoint if point not in OF_HOSTED_CALLS]
# Of designs and image requests, which go through the same store and the same queue.
BESIDE = (CommitPoint.AFTER_UPLOAD, CommitPoint.BEFORE_COMMIT, CommitPoint.AFTER_COMMIT)


@dataclass(frozen=True)
class Aftermath:
    """How the worker died, how its generation ended, and what was to be seen."""

    code: int
    status: str
    evidence: Evidence


def _kill(ground: Ground, point: CommitPoint) -> Aftermath:
    with new_world(ground, f"kill {point}", lease_seconds=LEASE_SECONDS) as world:
        world.sensor()
        victim = world.run("victim", point=point, threads=1)
        if point in GIVES_UP:
            world.far_end.answer_next("wrong size", calls=POSES[point], seeds={world.coming_seed()})
        generation = world.submit(poses=POSES[point])
        if point in STOPS:
            world.until_at_work(generation, completed=1)
            victim.send(signal.SIGTERM)
        code = victim.wait()
        world.lost_now(generation)
        world.run("successor")
        evidence = world.settle()
        return Aftermath(code, world.status(generation), evidence)


@pytest.fixture(scope="module")
def killed(ground: Ground) -> Iterator[dict[CommitPoint, Future[Aftermath]]]:
    """Each kill in a world of its own, several at once."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="kill") as threads:
        yield {point: threads.submit(_kill, ground, point) for point in DRAWN}


@pytest.mark.parametrize("point", DRAWN)
def test_wherever_it_is_killed_every_promise_is_kept(killed, point):
    aftermath = killed[point].result()

    assert aftermath.code == KILLED, "it died there, and of nothing else"
    assert aftermath.evidence.clean, aftermath.evidence
    assert aftermath.status == ("partial" if point in GIVES_UP else "completed")
    assert aftermath.evidence.calls <= POSES[point] + 1, "one pose at most was in hand"


def _kill_beside(ground: Ground, kind: str, point: CommitPoint) -> tuple[int, Evidence]:
    with new_world(ground, f"kill {kind} {point}", lease_seconds=LEASE_SECONDS) as world:
        world.sensor()
        if kind == "image request":
            world.one_image()
        victim = world.run("victim", point=point, threads=1)
        asked = world.ask_for_design() if kind == "design" else world.ask_for_variants()
        assert asked is not None
        code = victim.wait()
        world.run("successor")
        return code, world.settle()


@pytest.fixture(scope="module")
def killed_beside(ground: Ground) -> Iterator[dict[tuple[str, CommitPoint], Future[tuple[int, Evidence]]]]:
    """The same for the other kinds of work."""
    cases = [(kind, point) for kind in ("design", "image request") for point in BESIDE]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="kill") as threads:
        yield {case: threads.submit(_kill_beside, ground, *case) for case in cases}


@pytest.mark.parametrize("point", BESIDE)
@pytest.mark.parametrize("kind", ["design", "image request"])
def test_a_design_and_an_image_request_survive_the_kill_too(killed_beside, kind, point):
    code, evidence = killed_beside[kind, point].result()

    assert code == KILLED
    assert evidence.clean, evidence
