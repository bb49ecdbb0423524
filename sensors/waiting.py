"""What every sensor does while the database is away: it skips its tick."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import dagster as dg

from posegen.database.failures import describe, may_pass

P = ParamSpec("P")
T = TypeVar("T")


def skipped_without_database(tick: Callable[P, T]) -> Callable[P, T | dg.SkipReason]:
    """Skip a tick that finds the database unusable, with the reason; the next one tries again."""

    @wraps(tick)
    def skipping(*arguments: P.args, **resources: P.kwargs) -> T | dg.SkipReason:
        try:
            return tick(*arguments, **resources)
        except Exception as failure:
            if not may_pass(failure):
                raise
            return dg.SkipReason(f"The next tick tries again. {describe(failure)}")

    return skipping
