"""`posegen cancel`: what was made stays and stays paid for, the rest is released."""

from __future__ import annotations

from uuid import uuid4

from posegen.generations.making.checkpoint import complete_pose
from tests.builders import (
    PRICE,
    SLUGS,
    a_user,
    credits,
    finished,
    made_pose,
    open_poses,
    queued,
    row,
    rows,
    running,
    status,
)


def test_a_generation_at_work_is_cancelled_and_says_what_stays(database, posegen):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:3])
    pose = open_poses(database, lease.id)[0]
    complete_pose(database, lease, pose, made_pose(lease.id, pose), store="local")

    done = posegen("cancel", lease.id, "--actor", "Dewi", width=200)

    assert done.code == 0
    assert done.out == f"Generation {lease.id} is cancelled. Poses that stay: 1; credits released: {2 * PRICE}.\n"
    assert status(database, lease.id) == "cancelled"
    assert credits(database, user) == (10_000 - PRICE, 0, PRICE)
    assert row(database, "select detail ->> 'actor' as actor from events where kind = 'cancelled'") == {"actor": "Dewi"}


def test_scripts_read_json(database, posegen):
    generation = queued(database)

    assert posegen("cancel", generation, "--json").json == {
        "generation": str(generation),
        "cancelled": True,
        "poses_kept": 0,
        "credits_released": PRICE,
    }
    again = posegen("cancel", generation, "--json")
    assert (again.code, again.json) == (
        1,
        {"generation": str(generation), "cancelled": False, "status": "cancelled"},
    )


def test_an_ended_generation_stays_as_it_is(database, studio, posegen):
    generation = finished(studio)
    before = rows(database, "select * from generations")

    answer = posegen("cancel", generation, width=200)

    assert answer.code == 1
    assert f"Generation {generation} has ended before as completed; nothing was changed." in answer.err
    assert rows(database, "select * from generations") == before


def test_an_unknown_generation_is_named(posegen):
    unknown = uuid4()

    answer = posegen("cancel", unknown)

    assert answer.code == 1
    assert str(unknown) in answer.err
