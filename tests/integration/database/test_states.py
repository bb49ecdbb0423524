"""What the database itself refuses, whoever asks: unknown steps between states, rows that contradict themselves."""

from __future__ import annotations

import psycopg
import pytest

from posegen.generations.making import checkpoint
from posegen.states import GenerationStatus, PoseStatus
from tests.builders import (
    a_request,
    a_user,
    cancel_generation,
    execute,
    made_pose,
    open_poses,
    queued,
    running,
    status,
)

STEPS = {
    "submitted": {"queued", "failed", "cancelled"},
    "queued": {"dispatched", "partial", "failed", "cancelled"},
    "dispatched": {"running", "queued", "partial", "failed", "cancelled"},
    "running": {"queued", "completed", "partial", "failed", "cancelled"},
    "completed": set(),
    "partial": set(),
    "failed": set(),
    "cancelled": set(),
}


def in_state(database, state):
    """A generation that came into this state past the guard."""
    generation = a_request(database, a_user(database))
    execute(database, "alter table generations disable trigger guard_status")
    try:
        move(database, generation, state)
    finally:
        execute(database, "alter table generations enable trigger guard_status")
    return generation


def move(database, generation, state):
    execute(
        database,
        """
        with wanted (status) as (values (%s))
        update generations set status = wanted.status,
            error_code = case wanted.status when 'failed' then 'poisoned' end,
            lease_expires_at = case wanted.status when 'running' then now() + interval '1 minute' end,
            finished_at = case when wanted.status in ('completed', 'partial', 'failed', 'cancelled') then now() end
        from wanted where id = %s
        """,
        state,
        generation,
    )


@pytest.mark.parametrize("state", STEPS)
def test_only_the_known_steps_lead_out_of_a_state(database, state):
    for target in STEPS:
        generation = in_state(database, state)
        if target in STEPS[state] or target == state:
            move(database, generation, target)
            assert status(database, generation) == target
        else:
            with pytest.raises(psycopg.errors.RestrictViolation, match=f"cannot go from {state} to {target}"):
                move(database, generation, target)


def test_the_database_and_the_code_know_the_same_states(database):
    assert set(STEPS) == set(GenerationStatus)
    assert {state for state, steps in STEPS.items() if not steps} == {s for s in GenerationStatus if s.is_terminal}
    queued(database)
    for table in ("generations", "generated_poses"):
        with pytest.raises(psycopg.IntegrityError):
            execute(database, f"update {table} set status = 'odd'")


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_the_end_of_a_pose_is_final(database, end):
    lease = running(database)
    (pose,) = open_poses(database, lease.id)
    if end == "completed":
        made = made_pose(lease.id, pose)
        checkpoint.complete_pose(database, lease, pose, made, store="local")
    elif end == "failed":
        checkpoint.fail_pose(database, lease, pose, checkpoint.ErrorCode.IMAGE_INVALID, "all black")
    else:
        cancel_generation(database, lease.id, actor="customer")

    for target in PoseStatus:
        if target != end:
            with pytest.raises(psycopg.errors.RestrictViolation, match=f"cannot go from {end} to {target}"):
                execute(database, f"update generated_poses set status = '{target}'")


@pytest.mark.parametrize(
    ("state", "contradiction"),
    [
        ("running", "lease_expires_at = null"),
        ("queued", "lease_expires_at = now()"),
        ("queued", "finished_at = now()"),
        ("queued", "poses_completed = 2"),
        ("queued", "poses_total = 51"),
        ("queued", "storage_reserved = -1"),
        ("queued", "error_code = 'no such code'"),
    ],
)
def test_a_generation_cannot_contradict_itself(database, state, contradiction):
    generation = running(database).id if state == "running" else queued(database)

    with pytest.raises(psycopg.IntegrityError):
        execute(database, f"update generations set {contradiction} where id = %s", generation)


@pytest.mark.parametrize(
    "contradiction",
    [
        "status = 'completed'",
        "status = 'failed'",
        "position = 50",
        "seed = -1",
        "price = -1",
        "library_pose = 'no-such-pose'",
        "recipe_hash = 'short'",
    ],
)
def test_a_pose_cannot_contradict_itself(database, contradiction):
    queued(database)

    with pytest.raises(psycopg.IntegrityError):
        execute(database, f"update generated_poses set {contradiction}")


def test_two_poses_cannot_have_the_same_place(database):
    queued(database, variations=2)

    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(database, "update generated_poses set position = 0")


def test_what_was_asked_for_cannot_be_deleted_while_it_is_known(database):
    user = a_user(database)
    a_request(database, user)

    for statement in ("delete from users", "delete from accounts", "delete from generation_requests"):
        with pytest.raises(psycopg.IntegrityError):
            execute(database, statement)
