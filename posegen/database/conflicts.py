"""Transactions that the server rolls back because of another one beside them: the whole unit of work runs again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog

from posegen.database.failures import CONFLICTS

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

ATTEMPTS = 8
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.5


def again_after_conflict(unit: Callable[P, T]) -> Callable[P, T]:
    """Run a unit of work again when it lost against another transaction, up to `ATTEMPTS` times.

    For a function whose side effects are those of one transaction that it opens itself. It must not be called inside
    of another transaction.
    """

    @wraps(unit)
    def repeated(*arguments: P.args, **options: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                return unit(*arguments, **options)
            except CONFLICTS as conflict:
                log.info("transaction repeated", unit=unit.__qualname__, attempt=attempt, reason=str(conflict))
                # Jitter: two that met would only meet again.
                longest = min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
                time.sleep(random.uniform(0, longest))
        return unit(*arguments, **options)

    return repeated
