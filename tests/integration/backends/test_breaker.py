"""The circuit breaker: one for each backend, shared by all workers, and it lets one of them try at a time."""

from __future__ import annotations

import pytest

from posegen.backends.breaker import BackendRule, Breaker
from posegen.errors import BackendHeldBack, BackendUnavailable
from tests.builders import execute, row, rows, value
from tests.concurrency import at_once

RULE = BackendRule(failures=3, breaker_seconds=10, longest_pause=30, call_seconds=300)
SILENCE = BackendUnavailable("503")


@pytest.fixture
def breaker(database) -> Breaker:
    return Breaker(database, "cloud", RULE)


def fail(breaker, *, times=1, error=SILENCE):
    """How long the breaker is open after so many calls without a response; None when not at all."""
    held = None
    for _ in range(times):
        try:
            breaker.failed(error)
        except BackendHeldBack as now:
            held = now.wait
    return held


def let_the_time_pass(database):
    execute(database, "update backend_breakers set retry_at = now() - interval '1 ms'")


def wait_of(breaker):
    with pytest.raises(BackendHeldBack) as held:
        breaker.admits()
    return held.value.wait


def test_a_backend_that_always_answered_has_no_row(database, breaker):
    assert breaker.admits()
    breaker.answered()

    assert rows(database, "select from backend_breakers") == []


def test_some_failures_in_a_row_open_it_for_everybody(database, breaker):
    assert fail(breaker, times=2) is None
    assert breaker.admits()

    assert fail(breaker) == 10

    assert 9 < wait_of(Breaker(database, "cloud", RULE)) <= 10
    assert Breaker(database, "another", RULE).admits()


def test_an_answer_in_between_begins_the_count_anew(breaker):
    fail(breaker, times=2)
    breaker.answered()

    assert fail(breaker, times=2) is None


def test_failures_of_all_workers_count_together(database, connections_open):
    breakers = [Breaker(database, "cloud", RULE) for _ in range(3)]

    answers = at_once([lambda each=each: each.failed(SILENCE) for each in breakers])

    assert [type(answer) for answer in answers if answer is not None] == [BackendHeldBack]
    assert value(database, "select failures from backend_breakers") == 3


def test_who_meets_it_open_is_told_how_long_and_why(breaker):
    fail(breaker, times=3, error=BackendUnavailable("the cloud has left"))

    with pytest.raises(BackendHeldBack, match="cloud is open for another 10 s: the cloud has left"):
        breaker.admits()


def test_when_its_time_is_over_one_worker_tries(database, breaker, connections_open):
    fail(breaker, times=3)
    let_the_time_pass(database)

    answers = at_once([Breaker(database, "cloud", RULE).admits for _ in range(8)])

    assert sorted(answers) == [False] * 7 + [True]


def test_an_answer_closes_it_and_ends_the_outage(database, breaker):
    fail(breaker, times=3)
    let_the_time_pass(database)
    assert breaker.admits()

    breaker.answered()

    assert breaker.admits()
    assert row(database, "select failures, openings, opened_at, retry_at from backend_breakers") == {
        "failures": 0,
        "openings": 0,
        "opened_at": None,
        "retry_at": None,
    }
    assert value(database, "select count(*) from backend_outages where closed_at is not null") == 1


def test_each_try_without_an_answer_opens_it_for_twice_as_long_within_one_outage(database, breaker):
    waits = [fail(breaker, times=3)]
    for _ in range(7):
        let_the_time_pass(database)
        assert breaker.admits()
        waits.append(fail(breaker))

    assert waits == [10, 20, 40, 80, 160, 320, 600, 600]
    assert value(database, "select count(*) from backend_outages") == 1


def test_a_backend_is_left_alone_for_at_least_as_long_as_it_asks_for(breaker):
    assert fail(breaker, times=3, error=BackendUnavailable("429", retry_after=25)) == 25
    assert fail(Breaker(breaker._database, "other", RULE), error=BackendUnavailable("429", retry_after=31)) == 31


def test_a_late_failure_of_a_call_from_before_makes_nothing_worse(database, breaker):
    fail(breaker, times=3)
    before = row(database, "select opened_at, retry_at, openings from backend_breakers")

    assert fail(breaker) == pytest.approx(10, abs=1)

    assert row(database, "select opened_at, retry_at, openings from backend_breakers") == before


def test_a_late_answer_of_a_call_from_before_closes_it(breaker):
    fail(breaker, times=3)

    breaker.answered()

    assert breaker.admits()


def test_a_worker_that_died_while_it_tried_does_not_keep_the_right_for_ever(database, breaker):
    fail(breaker, times=3)
    let_the_time_pass(database)
    assert breaker.admits()
    assert not breaker.admits()

    execute(database, "update backend_breakers set probe_ends = now() - interval '1 ms'")

    assert breaker.admits()
