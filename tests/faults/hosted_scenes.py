"""Scenes with a hosted backend: a worker is killed or stopped at each step of a call, and responses get lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from posegen.work.commit_points import OF_HOSTED_CALLS
from tests.faults.evidence import Evidence
from tests.faults.ground import new_world
from tests.faults.world import Ground, World
from tests.wires.far_end import FarEnd

FAR_ENDS: dict[str, Callable[..., FarEnd]] = {"fal": FarEnd.fal}
LEASE_SECONDS = 2.0
CALL_SECONDS = 6.0
PICTURE_SECONDS = 0.3
# So long after a stopped worker goes on, everything that it may still send has left.
AFTERWARDS_SECONDS = 1.5
RESPONSES = ("lost", "slow", "cut", "reset", "502")


@dataclass(frozen=True)
class HostedScene:
    """One scene.

    Attributes:
        wire: of the far end.
        step: the commit point that the worker is taken away at, or the fault of the first submit.
        ending: how the worker is taken away, `kill` or `stop`; empty for a scene of faults only.
        forgets: the far end keeps results for a moment only, and no list of requests.
    """

    wire: str
    step: str
    ending: str = ""
    forgets: bool = False

    def __str__(self) -> str:
        parts = (self.wire, self.ending, self.step, "forgotten there" if self.forgets else "")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Outcome:
    """How a scene ended. `paid`: billed submissions; `paid_twice`: pictures that were billed more than once."""

    evidence: Evidence
    status: str
    states: list[str]
    codes: list[str]
    submissions: int
    paid: int
    paid_twice: dict[tuple[object, ...], int] = field(default_factory=dict)


def scenes(wire: str) -> list[HostedScene]:
    """Every scene of a wire."""
    ended = [HostedScene(wire, point, ending) for point in OF_HOSTED_CALLS for ending in ("kill", "stop")]
    return ended + [HostedScene(wire, response) for response in RESPONSES]


def play(ground: Ground, scene: HostedScene, *, breakage: str = "") -> Outcome:
    """Play a scene with one pose, until its generation has ended."""
    with (
        FAR_ENDS[scene.wire](seconds=PICTURE_SECONDS) as far_end,
        new_world(
            ground,
            f"hosted {scene} {breakage}",
            lease_seconds=LEASE_SECONDS,
            call_seconds=CALL_SECONDS,
            backend=scene.wire,
            environment=far_end.environment(),
            breakage=breakage,
        ) as world,
    ):
        world.sensor()
        if scene.forgets:
            far_end.faults.add("500", "list", times=None)
        if scene.ending:
            _take_away(world, scene)
        else:
            far_end.faults.add(scene.step)
            world.run("worker")
            world.submit(poses=1)
        evidence = world.settle()
        return _outcome(world, far_end, evidence)


def _take_away(world: World, scene: HostedScene) -> None:
    stops = scene.ending == "stop"
    victim = world.run("victim", point=scene.step, stops=stops)
    generation = world.submit(poses=1)
    if not stops:
        victim.wait()
        world.lost_now(generation)
        world.run("successor")
        return
    world.wait(lambda: victim.stopped)
    world.lost_now(generation)
    world.run("successor")
    if scene.forgets:
        world.wait(lambda: world.value("select max(token) from generations") > 1)
    else:
        world.wait(world.all_ended)
    victim.resume()
    time.sleep(AFTERWARDS_SECONDS)


def _outcome(world: World, far_end: FarEnd, evidence: Evidence) -> Outcome:
    calls = world.rows("select state from backend_calls order by pose_id, attempt")
    poses = world.rows("select error_code from generated_poses where error_code is not null order by id")
    (generation,) = world.accepted
    submissions = far_end.ledger.submissions()
    return Outcome(
        evidence,
        world.status(generation),
        [row["state"] for row in calls],
        [row["error_code"] for row in poses],
        len(submissions),
        sum(submission.paid for submission in submissions),
        dict(far_end.ledger.paid_twice()),
    )
