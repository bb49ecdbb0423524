"""The faults, one function each: what happens to a crew at work, until the cause is gone again.

Whether anybody was hurt is not looked at here, but in `evidence.py` when everything has come to rest.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import psycopg

from posegen.database.cluster import find_postmaster
from posegen.lifecycle.commit_points import CommitPoint
from tests import builders
from tests.concurrency import until
from tests.fault_proxy_http import Fault, SeenRequest
from tests.faults.crew import Crew, Member
from tests.faults.scenarios import STORED, SUSPENDED
from tests.tcp_fault_proxy import CommitFault

# How much longer than its lease somebody is out of reach.
BEYOND_THE_LEASE = 0.4
OUTAGE_SECONDS = 0.7
FIRES_WITHIN = 40.0
# What the transactions of a worker say before their COMMIT.
MARKERS = (b"pose_completed", b"exports_stored", b"started")
ON_THE_WAY = (
    *(CommitPoint.BEFORE_UPLOAD, CommitPoint.AFTER_UPLOAD, CommitPoint.BEFORE_VERIFY, CommitPoint.AFTER_VERIFY),
    *(CommitPoint.BEFORE_CAPTURE, CommitPoint.AFTER_CAPTURE, CommitPoint.BEFORE_COMMIT, CommitPoint.AFTER_COMMIT),
    *(CommitPoint.BEFORE_FINISH, CommitPoint.AFTER_FINISH),
)

Inject = Callable[[Crew], None]


class Needs(Enum):
    """What a fault can only be injected into."""

    NOTHING = "nothing"
    DISK = "a store on a disk of its own"
    BUCKET = "a store in a bucket"


@dataclass(frozen=True)
class Kind:
    """A kind of fault. `group`: whose it is."""

    group: str
    inject: Inject
    needs: Needs = Needs.NOTHING


# --- workers ------------------------------------------------------------------------------------------------------


def kill_a_run(crew: Crew) -> None:
    """kill -9, in the middle of whatever it does."""
    member = crew.busy_run()
    _wait_a_moment(crew)
    crew.exchange(member)


def kill_at_a_commit_point(crew: Crew) -> None:
    """It dies at one of the named points."""
    point = crew.random.choice(ON_THE_WAY)
    _die_at(crew, crew.any_run(), f"{point}:{crew.random.randint(1, 3)}")


def kill_while_giving_up_a_pose(crew: Crew) -> None:
    """The service refuses, and the worker dies before or after it gives the credits back."""
    point = crew.random.choice((CommitPoint.BEFORE_RELEASE, CommitPoint.AFTER_RELEASE))
    _answer(crew, "wrong size", calls=6)
    _die_at(crew, crew.any_run(), point)
    _service_is_well(crew)


def kill_while_giving_back(crew: Crew) -> None:
    """It was asked to stop, and is killed before or after it has put its work back."""
    point = crew.random.choice((CommitPoint.BEFORE_GIVING_BACK, CommitPoint.AFTER_GIVING_BACK))
    member = crew.any_run()
    crew.exchange(member, point=point)
    until(lambda: _asks_and_is_held_by(crew, member), seconds=FIRES_WITHIN)
    at = time.time()
    member.worker.send(signal.SIGTERM)
    member.worker.wait()
    crew.note_loss(member, at)
    crew.replace(member)


def stop_a_run(crew: Crew) -> None:
    """SIGSTOP past its lease, then SIGCONT: it believes that no time has passed."""
    _stop(crew, crew.busy_run())


def suspend_a_machine(crew: Crew) -> None:
    """It stands still between store and row, with its clock, and wakes when another has its work."""
    member = crew.any_run()
    crew.exchange(member, point=STORED, **SUSPENDED)
    until(lambda: crew.ask() or member.worker.stopped, seconds=FIRES_WITHIN)
    crew.note_loss(member, time.time())
    time.sleep(crew.world.lease_seconds + BEYOND_THE_LEASE)
    member.worker.resume()
    _wait_a_moment(crew)
    crew.exchange(member)


def ask_a_run_to_stop(crew: Crew) -> None:
    """SIGTERM: it gives its work back and ends."""
    member = crew.busy_run()
    _wait_a_moment(crew)
    member.worker.send(signal.SIGTERM)
    member.worker.wait()
    crew.replace(member)


def set_a_clock_wrong(crew: Crew) -> None:
    """A worker whose clock is an hour ahead or behind, or runs at half the speed, is killed at work."""
    member = crew.any_run()
    wrong = crew.random.choice(({"clock_ahead": 3600.0}, {"clock_ahead": -3600.0}, {"clock_rate": 0.5}))
    crew.exchange(member, **wrong)
    until(lambda: _asks_and_is_held_by(crew, member), seconds=FIRES_WITHIN)
    _wait_a_moment(crew)
    crew.exchange(member)


def kill_the_sensor(crew: Crew) -> None:
    """kill -9 of what recovers, judges and claims."""
    crew.ask()
    _wait_a_moment(crew)
    crew.exchange(crew.sensor)


def stop_the_sensor(crew: Crew) -> None:
    """SIGSTOP and SIGCONT of it, in the middle of a transaction as likely as not."""
    _stop(crew, crew.sensor)


# --- the way to the database, and the database ----------------------------------------------------------------------


def reset_connections(crew: Crew) -> None:
    """Every connection of one process is reset."""
    member = crew.any()
    _wait_a_moment(crew)
    member.proxy.reset()


def refuse_connections(crew: Crew) -> None:
    """One process cannot reach the database for a while."""
    member = crew.any()
    member.proxy.refuse()
    time.sleep(OUTAGE_SECONDS)
    member.proxy.heal()


def blackhole(crew: Crew) -> None:
    """Nothing of one worker arrives until its lease is over; then all of it does."""
    member = crew.busy_run()
    at = time.time()
    member.proxy.blackhole()
    time.sleep(crew.world.lease_seconds / 2)
    crew.note_loss(member, at)
    time.sleep(crew.world.lease_seconds / 2 + BEYOND_THE_LEASE)
    member.proxy.heal()


def lose_a_commit(crew: Crew) -> None:
    """The connection breaks before a COMMIT arrives."""
    _fault_a_commit(crew, CommitFault.LOSE_THE_COMMIT)


def lose_the_answer_to_a_commit(crew: Crew) -> None:
    """The COMMIT counts, and who sent it never hears of it."""
    _fault_a_commit(crew, CommitFault.LOSE_THE_ANSWER)


def shut_postgres_down(crew: Crew) -> None:
    """An immediate shutdown under load, and a start."""
    _end_postgres(crew, signal.SIGQUIT)


def kill_postgres(crew: Crew) -> None:
    """kill -9 of the main process, and a start."""
    _end_postgres(crew, signal.SIGKILL)


# --- the disk -------------------------------------------------------------------------------------------------------


def fill_the_disk(crew: Crew) -> None:
    """No space is left, for a while."""
    assert crew.world.disk is not None
    crew.busy_run()
    crew.world.disk.fill()
    time.sleep(OUTAGE_SECONDS)
    crew.world.disk.make_room()


def make_the_disk_read_only(crew: Crew) -> None:
    """Nothing can be written, for a while."""
    assert crew.world.disk is not None
    crew.busy_run()
    crew.world.disk.make_read_only()
    time.sleep(OUTAGE_SECONDS)
    crew.world.disk.make_writable()


def turn_a_bit_over(crew: Crew) -> None:
    """The disk keeps other bytes than it was given, and says that all is well."""
    member = crew.any_run()
    crew.exchange(member, lies=2)
    until(lambda: _asks_and_is_held_by(crew, member), seconds=FIRES_WITHIN)
    time.sleep(OUTAGE_SECONDS)
    crew.exchange(member)


# --- the bucket -----------------------------------------------------------------------------------------------------


def the_bucket_breaks(fault: Fault) -> Inject:
    """Some requests to the store meet a fault on their way."""

    def inject(crew: Crew) -> None:
        proxy = crew.world.storage
        assert proxy is not None
        so_far = proxy.faulted
        proxy.break_requests(fault, times=crew.random.randint(1, 3), matching=_carries_bytes)
        until(lambda: crew.ask() or proxy.faulted > so_far, seconds=FIRES_WITHIN)
        time.sleep(OUTAGE_SECONDS)
        proxy.heal()

    inject.__doc__ = f"A request to the store meets: {fault.value}."
    return inject


def the_bucket_is_away(crew: Crew) -> None:
    """Every request is told to slow down, for a while."""
    assert crew.world.storage is not None
    crew.busy_run()
    crew.world.storage.break_requests(Fault.SLOW_DOWN, times=math.inf)
    time.sleep(2 * OUTAGE_SECONDS)
    crew.world.storage.heal()


def _carries_bytes(request: SeenRequest) -> bool:
    return request.method in ("GET", "PUT")


# --- the rendering service ------------------------------------------------------------------------------------------


def the_service_answers(answer: str) -> Inject:
    """Some calls are answered in another way than with a picture."""

    def inject(crew: Crew) -> None:
        _answer(crew, answer, calls=crew.random.randint(1, 3))
        crew.busy_run()
        time.sleep(OUTAGE_SECONDS)
        _service_is_well(crew)

    inject.__doc__ = f"The service answers: {answer}."
    return inject


# --- customers ------------------------------------------------------------------------------------------------------


def cancel_at_work(crew: Crew) -> None:
    """A customer cancels while the pictures are being made."""
    member = crew.busy_run()
    generation = crew.world.held_by(member.worker.name)
    if generation is not None:
        crew.may_fail.add(generation)
        crew.world.rows("select cancel_generation(%s)", generation)


def submit_twice(crew: Crew) -> None:
    """The answer to a submission is lost, and the customer's backend sends it again with the same key."""
    world, proxy = crew.world, crew.world.proxy()
    key, seed = f"key-{len(world.accepted)}", world.next_seed()
    statement = "select generation_id from submit_generation(%s, %s, poses => %s, seed => %s)"
    values = [world.user, key, [builders.A_POSE], seed]
    proxy.fault_next_commit(CommitFault.LOSE_THE_ANSWER, marker=key.encode())
    for _ in range(2):
        try:
            with psycopg.connect(world.url_through(proxy)) as connection:
                (generation,) = connection.execute(statement, values).fetchone() or (None,)
            break
        except psycopg.OperationalError:
            continue
    world.promised(generation)
    same = "select count(*) from generation_requests where idempotency_key = %s"
    assert world.value(same, key) == 1, "the customer would pay twice"


KINDS: dict[str, Kind] = {
    "kill -9 of a run": Kind("processes", kill_a_run),
    "kill at a commit point": Kind("processes", kill_at_a_commit_point),
    "kill while a pose is given up": Kind("processes", kill_while_giving_up_a_pose),
    "kill while work is given back": Kind("processes", kill_while_giving_back),
    "SIGSTOP of a run past its lease": Kind("processes", stop_a_run),
    "machine suspended past its lease": Kind("processes", suspend_a_machine),
    "SIGTERM of a run": Kind("processes", ask_a_run_to_stop),
    "wrong clock, then kill -9": Kind("processes", set_a_clock_wrong),
    "kill -9 of the sensor": Kind("processes", kill_the_sensor),
    "SIGSTOP of the sensor": Kind("processes", stop_the_sensor),
    "connections reset": Kind("network", reset_connections),
    "connections refused": Kind("network", refuse_connections),
    "blackhole past the lease": Kind("network", blackhole),
    "COMMIT lost": Kind("network", lose_a_commit),
    "answer to a COMMIT lost": Kind("network", lose_the_answer_to_a_commit),
    "PostgreSQL: immediate shutdown": Kind("database", shut_postgres_down),
    "PostgreSQL: kill -9": Kind("database", kill_postgres),
    "disk full": Kind("disk", fill_the_disk, Needs.DISK),
    "disk read-only": Kind("disk", make_the_disk_read_only, Needs.DISK),
    "disk turns a bit over": Kind("disk", turn_a_bit_over, Needs.DISK),
    **{f"S3: {fault.value}": Kind("store", the_bucket_breaks(fault), Needs.BUCKET) for fault in Fault},
    "S3: away": Kind("store", the_bucket_is_away, Needs.BUCKET),
    "backend: 429": Kind("backend", the_service_answers("429")),
    "backend: 500": Kind("backend", the_service_answers("500")),
    "backend: hangs": Kind("backend", the_service_answers("hang")),
    "backend: truncated image": Kind("backend", the_service_answers("truncated")),
    "backend: image of the wrong size": Kind("backend", the_service_answers("wrong size")),
    "backend: image of another request": Kind("backend", the_service_answers("another picture")),
    "backend: connection cut": Kind("backend", the_service_answers("reset")),
    "customer cancels at work": Kind("customers", cancel_at_work),
    "submission sent twice": Kind("customers", submit_twice),
}
"""Every kind of fault by its name in the scorecard."""


def _wait_a_moment(crew: Crew) -> None:
    """Let the fault meet a different step each time."""
    time.sleep(crew.random.uniform(0, 0.3))


def _asks_and_is_held_by(crew: Crew, member: Member) -> bool:
    crew.ask()
    return crew.world.held_by(member.worker.name) is not None


def _die_at(crew: Crew, member: Member, point: str) -> None:
    crew.exchange(member, point=point)
    until(lambda: crew.ask() or not member.worker.alive, seconds=FIRES_WITHIN)
    crew.note_loss(member, time.time())
    crew.replace(member)


def _stop(crew: Crew, member: Member) -> None:
    _wait_a_moment(crew)
    at = time.time()
    member.worker.stop()
    crew.note_loss(member, at)
    time.sleep(crew.world.lease_seconds + BEYOND_THE_LEASE)
    member.worker.resume()


def _fault_a_commit(crew: Crew, fault: CommitFault) -> None:
    member = crew.any_run()
    member.proxy.fault_next_commit(fault, marker=crew.random.choice(MARKERS))
    until(lambda: crew.ask() or member.proxy.commit_was_faulted(0.05), seconds=FIRES_WITHIN)


def _end_postgres(crew: Crew, number: signal.Signals) -> None:
    crew.busy_run()
    _wait_a_moment(crew)
    ground = crew.world.ground
    postmaster = find_postmaster(ground.cluster)
    assert postmaster is not None
    os.kill(postmaster.pid, number)
    until(lambda: find_postmaster(ground.cluster) is None)
    time.sleep(crew.random.uniform(0, OUTAGE_SECONDS))
    ground.urls.keep_running()


def _answer(crew: Crew, answer: str, *, calls: int) -> None:
    crew.world.far_end.answer_next(answer, calls=calls)


def _service_is_well(crew: Crew) -> None:
    """From now on it answers as it should; whoever was answered otherwise may have failed by it."""
    crew.world.far_end.release()
    crew.may_fail |= crew.world.generations_of(
        {call.seed for call in crew.world.far_end.calls() if call.answer != "picture"}
    )
