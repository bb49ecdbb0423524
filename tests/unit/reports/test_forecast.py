"""The forecast: right where the answer is known, wider where the days differ more, and the same when asked again."""

from __future__ import annotations

import numpy as np
import pytest

from posegen.reports.forecast import SHORTEST_DAYS, forecast


def of(daily, seed=1, **options):
    return forecast(daily, random=np.random.default_rng(seed), **options)


def test_days_that_are_all_alike_go_on_so_and_leave_no_doubt():
    ahead = of([5.0] * 60)

    assert [month.month for month in ahead] == list(range(1, 13))
    for month in ahead:
        assert month.low == pytest.approx(month.expected) == pytest.approx(month.high)
        assert month.expected == pytest.approx(5 * 30 * month.month)


def test_a_rhythm_of_weeks_is_kept_and_leaves_no_doubt():
    ahead = of([9, 9, 9, 9, 9, 0, 0] * 8)

    assert ahead[6].expected == pytest.approx(45 * 30)
    assert ahead[6].low == pytest.approx(ahead[6].high)


def test_the_range_holds_most_of_what_may_come_and_no_more():
    days = np.random.default_rng(7)
    inside = 0
    for trial in range(200):
        past, coming = days.exponential(10, 90), days.exponential(10, 30)
        (month,) = of(past, seed=trial, months=1)
        inside += month.low <= coming.sum() <= month.high
    assert 120 <= inside <= 180, "80 of 100 are meant; that the past is known but in part takes some away"


def test_days_that_differ_more_have_a_wider_range():
    calm, wild = (of(np.random.default_rng(3).normal(100, spread, 90))[5] for spread in (1, 30))

    assert wild.high - wild.low > 5 * (calm.high - calm.low)


def test_the_same_days_give_the_same_forecast():
    daily = np.random.default_rng(3).normal(100, 10, 90)

    assert of(daily) == of(daily)


def test_too_few_days_give_none():
    assert of([1.0] * (SHORTEST_DAYS - 1)) == []
    assert len(of([1.0] * SHORTEST_DAYS)) == 12
