"""Recovery: work that stopped goes on from its checkpoint, a few times; then it is given up and its credits go back."""

from __future__ import annotations

import threading

import pytest

from posegen.error_codes import ErrorCode
from posegen.generations.asking import claims
from posegen.generations.making import checkpoint, outcomes
from posegen.generations.making.outcomes import GENERATIONS
from posegen.work.outcomes import recover_run, release, retry_after_error
from posegen.work.rules import RetryRule
from tests.builders import (
    PRICE,
    RUN,
    SLUGS,
    a_user,
    account,
    claimed,
    credits,
    event_kinds,
    execute,
    expire_lease,
    made_pose,
    open_poses,
    pose_statuses,
    queued,
    result,
    row,
    running,
    started,
    status,
    sweep,
    value,
)
from tests.concurrency import at_once

RULE = RetryRule(most_attempts=3, most_lost_leases=5, first_wait=2.0)


def next_lease(database):
    """The next attempt, without waiting for its time to come."""
    execute(database, "update generations set not_before = now() where status = 'queued'")
    (claim,) = claims.claim_next(database, most_running=1)
    return started(database, claim)


def lose(database, lease):
    expire_lease(database, lease.id)
    assert [progress.id for progress in sweep(database, rule=RULE)] == [lease.id]


def complete(database, lease, pose):
    checkpoint.complete_pose(database, lease, pose, made_pose(lease.id, pose), store="local")


def test_a_live_lease_is_left_alone(database):
    running(database)

    assert sweep(database, rule=RULE) == []


def test_an_expired_lease_puts_the_generation_back_at_once(database):
    lease = running(database)
    expire_lease(database, lease.id)

    (swept,) = sweep(database, rule=RULE)

    assert (swept.id, swept.run_id) == (lease.id, "run-1")
    assert row(database, "select status, attempts, lost_leases, not_before <= now() as ready from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 1,
        "ready": True,
    }
    assert event_kinds(database, lease.id)[-1] == "requeued"
    assert sweep(database, rule=RULE) == []


def test_sweepers_at_once_count_one_lost_lease_once(database, connections_open):
    lease = running(database)
    expire_lease(database, lease.id)

    answers = at_once([lambda: sweep(database, rule=RULE)] * 4)

    assert sum(len(answer) for answer in answers) == 1
    assert value(database, "select lost_leases from generations") == 1


def test_a_worker_that_stopped_inside_a_transaction_does_not_stop_the_sweep_of_others(database):
    user = a_user(database)
    stuck, other = running(database, user), running(database, user)
    for lease in (stuck, other):
        expire_lease(database, lease.id)

    swept: list[object] = []
    with database.transaction() as connection:
        connection.execute("select from generations where id = %s for update", [stuck.id])
        sweeping = threading.Thread(target=lambda: swept.extend(sweep(database, rule=RULE)), daemon=True)
        sweeping.start()
        sweeping.join(180)
        assert [progress.id for progress in swept] == [other.id]

    assert [progress.id for progress in sweep(database, rule=RULE)] == [stuck.id]


def test_the_waiting_time_doubles_with_every_error(database):
    lease = running(database)
    waits = []
    for _ in range(2):
        retry_after_error(database, GENERATIONS, lease, RULE, reason="boom")
        waits.append(value(database, "select extract(epoch from not_before - now()) from generations"))
        lease = next_lease(database)

    assert [round(float(wait)) for wait in waits] == [2, 4]


def test_a_generation_is_given_up_after_three_errors_and_its_credits_go_back(database):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:2])
    for attempt in range(3):
        assert credits(database, user) == (10_000 - 2 * PRICE, 2 * PRICE, 0)
        if attempt:
            lease = next_lease(database)
        retry_after_error(database, GENERATIONS, lease, RULE, reason=f"boom {attempt + 1}")

    ended = result(database, lease.id)
    assert (ended["status"], ended["error_code"]) == ("failed", "poisoned")
    assert "after 3 errors and 0 lost leases; the last: boom 3" in ended["error_detail"]
    assert pose_statuses(database, lease.id) == ["cancelled", "cancelled"]
    assert credits(database, user) == (10_000, 0, 0)
    assert account(database, user)["storage_reserved"] == 0
    assert event_kinds(database, lease.id)[-1] == "failed"


def test_a_generation_is_given_up_after_five_lost_leases(database):
    user = a_user(database)
    lease = running(database, user)
    for lost in range(5):
        if lost:
            lease = next_lease(database)
        assert status(database, lease.id) == "running"
        lose(database, lease)

    ended = result(database, lease.id)
    assert (ended["status"], ended["error_code"]) == ("failed", "poisoned")
    assert "5 lost leases" in ended["error_detail"]
    assert credits(database, user) == (10_000, 0, 0)


def test_lost_leases_and_errors_are_counted_apart(database):
    lease = running(database)
    for _ in range(2):
        retry_after_error(database, GENERATIONS, lease, RULE, reason="boom")
        lease = next_lease(database)
    for _ in range(4):
        lose(database, lease)
        lease = next_lease(database)

    assert row(database, "select status, attempts, lost_leases from generations") == {
        "status": "running",
        "attempts": 2,
        "lost_leases": 4,
    }


def test_what_was_completed_stays_and_stays_paid_for_when_the_rest_is_given_up(database):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:3])
    complete(database, lease, open_poses(database, lease.id)[1])

    retry_after_error(database, GENERATIONS, lease, RetryRule(most_attempts=1), reason="boom")

    ended = result(database, lease.id)
    assert (ended["status"], ended["error_code"], ended["poses_completed"]) == ("partial", "poisoned", 1)
    assert pose_statuses(database, lease.id) == ["cancelled", "completed", "cancelled"]
    assert (ended["credits_spent"], ended["credits_released"], ended["credits_held"]) == (PRICE, 2 * PRICE, 0)
    assert credits(database, user) == (10_000 - PRICE, 0, PRICE)


def test_a_poisoned_generation_lets_the_others_go_on(database):
    user = a_user(database)
    poisoned = running(database, user)
    healthy = queued(database, user)
    retry_after_error(database, GENERATIONS, poisoned, RetryRule(most_attempts=1), reason="boom")

    assert [claim.id for claim in claims.claim_next(database, most_running=1)] == [healthy]


def test_the_next_attempt_starts_from_the_checkpoint(database):
    lease = running(database, poses=SLUGS[:3])
    first, second, third = open_poses(database, lease.id)
    complete(database, lease, first)
    checkpoint.begin_pose(database, lease, second)
    lose(database, lease)

    again = next_lease(database)

    assert [pose.id for pose in open_poses(database, again.id)] == [second.id, third.id]


def test_progress_survives_a_release(database):
    lease = running(database, poses=SLUGS[:2])
    complete(database, lease, open_poses(database, lease.id)[0])

    assert release(database, GENERATIONS, lease, reason="SIGTERM")

    assert result(database, lease.id)["poses_completed"] == 1
    assert row(database, "select status, attempts, lost_leases from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 0,
    }


def test_a_claim_whose_run_failed_before_it_began_is_put_back(database):
    claim = claimed(database)

    assert recover_run(database, GENERATIONS, claim, RULE, reason="the run failed")

    assert row(database, "select status, attempts, lost_leases from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 1,
    }, "nothing of the generation has run: it is no error of its own"


def test_a_run_that_failed_late_does_not_take_the_claim_of_the_next_one(database):
    claim = claimed(database)
    recover_run(database, GENERATIONS, claim, RetryRule(first_wait=0), reason="the run failed")
    (second,) = claims.claim_next(database, most_running=1)

    assert not recover_run(database, GENERATIONS, claim, RULE, reason="the same news again")
    started(database, second)
    assert not recover_run(database, GENERATIONS, second, RULE, reason="too late")
    assert status(database, claim.id) == "running"


def test_a_run_that_ended_between_two_assets_gives_its_generation_back(database):
    claim = claimed(database)
    started(database, claim)
    news = {"reason": "a check failed"}

    assert not recover_run(database, GENERATIONS, claim, RULE, run_id="another", **news)
    assert recover_run(database, GENERATIONS, claim, RULE, run_id=RUN, **news)

    assert row(database, "select status, attempts from generations") == {"status": "queued", "attempts": 1}


def test_runs_that_never_begin_end_in_poison(database):
    claim = claimed(database)
    waits = []
    for _ in range(5):
        recover_run(database, GENERATIONS, claim, RULE, reason="the run failed")
        waits.append(value(database, "select extract(epoch from not_before - now()) from generations"))
        execute(database, "update generations set not_before = now() where status = 'queued'")
        claim = next(iter(claims.claim_next(database, most_running=1)), claim)

    assert [round(float(wait)) for wait in waits[:4]] == [2, 8, 32, 128], "a platform in trouble is given time"
    assert result(database, claim.id)["error_code"] == "poisoned"


def test_the_reason_of_every_decision_can_be_read(database):
    lease = running(database)
    retry_after_error(database, GENERATIONS, lease, RULE, reason="the GPU is on fire")

    assert row(database, "select detail from events where kind = 'requeued'") == {
        "detail": {"reason": "the GPU is on fire", "attempts": 1, "lost_leases": 0, "wait": 2.0}
    }


@pytest.mark.parametrize(
    ("made", "failed", "ends"),
    [(3, 0, "completed"), (2, 1, "partial"), (0, 3, "failed"), (2, 0, "partial"), (0, 0, "failed")],
)
def test_a_generation_ends_as_its_poses_did(database, made, failed, ends):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:3])
    poses = open_poses(database, lease.id)
    for pose in poses[:made]:
        complete(database, lease, pose)
    for pose in poses[made : made + failed]:
        checkpoint.fail_pose(database, lease, pose, ErrorCode.IMAGE_INVALID, "all black")

    assert outcomes.finish_generation(database, lease) == ends

    ended = result(database, lease.id)
    assert ended["status"] == ends
    assert ended["error_code"] == ("image_invalid" if failed else "backend_rejected" if not made else None)
    assert credits(database, user) == (10_000 - made * PRICE, 0, made * PRICE)
    assert ended["seconds_to_finish"] >= 0
