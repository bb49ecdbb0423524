"""Trying again: what may pass is repeated with growing pauses, until the time of the whole operation is used up.

obstore repeats nothing for us: it would not repeat a create-only put whose answer was lost, and has no total deadline.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from posegen.errors import ObjectCorrupt, StorageError, StoreUnavailable
from posegen.storage.configuration import RequestLimits
from posegen.storage.s3_errors import FAILURES, understood

T = TypeVar("T")

# A flipped bit on the way is gone when the object is read again; one in the store stays.
_CORRUPT_READS = 3


class Attempts:
    """Runs the requests of one store. `store`: its name, for the errors."""

    def __init__(
        self,
        limits: RequestLimits,
        *,
        store: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._slots = threading.BoundedSemaphore(limits.at_once)

    def run(self, request: Callable[[int], T], key: str) -> T:
        """The result of `request`, which is given the number of attempts before this one.

        Raises the storage error of what does not pass, or of the last attempt.
        """
        began = self._clock()
        attempt = 0
        while True:
            try:
                with self._slot(began, key):
                    return request(attempt)
            except ObjectCorrupt as corrupt:
                error: StorageError = corrupt
                passes = attempt + 1 < _CORRUPT_READS
            except FAILURES as failure:
                trouble = understood(failure)
                error = trouble.error(store=self._store, key=key, attempts=attempt + 1)
                passes = trouble.passes
            pause = self._pause(attempt)
            if not passes or self._clock() - began + pause + self._limits.request > self._limits.total:
                raise error from None
            self._sleep(pause)
            attempt += 1

    def _pause(self, attempt: int) -> float:
        longest = min(self._limits.longest_pause, self._limits.first_pause * 2.0**attempt)
        return longest * (0.5 + self._chance() / 2)

    @contextmanager
    def _slot(self, began: float, key: str) -> Iterator[None]:
        left = max(0.0, self._limits.total - (self._clock() - began))
        if not self._slots.acquire(timeout=left):
            raise StoreUnavailable(
                f"{self._limits.at_once} requests at once are allowed, and others have kept the store busy.",
                store=self._store,
                key=key,
            )
        try:
            yield
        finally:
            self._slots.release()
