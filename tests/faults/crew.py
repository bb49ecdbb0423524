"""The workers of a world that goes on: one sensor and some runs, each with its own way to the database.

Somebody replaces who dies, as a supervisor does; somebody keeps asking, as customers do.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.concurrency import until
from tests.faults.evidence import DEAD_HERE, SILENT, Loss
from tests.faults.nursery import Worker
from tests.faults.world import World
from tests.tcp_fault_proxy import TcpFaultProxy

SENSOR = "sensor"
# Works on another machine than the sensor: only its lease tells that it has died.
ELSEWHERE = "run3"
OPEN_AT_LEAST = 5
MOST_POSES = 4
# Designs and image requests beside generations: how often one more of each is asked for, and at most in an episode.
ASKS_BESIDE, MOST_ASKS_BESIDE = 0.2, 30
# However loaded the machine is, somebody works by then, and an armed fault comes to pass.
FIRES_WITHIN = 300.0
# How much longer than its lease somebody is out of reach.
BEYOND_THE_LEASE = 0.4
OUTAGE_SECONDS = 0.7
SETTLED_EVERY = 0.5


@dataclass
class Member:
    """A place in the crew. `worker`: who has it now; `number`: how many have had it."""

    place: str
    worker: Worker
    proxy: TcpFaultProxy
    number: int = 1


@dataclass
class Crew:
    """Who works, and what they are asked for. `random`: every choice in an episode comes from it."""

    world: World
    random: random.Random
    runs: int = 3
    members: dict[str, Member] = field(default_factory=dict)
    may_fail: set[UUID] = field(default_factory=set)
    _asks_beside: int = MOST_ASKS_BESIDE

    def begin(self) -> None:
        """Start everybody, and ask for something."""
        for place in (SENSOR, *(f"run{number}" for number in range(1, self.runs + 1))):
            proxy = self.world.proxy()
            self.members[place] = Member(place, self._start(place, 1, proxy, {}), proxy)
        if self.world.hosted:
            self.world.settler(pause=SETTLED_EVERY)
        self.ask()

    def ask(self) -> None:
        """Let there always be something to do."""
        open_ = "select count(*) from generations where finished_at is null"
        for _ in range(OPEN_AT_LEAST - self.world.value(open_)):
            backend = self.random.choice(["mannequin", *self.world.hosted])
            self.world.submit(poses=self.random.randint(1, MOST_POSES), backend=backend)
        if self._asks_beside > 0 and self.random.random() < ASKS_BESIDE:
            self._asks_beside -= 1
            self.world.ask_for_design()
            self.world.ask_for_variants()

    def replace(self, member: Member, **orders: Any) -> None:
        """Put a new worker in the place of one that has ended."""
        member.number += 1
        member.worker = self._start(member.place, member.number, member.proxy, orders)

    def exchange(self, member: Member, **orders: Any) -> None:
        """Take a worker away while it may be at work, and put another in its place."""
        self.take(member)
        self.replace(member, **orders)

    def take(self, member: Member) -> None:
        """Kill a worker, and note what it leaves behind."""
        at = time.time()
        member.worker.kill()
        self.note_loss(member, at)

    def note_loss(self, member: Member, at: float) -> None:
        """Somebody has been out of reach since then: how long until another goes on with what it held?"""
        held = self.world.held_by(member.worker.name)
        if held is not None:
            dead_here = not member.worker.alive and member.place != ELSEWHERE
            self.world.losses.append(Loss(at, held, DEAD_HERE if dead_here else SILENT))

    def any(self) -> Member:
        """Whoever it may be, the sensor too."""
        return self.random.choice(list(self.members.values()))

    def any_run(self) -> Member:
        """One of those that make pictures."""
        return self.random.choice([member for member in self.members.values() if member.place != SENSOR])

    @property
    def sensor(self) -> Member:
        """The one that recovers, judges and claims."""
        return self.members[SENSOR]

    def busy_run(self) -> Member:
        """One that is at work now; everybody has a turn at being the first that is asked."""
        runs = [member for member in self.members.values() if member.place != SENSOR]
        self.random.shuffle(runs)
        deadline = time.monotonic() + FIRES_WITHIN
        while time.monotonic() < deadline:
            self.ask()
            for member in runs:
                if self.world.held_by(member.worker.name) is not None:
                    return member
            time.sleep(0.02)
        raise AssertionError(f"nobody works\n{self.sensor.worker.last_words()}\n{runs[0].worker.last_words()}")

    def wait_until_at_work(self, member: Member) -> None:
        """Wait until this one has a generation."""

        def at_work() -> bool:
            self.ask()
            return self.world.held_by(member.worker.name) is not None

        until(at_work, seconds=FIRES_WITHIN)

    def wait_a_moment(self) -> None:
        """Let the fault meet a different step each time."""
        time.sleep(self.random.uniform(0, 0.3))

    def service_is_well(self) -> None:
        """From now on it answers as it should; whoever was answered otherwise may have failed by it."""
        self.world.far_end.release()
        answered_otherwise = {call.seed for call in self.world.far_end.calls() if call.answer != "picture"}
        self.may_fail |= self.world.generations_of(answered_otherwise)

    def _start(self, place: str, number: int, proxy: TcpFaultProxy, orders: dict[str, Any]) -> Worker:
        given = {"database": self.world.url_through(proxy), **orders}
        if place == ELSEWHERE:
            given["machine"] = str(self.world.folder / "another-machine")
        name = f"{place}.{number}"
        return self.world.sensor(name, **given) if place == SENSOR else self.world.run(name, **given)
