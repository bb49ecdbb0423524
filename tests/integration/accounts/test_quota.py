"""Storage quota: reserved before anything is made, turned into real bytes as they arrive, and never above the limit."""

from __future__ import annotations

import psycopg
import pytest

from posegen.accounts import quota
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused
from posegen.generations.asking.judging import POSE_RESERVE_BYTES
from posegen.generations.making import checkpoint, outcomes
from posegen.generations.making.checkpoint import MadeExport
from tests.builders import (
    SLUGS,
    a_request,
    a_user,
    account,
    cancel_generation,
    execute,
    made_pose,
    open_poses,
    result,
    running,
    stored_object,
    take_in,
    value,
)
from tests.concurrency import at_once


def complete(database, lease, pose, *, size=1000):
    made = made_pose(lease.id, pose, size=size)
    checkpoint.complete_pose(database, lease, pose, made, store="local")


def record(database, lease, pose, *exports, ended=False):
    checkpoint.record_exports(database, lease.id, None if ended else lease, {pose.id: exports}, store="local")


def an_export(name, *, key="exports/g/p-0123456789ab.jpg", size=500):
    return MadeExport(name, stored_object(key, size=size), 1080, 1920, "contain", None, 40)


def space(database, user):
    """Used and reserved bytes."""
    found = account(database, user)
    return found["storage_used"], found["storage_reserved"]


def test_what_arrives_is_used_and_no_longer_reserved(database):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:2])
    first, _ = open_poses(database, lease.id)
    assert space(database, user) == (0, 2 * POSE_RESERVE_BYTES)

    complete(database, lease, first)

    assert space(database, user) == (2000, 2 * POSE_RESERVE_BYTES - 2000)


def test_what_was_not_used_is_given_back_at_the_end(database):
    user = a_user(database)
    lease = running(database, user)
    (pose,) = open_poses(database, lease.id)
    complete(database, lease, pose)

    outcomes.finish_generation(database, lease)

    assert space(database, user) == (2000, 0)
    assert value(database, "select storage_reserved from generations") == 0


def test_a_file_that_several_formats_share_is_counted_once(database):
    user = a_user(database)
    lease = running(database, user, formats=["tiktok", "instagram_story", "shopee"])
    (pose,) = open_poses(database, lease.id)
    complete(database, lease, pose)

    record(
        database,
        lease,
        pose,
        an_export("tiktok"),
        an_export("instagram_story"),
        an_export("shopee", key="exports/g/p-ba9876543210.jpg", size=70),
    )

    assert space(database, user)[0] == 2000 + 500 + 70


def test_a_file_that_is_recorded_again_is_counted_once(database):
    user = a_user(database)
    lease = running(database, user, formats=["tiktok"])
    (pose,) = open_poses(database, lease.id)
    complete(database, lease, pose)

    for _ in range(3):
        record(database, lease, pose, an_export("tiktok"))

    assert space(database, user)[0] == 2500


def test_bytes_beyond_the_reservation_are_counted_all_the_same(database):
    user = a_user(database)
    lease = running(database, user)
    (pose,) = open_poses(database, lease.id)

    complete(database, lease, pose, size=POSE_RESERVE_BYTES)

    assert space(database, user) == (2 * POSE_RESERVE_BYTES, 0)


def test_one_generation_does_not_use_up_the_reservation_of_another(database):
    user = a_user(database)
    lease = running(database, user)
    running(database, user)
    (pose,) = open_poses(database, lease.id)

    complete(database, lease, pose, size=POSE_RESERVE_BYTES)

    assert space(database, user) == (2 * POSE_RESERVE_BYTES, POSE_RESERVE_BYTES)


def test_exports_derived_after_the_end_count_too(database):
    user = a_user(database)
    lease = running(database, user)
    (pose,) = open_poses(database, lease.id)
    complete(database, lease, pose)
    outcomes.finish_generation(database, lease)

    record(database, lease, pose, an_export("tiktok"), ended=True)

    assert space(database, user) == (2500, 0)


def test_exports_derived_after_the_end_do_not_go_beyond_the_limit(database):
    user = a_user(database)
    lease = running(database, user)
    (pose,) = open_poses(database, lease.id)
    complete(database, lease, pose)
    outcomes.finish_generation(database, lease)
    execute(database, "update accounts set storage_limit = 2400 where user_id = %s", user)

    with pytest.raises(RequestRefused, match="500 bytes and 400 of 2,400 are free") as refused:
        record(database, lease, pose, an_export("tiktok"), ended=True)

    assert refused.value.code is ErrorCode.QUOTA_EXCEEDED
    assert space(database, user) == (2000, 0)
    assert value(database, "select count(*) from exports") == 0


def test_the_bytes_of_deleted_objects_go_back_to_their_users(database):
    user, other = a_user(database), a_user(database)
    for owner in (user, other):
        lease = running(database, owner, formats=["tiktok"])
        (pose,) = open_poses(database, lease.id)
        complete(database, lease, pose)
        record(database, lease, pose, an_export("tiktok", key=f"exports/{owner}/p-0123456789ab.jpg"))
        outcomes.finish_generation(database, lease)
    assert space(database, user) == space(database, other) == (2500, 0)

    execute(
        database, "delete from exports where pose_id in (select pose_id from pose_results where user_id = %s)", user
    )
    execute(database, "delete from objects where key = %s", f"exports/{user}/p-0123456789ab.jpg")

    assert space(database, user) == (2000, 0)
    assert space(database, other) == (2500, 0)


def test_objects_of_nobody_change_no_account(database):
    user = a_user(database)
    execute(
        database,
        "insert into objects (store, key, sha256, crc32, size, content_type) "
        "values ('local', 'controlnet/a/openpose-8x8-0123456789ab.png', repeat('0', 64), 0, 10, 'image/png')",
    )

    execute(database, "delete from objects")

    assert space(database, user) == (0, 0)


def test_what_was_made_counts_when_the_rest_is_cancelled(database):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:2])
    complete(database, lease, open_poses(database, lease.id)[0])

    cancel_generation(database, lease.id, actor="customer")

    assert space(database, user) == (2000, 0)


def test_reservations_at_once_never_go_beyond_the_limit(database, connections_open):
    user = a_user(database, storage_limit=10)

    def reserve():
        with database.transaction() as connection:
            quota.reserve(connection, user, 3)

    answers = at_once([reserve] * 8)

    assert [type(answer) for answer in answers if answer is not None] == [RequestRefused] * 5
    assert space(database, user) == (0, 9)


def test_requests_taken_in_at_once_never_reserve_more_than_fits(database, connections_open):
    user = a_user(database, storage_limit=3 * POSE_RESERVE_BYTES)
    for _ in range(6):
        a_request(database, user)

    at_once([lambda: take_in(database)] * 3)

    assert space(database, user) == (0, 3 * POSE_RESERVE_BYTES)
    assert value(database, "select count(*) from generations where error_code = 'quota_exceeded'") == 3


@pytest.mark.parametrize(
    "assignment", ["storage_used = storage_limit + 1", "storage_reserved = storage_limit + 1", "storage_used = -1"]
)
def test_the_database_itself_keeps_the_limit(database, assignment):
    user = a_user(database)

    with pytest.raises(psycopg.errors.CheckViolation):
        execute(database, f"update accounts set {assignment} where user_id = %s", user)


def test_a_limit_cannot_be_set_below_what_is_used_and_reserved(database):
    user = a_user(database)
    running(database, user)

    with pytest.raises(psycopg.errors.CheckViolation, match="storage_within_limit"):
        execute(database, "update accounts set storage_limit = 5 where user_id = %s", user)


def test_a_user_at_the_limit_is_told_before_anything_is_rendered(database):
    user = a_user(database, storage_limit=100)
    generation = a_request(database, user)

    take_in(database)

    assert result(database, generation)["error_code"] == "quota_exceeded"
    assert value(database, "select count(*) from generated_poses") == 0
