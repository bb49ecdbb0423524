"""Outer bounds: work that gets nowhere goes on elsewhere, what takes too long ends; outages of a backend left out."""

from __future__ import annotations

import pytest

from posegen.backends.breaker import BackendRule, Breaker
from posegen.errors import BackendHeldBack, BackendUnavailable, LeaseLost
from posegen.generations.asking import claims
from posegen.generations.making import checkpoint, outcomes
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.recovery import TimeLimits, recover
from posegen.work.outcomes import release
from posegen.work.rules import RetryRule
from tests.builders import (
    PRICE,
    SLUGS,
    a_user,
    account,
    claimed,
    credits,
    event_kinds,
    execute,
    made_pose,
    open_poses,
    queued,
    result,
    row,
    rows,
    running,
    status,
    value,
)

RULE = RetryRule(first_wait=0)
LIMITS = TimeLimits(stall=1800, total=7200, outage=86_400)
ONE_FAILURE = BackendRule(failures=1, breaker_seconds=60)


def decisions(database):
    return [(each.id, status(database, each.id), each.reason) for each in recover(database, RULE, LIMITS)]


def begun_ago(database, seconds, *, progress=0):
    execute(
        database,
        "update generations set started_at = now() - make_interval(secs => %s), "
        "progressed_at = now() - make_interval(secs => %s)",
        *(seconds, progress),
    )


def outage(database, *, opened, closed=None, backend="mannequin"):
    """The backend did not respond from `opened` seconds ago until `closed` seconds ago."""
    execute(database, "insert into backend_breakers (backend) values (%s) on conflict do nothing", backend)
    ago = "now() - make_interval(secs => %s)"
    if closed is None:
        execute(
            database,
            f"update backend_breakers set opened_at = {ago}, retry_at = now() + interval '1 min' where backend = %s",
            *(opened, backend),
        )
    execute(
        database,
        f"insert into backend_outages (backend, opened_at, closed_at) values (%s, {ago}, {ago})",
        *(backend, opened, closed),
    )


def complete_one(database, lease):
    pose = open_poses(database, lease.id)[0]
    checkpoint.complete_pose(database, lease, pose, made_pose(lease.id, pose), store="local")


# --- no progress --------------------------------------------------------------------------------------------------


def test_work_that_gets_nowhere_goes_on_from_its_checkpoint_and_counts_as_an_error(database):
    lease = running(database, poses=SLUGS[:2])
    complete_one(database, lease)
    execute(database, "update generations set progressed_at = now() - interval '29 minutes'")
    assert decisions(database) == []

    execute(database, "update generations set progressed_at = now() - interval '31 minutes'")

    assert decisions(database) == [(lease.id, "queued", "no progress for 1800 s")]
    assert row(database, "select status, attempts, lost_leases, poses_completed from generations") == {
        "status": "queued",
        "attempts": 1,
        "lost_leases": 0,
        "poses_completed": 1,
    }
    with pytest.raises(LeaseLost):
        complete_one(database, lease)


def test_every_pose_is_progress(database):
    lease = running(database, poses=SLUGS[:2])
    execute(database, "update generations set progressed_at = now() - interval '31 minutes'")

    complete_one(database, lease)

    assert decisions(database) == []


def test_a_lease_that_is_renewed_is_no_progress(database):
    lease = running(database, lease_seconds=3600)
    execute(database, "update generations set progressed_at = now() - interval '31 minutes'")

    assert [each[0] for each in decisions(database)] == [lease.id]


# --- too long -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["running", "dispatched", "queued"])
def test_what_has_not_ended_two_hours_after_its_start_ends_and_is_released(database, state):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:2])
    if state != "running":
        release(database, GENERATIONS, lease, reason="test")
    if state == "dispatched":
        claims.claim_next(database, most_running=1)
    begun_ago(database, 7190)
    assert decisions(database) == []

    begun_ago(database, 7210)

    ((generation, became, reason),) = decisions(database)
    assert (generation, became) == (lease.id, "failed")
    ended = result(database, lease.id)
    assert (ended["status"], ended["error_code"], ended["error_detail"]) == ("failed", "timed_out", reason)
    assert "7200 s after its start" in reason
    assert credits(database, user) == (10_000, 0, 0)
    assert account(database, user)["storage_reserved"] == 0
    assert event_kinds(database, lease.id)[-1] == "failed"


def test_what_was_made_in_time_stays_and_stays_paid_for(database):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:3])
    complete_one(database, lease)
    begun_ago(database, 7210)

    decisions(database)

    ended = result(database, lease.id)
    assert (ended["status"], ended["error_code"]) == ("partial", "timed_out")
    assert (ended["credits_spent"], ended["credits_released"], ended["credits_held"]) == (PRICE, 2 * PRICE, 0)
    assert credits(database, user) == (10_000 - PRICE, 0, PRICE)


def test_the_time_before_the_start_does_not_count(database):
    generation = queued(database)
    execute(database, "update generations set queued_at = now() - interval '3 days', submitted_at = queued_at")

    assert decisions(database) == []
    assert status(database, generation) == "queued"


def test_what_has_ended_stays_ended(database):
    lease = running(database)
    outcomes.finish_generation(database, lease)
    begun_ago(database, 100_000, progress=100_000)

    assert decisions(database) == []


@pytest.mark.parametrize(
    ("opened", "closed", "ends"),
    [
        (3600, 1800, False),
        (3600, None, False),
        (100_000, 7000, False),
        (7300, 7205, True),
        (100_000, 7300, True),
    ],
    ids=["half an hour", "goes on", "from before the start", "mostly before", "all before"],
)
def test_while_the_backend_is_away_the_clock_stands_still(database, opened, closed, ends):
    lease = running(database)
    outage(database, opened=opened, closed=closed)
    begun_ago(database, 7210)

    decisions(database)

    assert (status(database, lease.id) == "failed") == ends


def test_several_outages_add_up_and_those_of_other_backends_do_not_count(database):
    lease = running(database)
    for opened in (1000, 2000, 3000):
        outage(database, opened=opened, closed=opened - 50)
    outage(database, opened=7000, closed=1, backend="another")
    begun_ago(database, 7340)
    assert decisions(database) == []

    begun_ago(database, 7360)

    assert [each[0] for each in decisions(database)] == [lease.id]


# --- a backend that stays away ------------------------------------------------------------------------------------


def test_who_has_waited_a_day_for_a_backend_is_told_and_gets_everything_back(database):
    user = a_user(database)
    waits = queued(database, user)
    execute(database, "update generations set queued_at = now() - interval '25 hours'")
    came_late = queued(database, user)
    outage(database, opened=23 * 3600)
    assert decisions(database) == []

    execute(database, "update backend_breakers set opened_at = now() - interval '25 hours'")

    ((generation, became, reason),) = decisions(database)
    assert (generation, became) == (waits, "failed")
    assert "has been unavailable for 86400 s" in reason
    assert result(database, waits)["error_code"] == "backend_unavailable"
    assert status(database, came_late) == "queued"
    assert credits(database, user) == (10_000 - PRICE, PRICE, 0)


# --- what Dagster has to be told ----------------------------------------------------------------------------------


def test_the_run_that_lost_its_generation_is_noted_in_the_same_transaction(database):
    running(database, run="run-7")
    begun_ago(database, 7210)

    decisions(database)

    assert value(database, "select run_id from lost_runs") == "run-7"
    assert "after its start" in value(database, "select reason from lost_runs")


def test_a_claim_whose_earlier_run_has_ended_names_no_run_that_is_another_ones(database):
    claim = claimed(database)
    begun_ago(database, 7210)

    decisions(database)

    assert status(database, claim.id) == "failed"
    assert rows(database, "select from lost_runs") == [], "it never had a run"


# --- a backend whose breaker is open ---------------------------------------------------------------------------------


def hold_back(database, lease):
    breaker = Breaker(database, "mannequin", ONE_FAILURE)
    with pytest.raises(BackendHeldBack) as held:
        breaker.failed(BackendUnavailable("503"))
    assert outcomes.hold_back(database, lease, held.value)


def test_what_needs_a_backend_that_is_left_alone_waits_and_burns_no_attempt(database):
    user = a_user(database)
    lease, waits = running(database, user), queued(database, user)
    hold_back(database, lease)

    assert rows(database, "select status, attempts, lost_leases from generations group by 1, 2, 3") == [
        {"status": "queued", "attempts": 0, "lost_leases": 0}
    ]
    assert claims.claim_next(database, most_running=10) == []
    event = row(database, "select detail from events where kind = 'held_back'")["detail"]
    assert (event["backend"], event["reason"], event["wait"]) == ("mannequin", "503", pytest.approx(65, abs=1))
    assert status(database, waits) == "queued"


def test_when_the_time_is_over_one_generation_tries_for_all_and_not_the_one_that_met_it(database):
    user = a_user(database)
    met_it, others = running(database, user), [queued(database, user) for _ in range(3)]
    hold_back(database, met_it)
    execute(database, "update backend_breakers set retry_at = now() - interval '1 second'")

    (claim,) = claims.claim_next(database, most_running=10)

    assert claim.id == others[0]
    assert claims.claim_next(database, most_running=10) == [], "one is enough"


def test_when_the_backend_answers_everybody_goes_on(database):
    user = a_user(database)
    lease = running(database, user)
    for _ in range(3):
        queued(database, user)
    hold_back(database, lease)

    Breaker(database, "mannequin", ONE_FAILURE).answered()

    assert len(claims.claim_next(database, most_running=10)) == 3
