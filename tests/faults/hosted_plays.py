"""Playing the scenes with a hosted backend, whole or with one guard less, and what there is to see afterwards."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from posegen.generations import service
from posegen.generations.calling.listing import Which
from tests.faults.evidence import Evidence
from tests.faults.ground import new_world
from tests.faults.hosted_scenes import INSIDE, WIRES, HostedScene, how_it_ends
from tests.faults.nursery import Worker
from tests.faults.world import PATIENCE, Ground, World
from tests.wires.far_end import FarEnd

LEASE_SECONDS = 2.0
CALL_SECONDS = 6.0
PICTURE_SECONDS = 0.3
SLOW_SECONDS = 1.0
# Long enough that a worker is taken away before its response arrives.
INSIDE_SECONDS = 4.0
# A picture that takes as long is still made when a stopped worker goes on.
OVERTAKEN_SECONDS = 3.0
# So long after a stopped worker goes on, everything that it may still send has left.
AFTERWARDS_SECONDS = 1.5
# Workers look for work less often than in other worlds: scenes are many, and wait for leases and far ends.
PAUSE = 0.2


@dataclass(frozen=True)
class Outcome:
    """How a scene ended.

    `states`, `codes`: of its calls and its failed poses; `submissions`: that the far end has taken; `paid`: those that
    are billed, of which `paid_twice` are for one picture; `listed`: calls that `posegen calls --uncertain` lists.
    """

    evidence: Evidence
    status: str
    states: list[str]
    codes: list[str]
    submissions: int
    paid: int
    listed: int
    paid_twice: dict[tuple[object, ...], int] = field(default_factory=dict)


def kept(scene: HostedScene, outcome: Outcome) -> bool:
    """Whether nothing was paid for twice, and generation, call and pose ended as they must."""
    end = how_it_ends(scene)
    return (
        not outcome.paid_twice
        and outcome.paid <= 1
        and outcome.status == end.status
        and outcome.states[-1] == end.state
        and outcome.codes == ([end.code] if end.code else [])
        and outcome.listed == outcome.states.count("uncertain")
        and outcome.evidence.clean
    )


def play(ground: Ground, scene: HostedScene, *, breakage: str = "", patience: float = PATIENCE) -> Outcome:
    """Play a scene until its generation has ended, or for as long as `patience` allows."""
    wire = WIRES[scene.wire]
    with (
        wire.far_end(seconds=OVERTAKEN_SECONDS if scene.overtaken else PICTURE_SECONDS) as far_end,
        new_world(
            ground,
            f"hosted {scene} {breakage}",
            lease_seconds=LEASE_SECONDS,
            call_seconds=CALL_SECONDS,
            patience=patience,
            backend=wire.backend,
            environment=wire.environment(far_end),
            breakage=breakage,
        ) as world,
    ):
        _arm(scene, far_end)
        world.sensor(pause=PAUSE)
        if scene.ending:
            _take_away(world, scene, far_end)
        else:
            world.run("worker", pause=PAUSE)
            world.submit(poses=1)
        evidence = world.settle()
        return _outcome(world, scene, far_end, evidence)


def _arm(scene: HostedScene, far_end: FarEnd) -> None:
    if scene.forgets:
        far_end.faults.add("500", "list", times=None)
    if scene.point == INSIDE:
        far_end.faults.add("slow", seconds=INSIDE_SECONDS)
    elif scene.response == "slow":
        far_end.faults.add("slow", seconds=SLOW_SECONDS)
    elif scene.response:
        far_end.faults.add(scene.response)


def _take_away(world: World, scene: HostedScene, far_end: FarEnd) -> None:
    stops = scene.ending == "stop"
    inside = scene.point == INSIDE
    victim = world.run("victim", point="" if inside else scene.point, stops=stops, pause=PAUSE)
    generation = world.submit(poses=1)
    if inside:
        world.wait(lambda: far_end.ledger.submissions())
        victim.send(signal.SIGSTOP if stops else signal.SIGKILL)
    _until(world, lambda: victim.stopped if stops else not victim.alive)
    token = _token(world)
    world.lost_now(generation)
    world.run("successor", pause=PAUSE)
    if stops:
        _let_go_on(world, scene, victim, token)


def _until(world: World, taken_away: Callable[[], bool]) -> None:
    """Wait until a worker is taken away. Raises `AssertionError` when all work ends without that."""
    world.wait(lambda: taken_away() or world.all_ended())
    assert taken_away(), "the worker has never come to its point"


def _token(world: World) -> int:
    """Of the one generation. On a busy machine it may have lost leases before a worker was taken away."""
    return int(world.value("select max(token) from generations"))


def _let_go_on(world: World, scene: HostedScene, victim: Worker, token: int) -> None:
    if scene.overtaken:
        world.wait(lambda: world.value("select count(*) from backend_calls where state = 'accepted'"))
    elif scene.forgets:
        world.wait(lambda: _token(world) > token)
    else:
        world.wait(world.all_ended, seconds=min(world.patience, PATIENCE))
    victim.resume()
    time.sleep(AFTERWARDS_SECONDS)


def _outcome(world: World, scene: HostedScene, far_end: FarEnd, evidence: Evidence) -> Outcome:
    calls = world.rows("select state from backend_calls order by pose_id, attempt")
    poses = world.rows("select error_code from generated_poses where error_code is not null order by id")
    (generation,) = world.accepted
    submissions = far_end.ledger.submissions()
    billed = WIRES[scene.wire].billed
    return Outcome(
        evidence,
        world.status(generation),
        [row["state"] for row in calls],
        [row["error_code"] for row in poses],
        len(submissions),
        sum(submission.paid for submission in submissions) if billed else 0,
        len(service.calls(world.database, Which.UNCERTAIN)),
        dict(far_end.ledger.paid_twice()) if billed else {},
    )
