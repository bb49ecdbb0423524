"""Commit points: the named moments of a worker between which nothing may get lost, as a hook for the fault tests.

`reached` does nothing unless the setting POSEGEN_KILL_AT names the point: then the process is gone at once, as if by
kill -9. What is safe at each point is proved in `tests/faults`.
"""

from __future__ import annotations

import os
import threading
from enum import StrEnum
from functools import cache

from posegen.settings import load_settings

KILLED = 137


class CommitPoint(StrEnum):
    """A moment just before or just after a step. `capture` and `release` are steps inside the commit's transaction."""

    AFTER_PLAN = "after plan"
    AFTER_MARK = "after mark"
    AFTER_SUBMIT = "after submit"
    AFTER_ACCEPT = "after accept"
    WHILE_WAITING = "while waiting"
    BEFORE_STORE = "before store"
    AFTER_DELIVERY = "after delivery"
    BEFORE_UPLOAD = "before upload"
    AFTER_UPLOAD = "after upload"
    BEFORE_VERIFY = "before verify"
    AFTER_VERIFY = "after verify"
    BEFORE_CAPTURE = "before capture"
    AFTER_CAPTURE = "after capture"
    BEFORE_RELEASE = "before release"
    AFTER_RELEASE = "after release"
    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"
    BEFORE_FINISH = "before finish"
    AFTER_FINISH = "after finish"
    BEFORE_GIVING_BACK = "before giving back"
    AFTER_GIVING_BACK = "after giving back"


OF_HOSTED_CALLS = (
    CommitPoint.AFTER_PLAN,
    CommitPoint.AFTER_MARK,
    CommitPoint.AFTER_SUBMIT,
    CommitPoint.AFTER_ACCEPT,
    CommitPoint.WHILE_WAITING,
    CommitPoint.BEFORE_STORE,
    CommitPoint.AFTER_DELIVERY,
)
"""Those that only a worker with a hosted backend reaches."""


def reached(point: CommitPoint) -> None:
    """End the process here when the setting names this point; called by workers at each point."""
    countdown = _countdown()
    if countdown is not None and countdown.ends_at(point):
        os._exit(KILLED)


class _Countdown:
    """Counts how often this process has reached the point that it is to end at."""

    def __init__(self, point: CommitPoint, times: int) -> None:
        self._point = point
        self._times = times
        self._lock = threading.Lock()

    def ends_at(self, point: CommitPoint) -> bool:
        if point is not self._point:
            return False
        with self._lock:
            self._times -= 1
            return self._times <= 0


@cache
def _countdown() -> _Countdown | None:
    """Read once in each process: the points lie in the middle of transactions."""
    kill_at = load_settings().posegen_kill_at
    if kill_at is None:
        return None
    point, _, times = kill_at.partition(":")
    return _Countdown(CommitPoint(point), int(times or 1))
