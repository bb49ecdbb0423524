"""The fence: whoever lost the lease, or whose generation was cancelled or has ended, writes nothing any more."""

from __future__ import annotations

import pytest

from posegen.error_codes import ErrorCode
from posegen.errors import ClaimSuperseded, LeaseLost
from posegen.generations.making import checkpoint, outcomes
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.rows import generations
from posegen.generations.rows.exports import FailedExport, MadeExport
from posegen.work.outcomes import release, retry_after_error
from posegen.work.rules import RetryRule
from tests.builders import (
    PRICE,
    SLUGS,
    a_user,
    account,
    cancel_generation,
    credits,
    event_kinds,
    expire_lease,
    made_pose,
    open_poses,
    pose_statuses,
    result,
    rows,
    running,
    status,
    stored_object,
    sweep,
    taken_over,
    value,
)

RULE = RetryRule()
EXPORT_KEY = "exports/g/p-0123456789ab.jpg"


def complete(database, lease, pose):
    checkpoint.complete_pose(database, lease, pose, made_pose(lease.id, pose), store="local")


def everything(database):
    """Every row that a worker could have written to."""
    tables = (
        "accounts",
        "events",
        "exports",
        "generated_poses",
        "generations",
        "holds",
        "ledger_entries",
        "objects",
        "thumbnails",
    )
    return {table: rows(database, f"select * from {table} t order by t::text") for table in tables}


def every_write(database, lease, pose):
    """What a worker does, by name; each raises or answers False when it may not."""
    generation = lease.id
    export = MadeExport("tiktok", stored_object(EXPORT_KEY), 1080, 1920, "contain", None, 40)
    return {
        "renew": lambda: renew(database, lease),
        "begin": lambda: checkpoint.begin_pose(database, lease, pose),
        "complete": lambda: complete(database, lease, pose),
        "fail": lambda: checkpoint.fail_pose(database, lease, pose, ErrorCode.BACKEND_REJECTED, "no"),
        "exports": lambda: checkpoint.record_exports(database, generation, lease, {pose.id: [export]}, store="local"),
        "thumbnail": lambda: checkpoint.replace_thumbnails(
            database,
            generation,
            lease,
            pose.id,
            stored_object("thumbnails/g/p-0123456789ab.webp"),
            {"200.png": stored_object("thumbnails/g/p-ba9876543210.png")},
            store="local",
        ),
        "finish": lambda: outcomes.finish_generation(database, lease),
        "release": lambda: release(database, GENERATIONS, lease, reason="stop"),
        "retry": lambda: retry_after_error(database, GENERATIONS, lease, RULE, reason="error"),
    }


WRITES = ["renew", "begin", "complete", "fail", "exports", "thumbnail", "finish", "release", "retry"]
SILENT = {"renew", "release", "retry"}


def renew(database, lease):
    with database.transaction() as connection:
        return GENERATIONS.queue.renew(connection, [lease], lease_seconds=60)


def assert_writes_nothing(database, lease, pose, write):
    before = everything(database)
    call = every_write(database, lease, pose)[write]
    if write in SILENT:
        assert not call()
    else:
        with pytest.raises(LeaseLost, match="Another worker owns"):
            call()
    assert everything(database) == before


@pytest.mark.parametrize("write", WRITES)
def test_a_late_worker_writes_nothing_after_its_lease_was_taken(database, write):
    late = running(database)
    (pose,) = open_poses(database, late.id)
    taken_over(database, late.id)

    assert_writes_nothing(database, late, pose, write)


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_writes_nothing_while_its_generation_waits_in_the_queue_again(database, write):
    late = running(database)
    (pose,) = open_poses(database, late.id)
    expire_lease(database, late.id)
    sweep(database, rule=RULE)

    assert_writes_nothing(database, late, pose, write)


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_writes_nothing_after_its_generation_was_cancelled(database, write):
    lease = running(database)
    (pose,) = open_poses(database, lease.id)
    cancel_generation(database, lease.id, actor="customer")

    assert_writes_nothing(database, lease, pose, write)


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_writes_nothing_after_its_generation_has_ended(database, write):
    lease = running(database, poses=SLUGS[:2])
    pose, other = open_poses(database, lease.id)
    complete(database, lease, other)
    outcomes.finish_generation(database, lease)

    assert_writes_nothing(database, lease, pose, write)


def test_a_token_that_was_never_given_out_opens_nothing(database):
    lease = running(database)
    (pose,) = open_poses(database, lease.id)

    assert_writes_nothing(database, generations.Lease(lease.id, lease.token + 1), pose, "complete")


def test_a_silent_worker_may_go_on_as_long_as_nobody_took_its_lease(database):
    lease = running(database)
    (pose,) = open_poses(database, lease.id)
    expire_lease(database, lease.id)

    complete(database, lease, pose)

    assert pose_statuses(database, lease.id) == ["completed"]


def test_two_workers_that_finish_the_same_pose_charge_once(database):
    user = a_user(database)
    late = running(database, user, poses=SLUGS[:2])
    pose, _ = open_poses(database, late.id)
    current = taken_over(database, late.id)
    complete(database, current, pose)

    with pytest.raises(LeaseLost):
        complete(database, late, pose)
    with pytest.raises(LeaseLost):
        complete(database, current, pose)

    assert credits(database, user) == (10_000 - 2 * PRICE, PRICE, PRICE)
    assert result(database, late.id)["poses_completed"] == 1


def test_a_checkpoint_that_fails_half_way_leaves_nothing(database):
    user = a_user(database)
    lease = running(database, user)
    (pose,) = open_poses(database, lease.id)
    before = everything(database)

    with pytest.raises(Exception, match="stores"):
        checkpoint.complete_pose(
            database, lease, pose, made_pose(lease.id, pose), store="a store that nobody registered"
        )

    assert everything(database) == before
    assert account(database, user)["storage_used"] == 0


def test_exports_of_a_generation_at_work_need_its_lease(database):
    lease = running(database)
    (pose,) = open_poses(database, lease.id)

    failed = FailedExport("tiktok", ErrorCode.IMAGE_INVALID, "x")
    with pytest.raises(ClaimSuperseded, match="try again when it has ended"):
        checkpoint.record_exports(database, lease.id, None, {pose.id: [failed]}, store="local")
    assert value(database, "select count(*) from exports") == 0


def test_exports_of_an_ended_generation_need_no_lease(database):
    lease = running(database)
    (pose,) = open_poses(database, lease.id)
    complete(database, lease, pose)
    outcomes.finish_generation(database, lease)

    made = MadeExport("tiktok", stored_object(EXPORT_KEY), 1080, 1920, "contain", None, 40)
    checkpoint.record_exports(database, lease.id, None, {pose.id: [made]}, store="local")

    assert rows(database, "select format, status from exports") == [{"format": "tiktok", "status": "completed"}]
    assert status(database, lease.id) == "completed"
    assert event_kinds(database, lease.id)[-2:] == ["completed", "exports_stored"]
