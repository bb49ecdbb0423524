"""Proof that a worker of this machine is dead: the kernel drops its file lock with its last thread, kill -9 included.

Without it a lease has to run out. The proof only saves that time: who may write is decided by the fencing token alone.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from uuid import UUID, uuid4

from posegen.file_locks import EXCLUSIVE, open_lock, try_lock

_KEPT_SECONDS = 3600


class WorkerHome:
    """A folder of one machine in which every run holds a lock for as long as its process lives.

    Args:
        folder: made when a run first needs it. The lock files of runs lie in it, and the folder's own id.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def id(self) -> UUID | None:
        """What tells this folder from those of other machines; None as long as no run has worked here."""
        try:
            return UUID((self._folder / "id").read_text().strip())
        except (OSError, ValueError):
            return None

    def hold(self, run_id: str) -> UUID | None:
        """Hold the lock of this run until the process ends, however it ends; returns the id of the folder.

        None when the folder cannot be used: then the lease has to do.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_id()
            lock = open_lock(self._path(run_id))
            # A second step of the same run finds its own lock. Never closed: only the kernel may say that we are dead.
            if not try_lock(lock, EXCLUSIVE):
                os.close(lock)
        except OSError:
            return None
        return self.id

    def is_dead(self, run_id: str) -> bool:
        """Whether the process of this run has held its lock here and does not any more."""
        try:
            lock = os.open(self._path(run_id), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return try_lock(lock, EXCLUSIVE)
        finally:
            os.close(lock)

    def tidy_up(self) -> int:
        """Remove the files of runs that ended long ago; returns how many."""
        long_ago = time.time() - _KEPT_SECONDS
        removed = 0
        for path in self._folder.glob("*.lock"):
            if path.stat().st_mtime < long_ago and self.is_dead(path.stem):
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _make_id(self) -> None:
        """Processes that come at once agree: a whole file takes its place, or finds one there."""
        if self.id is not None:
            return
        mine = self._folder / f"{uuid4()}.new"
        mine.write_text(str(uuid4()))
        try:
            os.link(mine, self._folder / "id")
        except FileExistsError:
            pass
        finally:
            mine.unlink()

    def _path(self, run_id: str) -> Path:
        # Runs of Dagster are named by uuids; any other name must not lead out of the folder.
        return self._folder / f"{run_id.replace(os.sep, '_')}.lock"
