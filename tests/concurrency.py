"""Things that happen at once, and waiting for them: by condition, never for a length of time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 180.0
# Each look takes CPU from the processes that are waited for, a look through a webserver most of all.
SHORTEST_PAUSE = 0.01
LONGEST_PAUSE = 0.05
LONGEST_PAUSE_BY_COST = 0.5


def at_once(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Make all calls at the same moment, each in a thread of its own; what each returned or raised, in order."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Exception:
        start.wait(PATIENCE)
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # the test looks at it
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def until(condition: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """Wait until the condition returns something true, and return that; `AssertionError` when it never does.

    The pauses between two looks grow, and are three times as long as a look takes.
    """
    deadline = time.monotonic() + seconds
    pause = SHORTEST_PAUSE
    while True:
        began = time.monotonic()
        if answer := condition():
            return answer
        took = time.monotonic() - began
        assert began + took < deadline, "the condition did not come true in time"
        time.sleep(max(pause, min(3 * took, LONGEST_PAUSE_BY_COST)))
        pause = min(pause * 1.2, LONGEST_PAUSE)
