"""Proof of death: the kernel says whether a worker of this machine lives, and its lease need not run out."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from posegen.generations.asking import claims
from posegen.generations.making.recovery import TimeLimits, recover
from posegen.work.rules import RetryRule
from posegen.work.worker_home import WorkerHome
from tests.builders import execute, queued, row, running, started, value
from tests.concurrency import at_once, until
from tests.lock_holder import hold_and_wait

RUN = "0c8a1f9e-run"
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def home(tmp_path: Path) -> WorkerHome:
    return WorkerHome(tmp_path / "workers")


@pytest.fixture
def worker(tmp_path: Path):
    """A process that holds the lock of `RUN`."""
    ready = SPAWN.Event()
    process = SPAWN.Process(target=hold_and_wait, args=(tmp_path / "workers", RUN, ready), daemon=True)
    process.start()
    assert ready.wait(180)
    yield process
    process.kill()
    process.join()
    process.close()


def kill(process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join(180)


def test_a_worker_is_dead_when_it_was_killed_and_not_before(home, worker):
    assert not home.is_dead(RUN)

    os.kill(worker.pid, signal.SIGSTOP)
    assert not home.is_dead(RUN), "to stand still is not to be dead"
    os.kill(worker.pid, signal.SIGCONT)

    kill(worker)
    assert home.is_dead(RUN)


def test_a_run_that_never_worked_here_is_not_dead(home):
    assert home.id is None
    assert not home.is_dead("another")
    assert home.hold(RUN) is not None
    assert not home.is_dead("another")


def test_the_steps_of_a_run_hold_one_lock_until_the_process_ends(home):
    assert home.hold(RUN) == home.hold(RUN) == home.id

    assert not home.is_dead(RUN)


def test_those_who_come_first_at_once_agree_on_the_folders_name(home):
    names = at_once([lambda n=n: home.hold(f"run-{n}") for n in range(8)])

    assert len(set(names)) == 1
    assert names[0] is not None


def test_where_nothing_can_be_written_the_lease_has_to_do(tmp_path):
    (tmp_path / "workers").write_text("a file is in the way")

    assert WorkerHome(tmp_path / "workers").hold(RUN) is None


def test_files_of_runs_that_ended_long_ago_are_removed(home, worker, tmp_path):
    ended = tmp_path / "workers" / "ended.lock"
    ended.touch()
    for path in (tmp_path / "workers").glob("*.lock"):
        os.utime(path, (0, 0))

    assert home.tidy_up() == 1
    assert not ended.exists()
    assert not home.is_dead(RUN)


# --- recovery -----------------------------------------------------------------------------------------------------


def work_of(database, home, *, token_of_home=None):
    lease = running(database, run=RUN)
    execute(database, "update generations set worker_home = %s", token_of_home or home.id)
    return lease


def decide(database, home):
    return recover(database, RetryRule(), TimeLimits(), worker_home=home)


def test_a_killed_workers_generation_goes_on_at_once(database, home, worker):
    lease = work_of(database, home)
    assert decide(database, home) == []

    kill(worker)

    (decision,) = decide(database, home)
    assert (decision.id, decision.reason) == (lease.id, "its worker has died")
    assert row(database, "select status, lost_leases, not_before <= now() as at_once from generations") == {
        "status": "queued",
        "lost_leases": 1,
        "at_once": True,
    }
    assert value(database, "select run_id from lost_runs") == RUN
    assert decide(database, home) == []


def test_a_worker_of_another_machine_is_left_to_its_lease(database, home, worker):
    work_of(database, home, token_of_home="00000000-0000-4000-8000-000000000009")
    kill(worker)

    assert decide(database, home) == []


def test_a_generation_that_another_run_has_taken_is_not_touched(database, home, worker):
    work_of(database, home)
    kill(worker)
    (before,) = decide(database, home)
    generation = before.id
    (claim,) = claims.claim_next(database, most_running=1)
    started(database, claim, run="another")

    assert decide(database, home) == []
    assert value(database, "select status from generations where id = %s", generation) == "running"


def test_a_queue_that_nobody_works_on_is_no_business_of_it(database, home):
    queued(database)

    assert decide(database, home) == []


def test_two_sweeps_at_once_decide_once(database, home, worker, connections_open):
    work_of(database, home)
    kill(worker)
    until(lambda: home.is_dead(RUN))

    answers = at_once([lambda: decide(database, home)] * 4)

    assert sum(len(answer) for answer in answers) == 1
    assert value(database, "select lost_leases from generations") == 1
