"""Transactions that the server rolls back, and a database that takes no writes: work goes on at no cost."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from posegen.database.conflicts import again_after_conflict
from posegen.generations.asking import claims
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.work import at_work
from posegen.work import working
from posegen.work.outcomes import release
from posegen.work.rules import RetryRule
from tests import builders
from tests.builders import a_request, a_user, cancel_generation, credits, queued, row, rows, running, status, take_in
from tests.refusals import refusing

RULE = RetryRule(most_attempts=3, first_wait=0)
NEVER_ENDING = 1_000_000
CONFLICTS = ["40001", "40P01"]
NO_WRITES = ["25006", "53100"]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(working, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("posegen.database.conflicts._FIRST_PAUSE_SECONDS", 0.001)


def costs(database, generation):
    found = row(database, "select attempts, lost_leases from generations where id = %s", generation)
    return found["attempts"], found["lost_leases"]


def reasons(database, generation):
    found = rows(database, "select detail ->> 'reason' as reason from events where generation_id = %s", generation)
    return " ".join(each["reason"] or "" for each in found)


@pytest.mark.parametrize(
    ("table", "code"),
    [
        *(("generations", code) for code in CONFLICTS),
        *((table, "40001") for table in ("generated_poses", "objects", "ledger_entries", "events")),
        ("accounts", "40P01"),
    ],
)
def test_work_that_meets_other_transactions_is_repeated_and_costs_nothing(database, studio, table, code):
    user = a_user(database, credits=100)
    lease = running(database, user, poses=builders.SLUGS[:2], formats=["tiktok"])

    with refusing(database.url, table, code, times=5), at_work(database, lease, lease_seconds=60, rule=RULE):
        assert builders.work(studio, lease) == "completed"

    assert costs(database, lease.id) == (0, 0)
    assert credits(database, user) == (40, 0, 60)


@pytest.mark.parametrize("code", CONFLICTS)
def test_intake_and_claims_are_repeated(database, code):
    user = a_user(database)
    with refusing(database.url, "generations", code, times=3):
        generation = a_request_without_its_trigger(database, user)
        assert take_in(database) == 1
    with refusing(database.url, "generations", code, times=3):
        (claim,) = claims.claim_next(database, most_running=5)
    with refusing(database.url, "generations", code, times=3):
        lease = builders.started(database, claim)
    with refusing(database.url, "generations", code, times=3):
        assert release(database, GENERATIONS, lease, reason="a test")
    with refusing(database.url, "generations", code, times=3):
        assert cancel_generation(database, generation, actor="a test")

    assert status(database, generation) == "cancelled"
    assert costs(database, generation) == (0, 0)


def a_request_without_its_trigger(database, user):
    """The row of a foreign backend: that one repeats its INSERT by itself."""
    while True:
        try:
            return a_request(database, user)
        except (errors.SerializationFailure, errors.DeadlockDetected):
            continue


@pytest.mark.parametrize("code", CONFLICTS)
def test_conflicts_without_end_put_the_generation_back_at_no_cost(database, studio, monkeypatch, code):
    monkeypatch.setattr("posegen.database.conflicts.ATTEMPTS", 3)
    lease = running(database)

    with (
        pytest.raises(psycopg.OperationalError),
        at_work(database, lease, lease_seconds=60, rule=RULE),
        refusing(database.url, "generated_poses", code, times=NEVER_ENDING),
    ):
        builders.work(studio, lease)

    assert status(database, lease.id) == "queued"
    assert costs(database, lease.id) == (0, 0)
    assert "rolled back again and again" in reasons(database, lease.id)
    assert "away" not in reasons(database, lease.id)


@pytest.mark.parametrize("code", NO_WRITES)
def test_a_database_that_takes_no_writes_is_waited_for_at_no_cost(database, studio, monkeypatch, code):
    monkeypatch.setattr(working, "SETTLE_SECONDS", 0)
    lease = running(database)

    with (
        refusing(database.url, "generations", code, times=30),
        pytest.raises(errors.lookup(code)),
        at_work(database, lease, lease_seconds=60, rule=RULE),
    ):
        builders.work(studio, lease)

    assert status(database, lease.id) == "queued"
    assert costs(database, lease.id) == (0, 0)
    assert "takes no writes" in reasons(database, lease.id) or "is full" in reasons(database, lease.id)


@pytest.mark.parametrize("code", NO_WRITES)
def test_intake_refuses_no_request_while_nothing_can_be_written(database, code):
    generation = a_request(database, a_user(database))

    with refusing(database.url, "ledger_entries", code, times=1), pytest.raises(errors.lookup(code)):
        take_in(database)

    assert status(database, generation) == "submitted"
    assert take_in(database) == 1
    assert status(database, generation) == "queued"


def test_only_conflicts_are_repeated():
    seen = []

    @again_after_conflict
    def unit(error):
        seen.append(error)
        raise error

    for error, calls in ((errors.UniqueViolation(), 1), (errors.ReadOnlySqlTransaction(), 1), (ValueError(), 1)):
        seen.clear()
        with pytest.raises(type(error)):
            unit(error)
        assert len(seen) == calls


def test_a_unit_is_repeated_a_bounded_number_of_times():
    seen = []

    @again_after_conflict
    def unit():
        seen.append(1)
        raise errors.DeadlockDetected

    with pytest.raises(errors.DeadlockDetected):
        unit()

    assert len(seen) == 8


def test_a_queued_generation_is_claimed_once_when_claims_are_repeated(database):
    queued(database)
    with refusing(database.url, "events", "40001", times=2):
        assert len(claims.claim_next(database, most_running=5)) == 1
    assert claims.claim_next(database, most_running=5) == []
