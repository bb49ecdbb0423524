"""Request rates: a token bucket for each user, on a clock that the test moves."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.access.callers import DEFAULT_SCOPES, Caller, Kind
from posegen.access.rates import AT_ONCE, REQUESTS_A_MINUTE, UNLIMITED, Rates
from tests.concurrency import at_once


def a_caller(user: UUID | None = None, *, kind: Kind = Kind.USER, credential: str = "key:a", rate: int | None = None):
    return Caller(credential, kind, user or (uuid4() if kind is Kind.USER else None), DEFAULT_SCOPES[kind], rate)


def taken(rates: Rates, caller: Caller, now: float, times: int) -> int:
    return sum(rates.take(caller, now).allowed for _ in range(times))


def test_a_rested_user_makes_40_requests_at_once_and_then_two_a_second():
    rates, caller = Rates(), a_caller()

    assert taken(rates, caller, 0, 100) == AT_ONCE
    assert taken(rates, caller, 10, 100) == 20
    assert taken(rates, caller, 10_000, 100) == AT_ONCE


def test_an_allowance_says_how_many_are_left_and_when_one_is_free():
    rates, caller = Rates(), a_caller()

    first = rates.take(caller, 0)
    taken(rates, caller, 0, AT_ONCE - 2)
    last, refused = rates.take(caller, 0), rates.take(caller, 0.1)

    assert (first.allowed, first.rate, first.at_once, first.remaining, first.seconds) == (True, 120, 40, 39, 0)
    assert (last.allowed, last.remaining, last.seconds) == (True, 0, 0.5)
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert refused.seconds == pytest.approx(0.4)
    assert rates.take(caller, 0.5).allowed


@given(st.lists(st.floats(0, 30), max_size=300), st.integers(1, 1000))
def test_no_more_pass_than_the_rate_allows(pauses, rate):
    rates, caller, now, allowed = Rates(), a_caller(rate=rate), 0.0, 0
    for pause in pauses:
        now += pause
        answer = rates.take(caller, now)
        allowed += answer.allowed
        assert answer.allowed or answer.seconds > 0
        assert (answer.seconds == 0) == (answer.remaining > 0)

    assert allowed <= max(1, rate // 3) + now * rate / 60 + 1e-6


def test_the_keys_and_sessions_of_a_user_share_a_bucket_and_users_do_not():
    rates, user = Rates(), uuid4()

    assert taken(rates, a_caller(user, credential="key:a"), 0, AT_ONCE) == AT_ONCE
    assert not rates.take(a_caller(user, credential="session:b"), 0).allowed
    assert rates.take(a_caller(), 0).allowed


def test_a_key_with_a_rate_of_its_own_has_a_bucket_of_its_own():
    rates, user = Rates(), uuid4()
    taken(rates, a_caller(user), 0, AT_ONCE)

    assert taken(rates, a_caller(user, credential="key:fast", rate=6), 0, 9) == 2
    assert taken(rates, a_caller(kind=Kind.SERVICE, credential="key:slow", rate=1), 0, 9) == 1


@pytest.mark.parametrize("kind", [Kind.SERVICE, Kind.ADMIN])
def test_services_and_admins_have_no_limit(kind):
    rates = Rates()

    assert {rates.take(a_caller(kind=kind), 0) for _ in range(500)} == {UNLIMITED}
    assert len(rates) == 0


def test_the_oldest_buckets_are_dropped():
    rates, first = Rates(most_buckets=10), a_caller()
    taken(rates, first, 0, AT_ONCE)
    for _ in range(9):
        rates.take(a_caller(), 1)
    assert not rates.take(first, 0).allowed

    for _ in range(50):
        rates.take(a_caller(), 2)

    assert len(rates) == 10


def test_threads_together_get_no_more_than_one():
    rates, caller = Rates(), a_caller()

    done = at_once([lambda: taken(rates, caller, 0, 500)] * 8)

    assert sum(done) == AT_ONCE
    assert REQUESTS_A_MINUTE == 120
