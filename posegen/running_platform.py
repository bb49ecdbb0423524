"""One `posegen up` for each data folder, and who that is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from posegen.errors import PlatformUnusable
from posegen.file_locks import EXCLUSIVE, SHARED, open_lock, try_lock, wait_until

# A process that only looks holds the lock for an instant.
LOOK_SECONDS = 1
# An `up` that was killed leaves its processes to its guard, which gives them this long at most.
REMNANT_SECONDS = 40


@dataclass(frozen=True)
class RunningPlatform:
    """The `posegen up` that serves a data folder now. `url`: of the Dagster UI; `api_url`: of the HTTP API, if any."""

    pid: int
    url: str
    api_url: str | None = None


def find_platform(home: Path) -> RunningPlatform | None:
    """The `posegen up` that serves the data folder `home`, or None when there is none."""
    path = home / "up.lock"
    if not path.exists():
        return None
    lock = open_lock(path)
    try:
        return None if try_lock(lock, SHARED) else _read(path)
    finally:
        os.close(lock)


@contextmanager
def hold_home(home: Path, url: str) -> Iterator[int]:
    """Serve the data folder `home` alone.

    Yields a descriptor for the processes' guard to inherit: no other `up` starts before the guard has ended, too.
    Raises `PlatformUnusable`, which names the process that is in the way.
    """
    home.mkdir(parents=True, exist_ok=True)
    ours, processes = open_lock(home / "up.lock"), open_lock(home / "processes.lock")
    try:
        if not wait_until(lambda: try_lock(ours, EXCLUSIVE), time.monotonic() + LOOK_SECONDS):
            other = _read(home / "up.lock")
            where = f" as process {other.pid}, at {other.url}" if other else ""
            raise PlatformUnusable(f"`posegen up` already runs for {home}{where}. Use that one, or stop it first.")
        if not wait_until(lambda: try_lock(processes, EXCLUSIVE), time.monotonic() + REMNANT_SECONDS):
            raise PlatformUnusable(
                f"Processes of an earlier `posegen up` for {home} do not end. Look for `posegen.supervisor.guard` in "
                "the list of processes: it waits for them."
            )
        os.truncate(ours, 0)
        os.pwrite(ours, json.dumps(asdict(RunningPlatform(os.getpid(), url))).encode(), 0)
        yield processes
    finally:
        os.close(processes)
        os.close(ours)


def _read(path: Path) -> RunningPlatform | None:
    try:
        return RunningPlatform(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
