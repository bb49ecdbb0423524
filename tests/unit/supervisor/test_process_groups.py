from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from posegen.supervisor.process_groups import Patience, end_groups, members, run_workers, send
from tests.concurrency import until

SLEEPER = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEPER}"
PARENT_THAT_ENDS = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
PARENT_THAT_STAYS = PARENT_THAT_ENDS + ".wait()"


@contextmanager
def group(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    leader = subprocess.Popen(
        [sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield leader
    finally:
        send(leader.pid, signal.SIGKILL)
        leader.communicate()


def test_a_group_holds_what_its_leader_has_started():
    with group(PARENT_THAT_STAYS, SLEEPER) as leader:
        until(lambda: len(members(leader.pid)) == 2)

        assert leader.pid in members(leader.pid)


def test_a_process_that_nobody_has_reaped_is_no_member():
    with group("pass") as leader:
        until(lambda: members(leader.pid) == [])

        assert leader.returncode is None, "it should still wait to be reaped"


def test_a_group_outlives_its_leader_until_it_is_ended():
    with group(PARENT_THAT_ENDS, SLEEPER) as leader:
        leader.wait()
        until(lambda: len(members(leader.pid)) == 1)

        assert end_groups([leader.pid], Patience()) == set()
        assert members(leader.pid) == []


def test_who_does_not_listen_is_killed_when_patience_is_over():
    with group(STUBBORN) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()

        assert end_groups([leader.pid], Patience(idle=0.2, busy=20)) == {leader.pid}
        assert members(leader.pid) == []


def test_a_hurry_ends_all_patience():
    with group(STUBBORN) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()

        assert end_groups([leader.pid], Patience(idle=60, busy=60), hurried=lambda: True) == {leader.pid}


def test_a_group_with_a_run_gets_the_longer_patience():
    run = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit())); "
        f"os.fork() or os.fork() or print(os.getpid(), flush=True); {SLEEPER}"
    )
    with group(run) as leader:
        assert leader.stdout is not None
        worker = int(leader.stdout.readline())
        assert run_workers(leader.pid) == [worker], "code server and fork server execute no run"

        assert end_groups([leader.pid], Patience(idle=0.1, busy=30)) == set(), "it was given no time to let go"


def test_a_group_that_has_gone_takes_no_signal():
    with group("pass") as leader:
        leader.wait()

        assert not send(leader.pid, signal.SIGTERM)
