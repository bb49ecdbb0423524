"""Ctrl-C and friends: the first asks for a stop, the second for a quick one."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signals(stop: Callable[[bool], None]) -> Iterator[None]:
    """Call `stop(False)` on the first SIGINT, SIGTERM or SIGHUP and `stop(True)` on each that follows.

    `stop` is called inside a signal handler: it may set a flag, and do nothing that waits. To be used in the main
    thread. SIGINT counts also where a shell's `&` has us ignore it; SIGHUP does not where `nohup` has.
    """
    seen: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        seen.append(number)
        stop(len(seen) > 1)

    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
