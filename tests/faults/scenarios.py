"""Scenes in which one guard alone stands between a fault and a broken promise.

Each is played twice: by Posegen as it is, where the checks must find nothing, and by Posegen without that guard, where
they must find what is broken (`breakages.py`). A scene that only passes because nothing can be seen would be caught so.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg

from posegen.accounts import credits
from tests.faults.breakages import NOBODY_RECONCILES
from tests.faults.evidence import Evidence
from tests.faults.nursery import Worker
from tests.faults.world import World

# A machine that is suspended does not count the time, so that the worker on it believes in its lease.
SUSPENDED = {"stops": True, "clock_rate": 0.001, "threads": 1}
# After the picture and its thumbnail are stored, and before the row is written.
STORED = "after verify:2"


@dataclass(frozen=True)
class Scenario:
    """`play`: what happens; it answers what was to be seen in the end.

    `without`: the guard that is taken away; `shows`: where that must be seen.
    """

    play: Callable[[World], Evidence]
    without: str
    shows: str


def _suspended(world: World, poses: int) -> Worker:
    """A worker that stands still with one pose stored and not written down, and is missed by now."""
    late = world.run("late", point=STORED, **SUSPENDED)
    generation = world.submit(poses=poses)
    late.wait_until_stopped()
    world.lost_now(generation)
    return late


def _wait_until_through(world: World, late: Worker, poses: int) -> None:
    """Until the late worker has written, or was told that it may not."""
    (generation,) = world.accepted

    def through() -> bool:
        written = world.completed_poses(generation) > poses
        return written or "LeaseLost" in late.log.read_text()

    world.wait(through)


def overtaken(world: World) -> Evidence:
    """It wakes while another is at work on the same generation."""
    world.sensor()
    late = _suspended(world, poses=2)
    world.far_end.answer_next("hang", calls=10)
    calls = len(world.far_end.calls())
    world.run("successor", threads=1)
    world.wait(lambda: len(world.far_end.calls()) > calls)
    late.resume()
    _wait_until_through(world, late, poses=0)
    world.far_end.release()
    return world.settle()


def too_late(world: World) -> Evidence:
    """It wakes when another has done all of it."""
    world.sensor()
    late = _suspended(world, poses=2)
    world.run("successor")
    world.wait(lambda: world.status(world.accepted[0]) == "completed")
    late.resume()
    _wait_until_through(world, late, poses=2)
    return world.settle()


def killed_after_the_commit(world: World) -> Evidence:
    """A worker is killed as soon as a pose is written down."""
    world.sensor()
    victim = world.run("victim", point="after commit", threads=1)
    generation = world.submit(poses=2)
    victim.wait()
    world.lost_now(generation)
    world.run("successor")
    return world.settle()


def killed_with_a_wrong_clock(world: World) -> Evidence:
    """A worker whose clock is an hour ahead is killed at work."""
    world.sensor()
    victim = world.run("victim", clock_ahead=3600, threads=1, machine="")
    generation = world.submit(poses=6)
    world.until_at_work(generation, completed=2)
    victim.kill()
    world.lost_now(generation)
    world.run("successor")
    return world.settle()


def a_lying_disk(world: World) -> Evidence:
    """The disk turns a bit over and says that all is well."""
    world.sensor()
    world.run("worker", lies=1)
    world.submit()
    return world.settle()


def cancelled_while_nobody_was_there(world: World) -> Evidence:
    """The worker stands still, its lease runs out, and the customer cancels."""
    late = world.run("late")
    sensor = world.sensor()
    generation = world.submit(poses=6)
    world.until_at_work(generation, completed=1)
    sensor.stop()
    late.stop()
    expired = "select count(*) from generations where id = %s and lease_expires_at < now()"
    world.wait(lambda: world.value(expired, generation))
    # The sweep has seen it, and is quicker than the customer unless the row is busy.
    with world.database.transaction() as connection:
        connection.execute("select from generations where id = %s for update", [generation])
        sensor.resume()
        world.wait_for_ticks(sensor)
        connection.execute("select cancel_generation(%s)", [generation])
    world.run("successor")
    late.resume()
    world.wait_for_ticks(sensor)
    return world.settle()


def committed_late(world: World) -> Evidence:
    """A request that was begun earlier is committed after a later one is done."""
    world.sensor()
    world.run("worker")
    with world.database.transaction() as connection:
        early = world.insert(connection)
        later = world.submit()
        world.wait(lambda: world.status(later) == "completed")
    world.promised(early)
    return world.settle()


def killed_after_some_poses(world: World) -> Evidence:
    """A worker is killed when it has finished some of its poses."""
    world.sensor()
    victim = world.run("victim", threads=1)
    generation = world.submit(poses=6)
    world.until_at_work(generation, completed=2)
    victim.kill()
    world.lost_now(generation)
    world.run("successor")
    return world.settle()


def the_wrong_picture(world: World) -> Evidence:
    """The service mixes two customers up."""
    world.sensor()
    world.far_end.answer_next("another picture", calls=1)
    world.run("worker")
    world.submit()
    return world.settle()


def killed_with_an_upload_in_vain(world: World) -> Evidence:
    """A worker is killed between upload and row, and the customer cancels before another comes."""
    victim = world.run("victim", point="after upload", threads=1)
    world.sensor()
    generation = world.submit()
    victim.wait()
    world.rows("select cancel_generation(%s)", generation)
    return world.settle()


def refunded_by_two(world: World) -> Evidence:
    """Two operators refund the same pose at the same moment."""
    world.sensor()
    world.run("worker")
    generation = world.submit()
    world.wait(lambda: world.status(generation) == "completed")
    (pose,) = world.rows("select id from generated_poses where generation_id = %s and position = 0", generation)
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"

    def refund_too() -> None:
        with suppress(psycopg.errors.UniqueViolation), world.database.transaction() as connection:
            credits.refund(connection, [pose["id"]], reason="sorry", actor="second")

    with ThreadPoolExecutor(1) as second:
        with world.database.transaction() as connection:
            credits.refund(connection, [pose["id"]], reason="sorry", actor="first")
            refunded = second.submit(refund_too)
            world.wait(lambda: world.value(waiting) == 1)
        refunded.result()
    return world.settle()


def _overtaken_beside(world: World, ask: Callable[[], UUID | None]) -> Evidence:
    """A worker wakes just before its commit while another is at the same place of the same row."""
    late = world.run("late", point="before commit", **SUSPENDED)
    ask()
    late.wait_until_stopped()
    successor = world.run("successor", point="before commit", stops=True, threads=1)
    successor.wait_until_stopped()
    late.resume()
    world.wait(lambda: world.all_ended() or "LeaseLost" in late.log.read_text() or "lease lost" in late.log.read_text())
    successor.resume()
    return world.settle()


def overtaken_at_a_design(world: World) -> Evidence:
    """It wakes while another renders the same design."""
    world.sensor()
    return _overtaken_beside(world, world.ask_for_design)


def overtaken_at_an_image_request(world: World) -> Evidence:
    """It wakes while another makes the same variants."""
    world.sensor()
    world.one_image()
    return _overtaken_beside(world, world.ask_for_variants)


SCENARIOS = {
    "overtaken": Scenario(overtaken, "no token in the guard", "stale commits"),
    "overtaken at a design": Scenario(overtaken_at_a_design, "no token in the guard", "stale commits"),
    "overtaken at an image request": Scenario(overtaken_at_an_image_request, "no token in the guard", "stale commits"),
    "too late": Scenario(too_late, "nothing but the id in the guard", "wrong charges"),
    "killed after the commit": Scenario(killed_after_the_commit, "capture outside the transaction", "wrong charges"),
    "killed after the commit, row first": Scenario(killed_after_the_commit, "row before its object", "corrupt"),
    "killed with a wrong clock": Scenario(killed_with_a_wrong_clock, "leases by the worker's clock", "lost"),
    "a lying disk": Scenario(a_lying_disk, "no verify after upload", "corrupt"),
    "cancelled while nobody was there": Scenario(
        cancelled_while_nobody_was_there, "sweeper ignores terminal states", "stale commits"
    ),
    "committed late": Scenario(committed_late, "cursor instead of claim", "lost"),
    "killed after some poses": Scenario(killed_after_some_poses, "finished poses are made again", "repeated calls"),
    "killed with an upload in vain": Scenario(killed_with_an_upload_in_vain, NOBODY_RECONCILES, "orphans"),
    "refunded by two": Scenario(refunded_by_two, "refund without its unique key", "wrong charges"),
    "the wrong picture": Scenario(the_wrong_picture, "any picture will do", "corrupt"),
}
"""By what happens."""
