"""A process that supervises one program, for tests that kill it: `supervised.py LOGS MARK CODE`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from posegen.settings import PROJECT_ROOT
from posegen.supervisor.processes import Program, Surroundings
from posegen.supervisor.signals import stop_on_signals
from posegen.supervisor.supervision import Supervisor


def main(logs: str, mark: str, code: str) -> None:
    """Supervise until a signal comes."""
    program = Program("child", (sys.executable, "-c", code, mark), ready=lambda _: Path(mark).exists())
    supervisor = Supervisor([[program]], Surroundings(os.environ, PROJECT_ROOT, Path(logs)))
    with stop_on_signals(lambda hurry: supervisor.request_stop(hurry=hurry)):
        supervisor.start()
        print(supervisor.pids()["child"], flush=True)
        supervisor.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
