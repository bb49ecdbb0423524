from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from posegen.supervisor.signals import stop_on_signals


@pytest.fixture(autouse=True)
def _without_nohup() -> Iterator[None]:
    """Where the tests themselves run under `nohup`, SIGHUP is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_for_a_stop_and_the_second_for_a_quick_one(number: signal.Signals):
    asked: list[bool] = []
    with stop_on_signals(asked.append):
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGINT)

    assert asked == [False, True]


def test_an_interrupt_counts_where_a_shell_has_us_ignore_it():
    asked: list[bool] = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_on_signals(asked.append):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

    assert asked == [False]


def test_a_hangup_does_not_count_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals(lambda _: pytest.fail("nobody has asked for a stop")):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
