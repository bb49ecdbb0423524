"""Cancellation: possible at every moment before the end; what is finished stays and is paid for, the rest goes back."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.errors import GenerationUnknown, LeaseLost
from posegen.generations.asking import claims
from posegen.generations.making import checkpoint
from tests.builders import (
    PRICE,
    SLUGS,
    a_request,
    a_user,
    account,
    cancel_generation,
    claimed,
    credits,
    event_kinds,
    made_pose,
    open_poses,
    pose_statuses,
    queued,
    result,
    row,
    rows,
    running,
    status,
    sweep,
    take_in,
    value,
)
from tests.concurrency import at_once

BEFORE_THE_END = {
    "submitted": lambda database, user: a_request(database, user),
    "queued": lambda database, user: queued(database, user),
    "dispatched": lambda database, user: claimed(database, user).id,
    "running": lambda database, user: running(database, user).id,
}


def complete(database, lease, pose):
    checkpoint.complete_pose(database, lease, pose, made_pose(lease.id, pose), store="local")


@pytest.mark.parametrize("state", BEFORE_THE_END)
def test_a_generation_can_be_cancelled_in_every_state_before_its_end(database, state):
    user = a_user(database)
    generation = BEFORE_THE_END[state](database, user)
    assert status(database, generation) == state

    assert cancel_generation(database, generation, actor="customer")

    ended = result(database, generation)
    assert (ended["status"], ended["error_code"]) == ("cancelled", "cancelled")
    assert ended["finished_at"] is not None
    assert credits(database, user) == (10_000, 0, 0)
    assert account(database, user)["storage_reserved"] == 0
    assert set(pose_statuses(database, generation)) <= {"cancelled"}
    assert event_kinds(database, generation)[-1] == "cancelled"


@pytest.mark.parametrize("state", BEFORE_THE_END)
def test_nothing_happens_to_a_cancelled_generation_any_more(database, state):
    generation = BEFORE_THE_END[state](database, a_user(database))
    cancel_generation(database, generation, actor="customer")
    events = event_kinds(database, generation)

    assert take_in(database) == 0
    assert claims.claim_next(database, most_running=10) == []
    assert sweep(database) == []
    assert not cancel_generation(database, generation, actor="customer")
    assert event_kinds(database, generation) == events


def test_finished_poses_stay_and_stay_paid_for(database):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:3], formats=["shopee"])
    first, second, _ = open_poses(database, lease.id)
    complete(database, lease, first)
    checkpoint.begin_pose(database, lease, second)

    cancel_generation(database, lease.id, actor="customer")

    ended = result(database, lease.id)
    assert (ended["credits_spent"], ended["credits_released"], ended["credits_held"]) == (PRICE, 2 * PRICE, 0)
    assert pose_statuses(database, lease.id) == ["completed", "cancelled", "cancelled"]
    assert credits(database, user) == (10_000 - PRICE, 0, PRICE)
    assert account(database, user)["storage_used"] == 2000
    assert row(database, "select detail from events where kind = 'cancelled'") == {
        "detail": {"actor": "customer", "open_poses": 2}
    }


def test_a_pose_that_is_finished_after_the_cancellation_is_not_charged(database):
    user = a_user(database)
    lease = running(database, user)
    (pose,) = open_poses(database, lease.id)
    cancel_generation(database, lease.id, actor="customer")

    with pytest.raises(LeaseLost):
        complete(database, lease, pose)

    assert credits(database, user) == (10_000, 0, 0)
    assert rows(database, "select from objects") == []


def test_a_cancellation_and_a_checkpoint_at_once_agree_on_who_came_first(database, connections_open):
    user = a_user(database, credits=100_000)
    for _ in range(10):
        lease = running(database, user)
        (pose,) = open_poses(database, lease.id)

        at_once(
            [
                lambda lease=lease, pose=pose: complete(database, lease, pose),
                lambda lease=lease: cancel_generation(database, lease.id, actor="customer"),
            ]
        )

        ended = result(database, lease.id)
        charged = PRICE if pose_statuses(database, lease.id) == ["completed"] else 0
        assert ended["status"] == "cancelled"
        assert (ended["credits_spent"], ended["credits_held"]) == (charged, 0)
        assert ended["credits_spent"] + ended["credits_released"] == PRICE


def test_two_cancellations_at_once_release_once(database, connections_open):
    user = a_user(database)
    generation = queued(database, user)

    answers = at_once([lambda: cancel_generation(database, generation, actor="customer")] * 4)

    assert sorted(answers) == [False, False, False, True]
    assert credits(database, user) == (10_000, 0, 0)
    assert value(database, "select count(*) from ledger_entries where kind = 'release'") == 1


def test_a_foreign_backend_cancels_with_sql(database):
    generation = queued(database)

    assert value(database, "select cancel_generation(%s)", generation) is True
    assert value(database, "select cancel_generation(%s)", generation) is False
    assert value(database, "select detail ->> 'actor' from events where kind = 'cancelled'") == "customer"


def test_a_generation_that_does_not_exist_cannot_be_cancelled(database):
    with pytest.raises(GenerationUnknown):
        cancel_generation(database, uuid4(), actor="customer")
