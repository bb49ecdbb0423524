"""Faults of the workers themselves: killed, stopped, suspended, asked to stop, with a wrong clock."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress

from posegen.work.commit_points import OF_HOSTED_CALLS, CommitPoint
from tests.concurrency import until
from tests.faults.crew import BEYOND_THE_LEASE, FIRES_WITHIN, Crew, Member
from tests.faults.scenarios import STORED, SUSPENDED

ON_THE_WAY = (
    *(CommitPoint.BEFORE_UPLOAD, CommitPoint.AFTER_UPLOAD, CommitPoint.BEFORE_VERIFY, CommitPoint.AFTER_VERIFY),
    *(CommitPoint.BEFORE_CAPTURE, CommitPoint.AFTER_CAPTURE, CommitPoint.BEFORE_COMMIT, CommitPoint.AFTER_COMMIT),
    *(CommitPoint.BEFORE_FINISH, CommitPoint.AFTER_FINISH),
)


SUSPENDS_WITHIN = 30.0


def kill_a_run(crew: Crew) -> None:
    """kill -9, in the middle of whatever it does."""
    member = crew.busy_run()
    crew.wait_a_moment()
    crew.exchange(member)


def kill_at_a_commit_point(crew: Crew) -> None:
    """It dies at one of the named points."""
    point = crew.random.choice(ON_THE_WAY)
    _die_at(crew, crew.any_run(), f"{point}:{crew.random.randint(1, 3)}")


def kill_while_giving_up_a_pose(crew: Crew) -> None:
    """The service refuses, and the worker dies before or after it gives the credits back."""
    point = crew.random.choice((CommitPoint.BEFORE_RELEASE, CommitPoint.AFTER_RELEASE))
    # Whoever asks is refused until the one that is meant has been: nobody else can use the refusals up.
    crew.world.far_end.answer_next("wrong size", calls=sys.maxsize)
    _die_at(crew, crew.any_run(), point)
    crew.service_is_well()


def kill_while_giving_back(crew: Crew) -> None:
    """It was asked to stop, and is killed before or after it has put its work back."""
    point = crew.random.choice((CommitPoint.BEFORE_GIVING_BACK, CommitPoint.AFTER_GIVING_BACK))
    member = crew.any_run()
    crew.exchange(member, point=point)
    crew.wait_until_at_work(member)
    at = time.time()
    member.worker.send(signal.SIGTERM)
    member.worker.wait()
    crew.note_loss(member, at)
    crew.replace(member)


def kill_at_a_step_of_a_call(crew: Crew) -> None:
    """It dies at a point of a call to a hosted backend."""
    point = crew.random.choice(OF_HOSTED_CALLS)
    _die_at(crew, crew.any_run(), f"{point}:{crew.random.randint(1, 3)}")


def stop_at_a_step_of_a_call(crew: Crew) -> None:
    """It stands still at a point of a call, and goes on when another has its work."""
    member = crew.any_run()
    crew.exchange(member, point=f"{crew.random.choice(OF_HOSTED_CALLS)}:{crew.random.randint(1, 3)}", stops=True)
    _stand_still(crew, member)
    crew.wait_a_moment()
    crew.exchange(member)


def stop_a_run(crew: Crew) -> None:
    """SIGSTOP past its lease, then SIGCONT: it believes that no time has passed."""
    _stop(crew, crew.busy_run())


def suspend_a_machine(crew: Crew) -> None:
    """It stands still between store and row, with its clock, and wakes when another has its work."""
    member = crew.any_run()
    until(lambda: _is_suspended(crew, member), seconds=FIRES_WITHIN)
    _stand_still(crew, member)
    crew.wait_a_moment()
    crew.exchange(member)


def _is_suspended(crew: Crew, member: Member) -> bool:
    """Whether a new worker comes to that point. With its clock it waits for ever for a hosted backend's call."""
    crew.exchange(member, point=STORED, **SUSPENDED)
    with suppress(AssertionError):
        until(lambda: crew.ask() or member.worker.stopped, seconds=SUSPENDS_WITHIN)
    return member.worker.stopped


def ask_a_run_to_stop(crew: Crew) -> None:
    """SIGTERM: it gives its work back and ends."""
    member = crew.busy_run()
    crew.wait_a_moment()
    member.worker.send(signal.SIGTERM)
    member.worker.wait()
    crew.replace(member)


def set_a_clock_wrong(crew: Crew) -> None:
    """A worker whose clock is an hour ahead or behind, or runs at half the speed, is killed at work."""
    member = crew.any_run()
    wrong = crew.random.choice(({"clock_ahead": 3600.0}, {"clock_ahead": -3600.0}, {"clock_rate": 0.5}))
    crew.exchange(member, **wrong)
    crew.wait_until_at_work(member)
    crew.wait_a_moment()
    crew.exchange(member)


def kill_the_sensor(crew: Crew) -> None:
    """kill -9 of what recovers, judges and claims."""
    crew.ask()
    crew.wait_a_moment()
    crew.exchange(crew.sensor)


def stop_the_sensor(crew: Crew) -> None:
    """SIGSTOP and SIGCONT of it, in the middle of a transaction as likely as not."""
    _stop(crew, crew.sensor)


def _die_at(crew: Crew, member: Member, point: str) -> None:
    crew.exchange(member, point=point)
    until(lambda: crew.ask() or not member.worker.alive, seconds=FIRES_WITHIN)
    crew.note_loss(member, time.time())
    crew.replace(member)


def _stand_still(crew: Crew, member: Member) -> None:
    """Wait until a worker has stopped itself, and let it go on after its lease."""
    until(lambda: crew.ask() or member.worker.stopped, seconds=FIRES_WITHIN)
    crew.note_loss(member, time.time())
    time.sleep(crew.world.lease_seconds + BEYOND_THE_LEASE)
    member.worker.resume()


def _stop(crew: Crew, member: Member) -> None:
    crew.wait_a_moment()
    at = time.time()
    member.worker.stop()
    crew.note_loss(member, at)
    time.sleep(crew.world.lease_seconds + BEYOND_THE_LEASE)
    member.worker.resume()
