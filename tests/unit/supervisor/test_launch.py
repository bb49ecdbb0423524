from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from posegen.settings import PROJECT_ROOT
from posegen.supervisor.launch import PARENT_IS_GONE

# A shell's `&` and `nohup` leave signals ignored, and a thread that starts a program may hold some back.
CARELESS_PARENT = """
import os, signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
subprocess.run([sys.executable, "-m", "posegen.supervisor.launch", str(os.getpid()), "cat", "/proc/self/status"])
"""


def test_a_program_starts_with_every_signal_at_its_default():
    done = subprocess.run([sys.executable, "-c", CARELESS_PARENT], stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)

    status = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert int(status["SigIgn"], 16) == 0
    assert int(status["SigBlk"], 16) == 0


def test_nothing_starts_for_a_parent_that_has_died_meanwhile(tmp_path: Path):
    not_the_parent = str(os.getppid())
    command = [sys.executable, "-m", "posegen.supervisor.launch", not_the_parent, "touch", str(tmp_path / "started")]

    assert subprocess.run(command, cwd=PROJECT_ROOT).returncode == PARENT_IS_GONE
    assert not (tmp_path / "started").exists()
