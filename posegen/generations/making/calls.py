"""Calling a backend: with a time limit, again after a failure, and not while its circuit breaker is open.

The protocol is `posegen.backends.protocol`, the breaker `posegen.backends.breaker`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass

import structlog

from posegen.backends.breaker import Breaker
from posegen.backends.protocol import Backend, Recipe, Rendering
from posegen.errors import BackendRejected, BackendRetriesExceeded, BackendUnavailable
from posegen.generations.making import checkpoint
from posegen.generations.rows.poses import OpenPose
from posegen.studio import Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease
from posegen.work.working import Stopped

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.5
# What a worker that is asked to stop gives a call that is under way: it has 25 s in all.
LAST_SECONDS = 12.0


@dataclass(frozen=True)
class Caller:
    """A worker that has a generation. `stop`: set when nothing more is to be begun."""

    studio: Studio
    lease: Lease
    keeper: LeaseKeeper
    stop: threading.Event

    def render(self, backend: Backend, recipe: Recipe, pose: OpenPose) -> Rendering:
        """What the backend makes of the recipe.

        Raises `BackendHeldBack` when the generation has to wait for the backend, `BackendRetriesExceeded` when only
        this pose fails every time, `LeaseLost`, `Stopped`, and what the backend raises for good.
        """
        rule = self.studio.backend_rule
        breaker = Breaker(self.studio.database, pose.backend, rule)
        while True:
            while not breaker.admits():
                self._wait(_LOOK_SECONDS)
            self.keeper.check()
            try:
                rendering = self._within(rule.call_seconds, lambda: backend.render(recipe))
            except BackendUnavailable as error:
                breaker.failed(error)
                failures = checkpoint.count_backend_failure(self.studio.database, self.lease, pose)
                log.warning("backend did not respond", pose=str(pose.id), failures=failures, reason=str(error))
                if failures >= rule.attempts:
                    raise BackendRetriesExceeded(f"No response to {failures} calls; the last: {error}") from error
                self._wait(max(rule.first_pause * 2 ** (failures - 1), error.retry_after or 0))
            except BackendRejected:
                breaker.answered()
                raise
            else:
                breaker.answered()
                return rendering

    def _wait(self, seconds: float) -> None:
        while seconds > 0:
            if self.stop.wait(min(seconds, _LOOK_SECONDS)):
                raise Stopped
            self.keeper.check()
            seconds -= _LOOK_SECONDS

    def _within(self, seconds: float, call: Callable[[], Rendering]) -> Rendering:
        """The result of the call. One that takes longer is abandoned, and ends with the process."""
        rendering: Future[Rendering] = Future()
        threading.Thread(
            target=copy_context().run, args=(_run, rendering, call), name="backend call", daemon=True
        ).start()
        given_up = time.monotonic() + seconds
        while not wait([rendering], _LOOK_SECONDS).done:
            self.keeper.check()
            if time.monotonic() >= given_up:
                raise BackendUnavailable(f"No response within {seconds:g} s.")
            if self.stop.is_set():
                if wait([rendering], LAST_SECONDS).done:
                    break
                raise Stopped
        return rendering.result()


def _run(rendering: Future[Rendering], call: Callable[[], Rendering]) -> None:
    try:
        rendering.set_result(call())
    except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
        rendering.set_exception(error)
