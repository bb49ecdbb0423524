from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from posegen.settings import PROJECT_ROOT
from posegen.supervisor.guard import Guard
from posegen.supervisor.process_groups import members
from tests.concurrency import until


class Killed(BaseException):
    """Stands for the end of the process that keeps the guard."""


def test_a_new_guard_has_its_groups_even_if_we_are_killed_as_soon_as_it_starts(monkeypatch: pytest.MonkeyPatch):
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def killed_after_the_start(*arguments, **options):
        started.append(start(*arguments, **options))
        raise Killed

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    guard = Guard(os.environ, PROJECT_ROOT, ())
    guard.watch(child.pid)
    os.kill(guard.pid, signal.SIGKILL)
    guard._process.wait()
    monkeypatch.setattr(subprocess, "Popen", killed_after_the_start)

    with pytest.raises(Killed):
        guard.keep_running()
    guard._hang_up()

    until(lambda: members(child.pid) == [])
    child.wait()
    started[0].wait()
