from __future__ import annotations

import pytest

from posegen.supervisor.processes import Backoff


def waits(lives: list[float]) -> list[float]:
    backoff, delay, delays = Backoff(first=0.5, longest=30, forgiven_after=60), None, []
    for lived in lives:
        delay = backoff.delay(delay, lived)
        delays.append(delay)
    return delays


def test_the_wait_before_a_new_start_doubles_up_to_a_limit():
    assert waits([1] * 9) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(("lived", "wait"), [(59.9, 2), (60, 0.5)])
def test_a_minute_of_health_is_enough_to_start_over(lived: float, wait: float):
    assert waits([1, 1, lived])[-1] == wait
