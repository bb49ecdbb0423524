"""Faults of what is around the workers: network, database, disk, bucket, the rendering service, and their customers."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from posegen.database.cluster import find_postmaster
from tests import builders
from tests.concurrency import until
from tests.fault_proxy_http import Fault, SeenRequest
from tests.faults.crew import BEYOND_THE_LEASE, FIRES_WITHIN, OUTAGE_SECONDS, Crew
from tests.tcp_fault_proxy import CommitFault

# What the transactions of a worker say before their COMMIT.
MARKERS = (b"pose_completed", b"exports_stored", b"started")

# --- the way to the database, and the database ----------------------------------------------------------------------


def reset_connections(crew: Crew) -> None:
    """Every connection of one process is reset."""
    member = crew.any()
    crew.wait_a_moment()
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
    crew.wait_until_at_work(member)
    time.sleep(OUTAGE_SECONDS)
    crew.exchange(member)


# --- the bucket -----------------------------------------------------------------------------------------------------


def the_bucket_breaks(fault: Fault) -> Callable[[Crew], None]:
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


def the_service_answers(answer: str) -> Callable[[Crew], None]:
    """Some calls are answered in another way than with a picture."""

    def inject(crew: Crew) -> None:
        crew.world.far_end.answer_next(answer, calls=crew.random.randint(1, 3))
        crew.busy_run()
        time.sleep(OUTAGE_SECONDS)
        crew.service_is_well()

    inject.__doc__ = f"The service answers: {answer}."
    return inject


def the_far_end_answers(kind: str) -> Callable[[Crew], None]:
    """Some submits to a hosted backend meet a fault, by its name in `tests.wires.faults`."""

    def inject(crew: Crew) -> None:
        far_end = crew.random.choice(list(crew.world.hosted.values()))
        far_end.faults.add(kind, times=crew.random.randint(1, 3))
        until(lambda: crew.ask() or far_end.faults.to_json()[0]["happened"], seconds=FIRES_WITHIN)
        time.sleep(OUTAGE_SECONDS)
        far_end.faults.clear()

    inject.__doc__ = f"A submit meets: {kind}."
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


def _fault_a_commit(crew: Crew, fault: CommitFault) -> None:
    member = crew.any_run()
    member.proxy.fault_next_commit(fault, marker=crew.random.choice(MARKERS))
    until(lambda: crew.ask() or member.proxy.commit_was_faulted(0.05), seconds=FIRES_WITHIN)


def _end_postgres(crew: Crew, number: signal.Signals) -> None:
    crew.busy_run()
    crew.wait_a_moment()
    ground = crew.world.ground
    # Another episode may just have ended it, too.
    postmaster = until(lambda: find_postmaster(ground.cluster))
    assert postmaster is not None
    with suppress(ProcessLookupError):
        os.kill(postmaster.pid, number)
    until(lambda: (now := find_postmaster(ground.cluster)) is None or now.pid != postmaster.pid)
    time.sleep(crew.random.uniform(0, OUTAGE_SECONDS))
    ground.urls.keep_running()
