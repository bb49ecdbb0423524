"""What the coming months will bring, from what the last days brought: an expected value with its range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DAYS_A_MONTH = 30
MONTHS = 12
# Weeks are drawn whole, so that working days and weekends stay together.
_BLOCK_DAYS = 7
_DRAWS = 2_000
SHORTEST_DAYS = 2 * _BLOCK_DAYS


@dataclass(frozen=True)
class MonthAhead:
    """What has been added by the end of a month from now, in all. `low`, `high`: 10th and 90th percentile."""

    month: int
    low: float
    expected: float
    high: float


def forecast(daily: Sequence[float], *, random: np.random.Generator, months: int = MONTHS) -> list[MonthAhead]:
    """What will have been added by the end of each coming month, if the days to come are like those that were.

    `daily`: what each of the last days added, the oldest first. Weeks are drawn from them again and again (a moving
    block bootstrap), so the range says how much the days differ from each other; it knows nothing of growth to come.
    Empty with less than 14 days.
    """
    history = np.asarray(daily, dtype=np.float64)
    if history.size < SHORTEST_DAYS:
        return []
    blocks = np.lib.stride_tricks.sliding_window_view(history, _BLOCK_DAYS).sum(axis=1)
    weeks = -(-months * DAYS_A_MONTH // _BLOCK_DAYS)
    drawn = blocks[random.integers(blocks.size, size=(_DRAWS, weeks))].cumsum(axis=1)
    ends = [month * DAYS_A_MONTH / _BLOCK_DAYS for month in range(1, months + 1)]
    ahead = []
    for month, end in enumerate(ends, 1):
        whole = int(end)
        before = drawn[:, whole - 1] if whole else np.zeros(_DRAWS)
        after = drawn[:, min(whole, weeks - 1)]
        sums = before + (after - before) * (end - whole)
        low, high = np.percentile(sums, [10, 90])
        ahead.append(MonthAhead(month, float(low), float(sums.mean()), float(high)))
    return ahead
