"""Work of requests that takes a core for long: two at a time, a short queue behind them, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread

from posegen.web.problems import Problem

AT_ONCE = 2
MOST_WAITING = 20
Result = TypeVar("Result")


class HeavyWork:
    """Threads of their own for what decodes, draws and encodes, so that other requests keep theirs."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._pending = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns. Raises `Problem` (503) when too many wait already."""
        if self._pending >= AT_ONCE + MOST_WAITING:
            detail = f"{MOST_WAITING} requests wait for such work already: repeat this one later."
            raise Problem(503, "busy", detail, headers={"retry-after": "10"})
        self._pending += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._pending -= 1
