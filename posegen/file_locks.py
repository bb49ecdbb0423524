"""Locks on files that the kernel drops when their holder dies, kill -9 included (`flock`).

A lock belongs to the open file, so a child process that inherits the descriptor holds the lock too.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

EXCLUSIVE = fcntl.LOCK_EX
SHARED = fcntl.LOCK_SH

POLL_SECONDS = 0.02


def open_lock(path: Path) -> int:
    """A descriptor to lock `path` with. The file is created when missing and never removed."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, mode: int) -> bool:
    """Take the lock, or turn the held one into `mode`, without waiting. On False, no lock is held any more."""
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
    return True


def unlock(descriptor: int) -> None:
    """Drop the lock now, also where a forked child still has the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def wait_until(condition: Callable[[], bool], deadline: float) -> bool:
    """Ask `condition` again and again until it holds or `time.monotonic()` has passed `deadline`; its last answer."""
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return holds
