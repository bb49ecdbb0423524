"""Leases: renewed from their own thread for as long as work goes on, and known to be lost as soon as they are."""

from __future__ import annotations

import time

import psycopg
import pytest

from posegen.errors import BackendHeldBack, DatabaseUnusable, GenerationCancelled, LeaseLost, StoreUnavailable
from posegen.generations.asking.claims import claim_next
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.work import at_work
from posegen.work import outcomes as work_outcomes
from posegen.work import working
from posegen.work.keeper import LeaseKeeper
from posegen.work.rules import RetryRule
from tests.builders import (
    cancel_generation,
    event_kinds,
    execute,
    expire_lease,
    result,
    row,
    running,
    started,
    status,
    sweep,
    taken_over,
    value,
)
from tests.concurrency import until

RULE = RetryRule(most_attempts=3, first_wait=0)
SHORT = 4.0  # seconds: short for a lease, and long enough for a busy machine to renew it in time


def lease_left(database, generation) -> float:
    left = "extract(epoch from lease_expires_at - now())"
    return float(value(database, f"select {left} from generations where id = %s", generation))


def is_lost(keeper) -> bool:
    try:
        keeper.check()
    except LeaseLost:
        return True
    return False


def at_work_on(database, lease, *, lease_seconds: float = 60, cancelled_by=lambda: None):
    return at_work(database, lease, lease_seconds=lease_seconds, rule=RULE, cancelled_by=cancelled_by)


def test_a_lease_is_kept_for_longer_than_its_duration(database):
    lease = running(database, lease_seconds=SHORT)
    begun = value(database, "select lease_expires_at from generations")

    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=SHORT) as keeper:
        until(lambda: value(database, "select now() > %s from generations", begun))
        keeper.check()
        assert sweep(database, rule=RULE) == []


def test_taking_up_the_work_prolongs_the_lease_at_once(database):
    lease = running(database, lease_seconds=20)

    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=60):
        until(lambda: lease_left(database, lease.id) > 30)


def test_a_keeper_notices_that_the_lease_was_taken(database):
    lease = running(database)

    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=SHORT) as keeper:
        keeper.check()
        taken_over(database, lease.id)
        until(lambda: is_lost(keeper))


def test_a_keeper_that_begins_too_late_knows_it_long_before_the_lease_would_run_out(database):
    lease = running(database)
    taken_over(database, lease.id)

    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=3600) as keeper:
        until(lambda: is_lost(keeper))


def test_a_keeper_notices_a_cancellation(database):
    lease = running(database)

    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=SHORT) as keeper:
        cancel_generation(database, lease.id, actor="customer")
        until(lambda: is_lost(keeper))

    assert status(database, lease.id) == "cancelled"


def test_a_lease_that_cannot_be_renewed_counts_as_lost_as_soon_as_it_must_have_run_out(database):
    lease = running(database)
    begun = time.monotonic()

    # As if the server did not respond any more: the renewal waits for a lock that is not given up.
    with (
        LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=0.6) as keeper,
        database.transaction() as connection,
    ):
        connection.execute("select from generations where id = %s for update", [lease.id])
        until(lambda: is_lost(keeper))
        assert time.monotonic() - begun > 0.5


def test_nothing_is_renewed_when_the_work_has_ended(database):
    lease = running(database)
    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=SHORT):
        pass
    expire_lease(database, lease.id)

    assert [progress.id for progress in sweep(database, rule=RULE)] == [lease.id]


# --- what ends the work decides what follows ----------------------------------------------------------------------


def test_an_error_puts_the_generation_back_and_counts_an_attempt(database):
    lease = running(database)

    with pytest.raises(ZeroDivisionError), at_work_on(database, lease):
        raise ZeroDivisionError("a defect\0 of ours")

    assert row(database, "select status, attempts, lost_leases from generations") == {
        "status": "queued",
        "attempts": 1,
        "lost_leases": 0,
    }
    reason = value(database, "select detail ->> 'reason' from events where kind = 'requeued'")
    assert reason.startswith("ZeroDivisionError: a defect")


def test_an_interrupt_puts_the_generation_back_and_burns_no_attempt(database):
    lease = running(database)

    with pytest.raises(KeyboardInterrupt), at_work_on(database, lease):
        raise KeyboardInterrupt

    assert row(database, "select status, attempts, lost_leases, not_before <= now() as at_once from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 0,
        "at_once": True,
    }
    assert event_kinds(database, lease.id)[-1] == "released"


def test_an_interrupt_on_somebodys_word_cancels_the_generation_in_their_name(database):
    lease = running(database)

    with pytest.raises(KeyboardInterrupt), at_work_on(database, lease, cancelled_by=lambda: "Dewi"):
        raise KeyboardInterrupt

    assert status(database, lease.id) == "cancelled"
    assert value(database, "select detail ->> 'actor' from events where kind = 'cancelled'") == "Dewi"
    assert "released" not in event_kinds(database, lease.id), "not for a moment is it in the queue"


def test_nobody_cancels_what_somebody_else_works_on_by_now(database):
    lease = running(database)
    taken_over(database, lease.id)

    with pytest.raises(KeyboardInterrupt), at_work_on(database, lease, cancelled_by=lambda: "Dewi"):
        raise KeyboardInterrupt

    assert status(database, lease.id) == "running"


def test_when_nobody_can_say_why_the_generation_goes_on_later(database):
    def unknown():
        raise ConnectionError("Dagster does not respond")

    lease = running(database)
    with pytest.raises(KeyboardInterrupt), at_work_on(database, lease, cancelled_by=unknown):
        raise KeyboardInterrupt

    assert status(database, lease.id) == "queued"
    assert event_kinds(database, lease.id)[-1] == "released"


@pytest.mark.parametrize(
    "error", [psycopg.errors.ProgramLimitExceeded, psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled]
)
def test_a_statement_that_the_server_ends_is_an_error_and_no_lost_contact(database, error):
    lease = running(database)

    with pytest.raises(error), at_work_on(database, lease):
        raise error("the server's words")

    assert row(database, "select attempts, lost_leases from generations") == {"attempts": 1, "lost_leases": 0}


@pytest.mark.parametrize(
    "away",
    [psycopg.OperationalError("server closed the connection"), DatabaseUnusable("no connection could be had")],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_was_away_is_no_error_of_the_generation(database, away):
    lease = running(database)

    with pytest.raises(type(away)), at_work_on(database, lease):
        raise away

    assert row(database, "select status, attempts, lost_leases from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 1,
    }


def test_a_worker_waits_a_little_for_a_database_that_is_away_before_it_leaves_the_lease_to_run_out(
    database, monkeypatch
):
    lease = running(database)
    answers = iter([DatabaseUnusable("no answer"), psycopg.OperationalError("still none")])
    true_retry = work_outcomes.retry_after_error

    def retry(*arguments, **options):
        if (away := next(answers, None)) is not None:
            raise away
        return true_retry(*arguments, **options)

    monkeypatch.setattr(work_outcomes, "retry_after_error", retry)
    monkeypatch.setattr(working, "PAUSE_SECONDS", 0.01)

    with pytest.raises(ZeroDivisionError), at_work_on(database, lease):
        raise ZeroDivisionError

    assert row(database, "select status, attempts from generations") == {"status": "queued", "attempts": 1}


def test_a_backend_that_is_left_alone_puts_the_generation_back_and_burns_nothing(database):
    lease = running(database)

    with pytest.raises(BackendHeldBack), at_work_on(database, lease):
        raise BackendHeldBack("cloud", 30, "503")

    assert row(database, "select status, attempts, lost_leases from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 0,
    }
    wait = value(database, "select extract(epoch from not_before - now()) from generations")
    assert 30 < float(wait) < 40


def test_a_lease_that_was_lost_to_a_cancellation_is_called_so(database):
    lease = running(database)
    cancel_generation(database, lease.id, actor="customer")

    with pytest.raises(GenerationCancelled, match="was cancelled"), at_work_on(database, lease):
        raise LeaseLost("somebody else has the word")


def test_a_step_leaves_the_next_one_a_whole_lease(database):
    lease = running(database)
    with at_work_on(database, lease):
        execute(database, "update generations set lease_expires_at = now() + interval '1 second'")

    assert lease_left(database, lease.id) > 50


def test_an_interrupt_goes_on_when_the_lease_cannot_be_released(database, monkeypatch):
    lease = running(database)

    def unreachable(*_: object, **__: object) -> bool:
        raise DatabaseUnusable("no answer")

    monkeypatch.setattr(work_outcomes, "release", unreachable)

    with pytest.raises(KeyboardInterrupt), at_work_on(database, lease):
        raise KeyboardInterrupt


def test_a_lost_lease_changes_nothing(database):
    lease = running(database)
    taken_over(database, lease.id)
    before = row(database, "select * from generations")

    with pytest.raises(LeaseLost), at_work_on(database, lease):
        raise LeaseLost("somebody else has the word")

    assert row(database, "select * from generations") == before


def test_an_error_of_the_store_ends_as_a_failure_of_the_store_after_the_last_attempt(database):
    lease = running(database)
    for attempt in range(3):
        with pytest.raises(StoreUnavailable), at_work_on(database, lease):
            raise StoreUnavailable("no answer", store="local", key="poses/x")
        if attempt < 2:
            lease = again(database, lease)

    ended = result(database, lease.id)
    assert (ended["status"], ended["error_code"]) == ("failed", "storage_failed")
    assert "no answer" in ended["error_detail"]


def again(database, lease):
    (claim,) = claim_next(database, most_running=1)
    assert claim.id == lease.id
    return started(database, claim)
