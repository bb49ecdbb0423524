"""Process groups: who is in one, and how one is ended for certain.

Each program that we start leads a group, and what it starts by itself belongs to the same group.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc")
POLL_SECONDS = 0.05
LAST_WORD_SECONDS = 5


@dataclass(frozen=True)
class Patience:
    """Seconds from SIGTERM to SIGKILL.

    Together with the end of the database it has to stay below 10 s and 25 s.

    Attributes:
        idle: for a group in which nothing runs.
        busy: for a group whose runs have to let go first.
    """

    idle: float = 6.5
    busy: float = 21.5


def members(group: int) -> list[int]:
    """The living processes of the group. A zombie is dead."""
    if not PROCESSES.joinpath("self").exists():
        return [group] if send(group, 0) else []
    return [pid for pid in _all_processes() if _lives_in(pid, group)]


def run_workers(group: int) -> list[int]:
    """The processes in which the group's code server executes runs: the children of its fork server.

    The fork server is a child of the group's leader, the code server, or of a process outside of the group once the
    leader is dead.
    """
    others = [pid for pid in members(group) if pid != group]
    starters = [pid for pid in others if _parent(pid) not in others]
    return [pid for pid in others if _parent(pid) in starters]


def send(group: int, number: int) -> bool:
    """Send a signal to every process of the group; whether there was one to take it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def reap(group: int) -> None:
    """Collect members that have become our own children because their parent died; as process 1 we must."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass


def end_groups(
    groups: Collection[int],
    patience: Patience,
    *,
    hurried: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> set[int]:
    """End every process of the groups: SIGTERM first, SIGKILL when patience has run out.

    Returns the groups that had to be killed. `hurried`: when it turns true, all patience is over.
    """
    started = clock()
    limits = {group: patience.busy if run_workers(group) else patience.idle for group in groups}
    for group in groups:
        send(group, signal.SIGTERM)
    killed: set[int] = set()
    given_up = started + patience.busy + LAST_WORD_SECONDS
    while (alive := [group for group in groups if members(group)]) and clock() < given_up:
        late = [group for group in alive if hurried() or clock() >= started + limits[group]]
        for group in late:
            send(group, signal.SIGKILL)
        killed.update(late)
        time.sleep(POLL_SECONDS)
    return killed


def _all_processes() -> list[int]:
    return [int(entry.name) for entry in PROCESSES.iterdir() if entry.name.isdecimal()]


def _lives_in(pid: int, group: int) -> bool:
    # "pid (name) state parent group ...", where the name may hold anything.
    details = _read(pid, "stat").rpartition(b")")[2].split()
    return bool(details) and details[2] == str(group).encode() and details[0] not in (b"Z", b"X")


def _parent(pid: int) -> int:
    after_name = _read(pid, "stat").rpartition(b")")[2].split()
    return int(after_name[1]) if after_name else 0


def _read(pid: int, name: str) -> bytes:
    try:
        return PROCESSES.joinpath(str(pid), name).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
