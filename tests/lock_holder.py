"""A worker of a run, as far as its lock goes, in a process of its own that imports nothing else."""

from __future__ import annotations

import time
from multiprocessing.synchronize import Event
from pathlib import Path

from posegen.work.worker_home import WorkerHome


def hold_and_wait(folder: Path, run: str, ready: Event) -> None:
    """Hold the lock of `run` in `folder` until the process is killed."""
    assert WorkerHome(folder).hold(run) is not None
    ready.set()
    time.sleep(600)
