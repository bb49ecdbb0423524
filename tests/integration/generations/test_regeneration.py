"""Making exports again: one, one format, or all; the new rows come at once, and it costs nothing."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.database.connection import Database
from posegen.errors import (
    ClaimSuperseded,
    GenerationUnknown,
    PoseNumberUnknown,
    RequestRefused,
    StoreUnavailable,
    UnknownName,
)
from posegen.generations.asking.regeneration import FailedExport, regenerate
from tests.builders import SLUGS, a_user, account, credits, execute, finished, row, rows, running

FORMATS = ["shopee", "tiktok"]


@pytest.fixture
def generation(studio):
    """Two poses with two exports each."""
    return finished(studio, poses=SLUGS[:2], formats=FORMATS)


def exports(database: Database):
    """Key by position and format."""
    found = rows(
        database,
        "select position, format, o.key from exports e join generated_poses p on p.id = e.pose_id "
        "left join objects o on o.id = e.object_id order by 1, 2",
    )
    return {(each["position"], each["format"]): each["key"] for each in found}


def forget(database: Database, position: int, format: str) -> None:
    execute(
        database,
        "delete from exports where format = %s and pose_id = (select id from generated_poses where position = %s)",
        format,
        position,
    )


def make_stale(database: Database) -> None:
    """Let every export be the picture of its pose, as if it came from an older version."""
    execute(
        database,
        "update exports e set object_id = p.image_object from generated_poses p where p.id = e.pose_id",
    )


def test_one_export_is_made_again_and_the_others_stay(studio, generation):
    before = exports(studio.database)
    make_stale(studio.database)
    stale = exports(studio.database)

    done = regenerate(studio, generation, formats=["tiktok"], numbers=[2])

    assert done.derived == 1
    assert exports(studio.database) == stale | {(1, "tiktok"): before[1, "tiktok"]}


def test_one_format_of_all_poses_is_made_again(studio, generation):
    before = exports(studio.database)
    make_stale(studio.database)
    stale = exports(studio.database)

    assert regenerate(studio, generation, formats=["shopee"]).derived == 2

    assert exports(studio.database) == stale | {(n, "shopee"): before[n, "shopee"] for n in (0, 1)}


def test_everything_is_made_again_into_the_same_bytes(studio, generation):
    before = exports(studio.database)
    make_stale(studio.database)

    assert regenerate(studio, generation).derived == 4

    assert exports(studio.database) == before


def test_only_what_is_missing_can_be_made(studio, generation):
    forget(studio.database, 0, "tiktok")

    assert regenerate(studio, generation, again=False).derived == 1
    assert len(exports(studio.database)) == 4


def test_it_costs_no_credits_and_counts_each_file_once(studio):
    user = a_user(studio.database)
    generation = finished(studio, user, poses=SLUGS[:2], formats=FORMATS)
    before = credits(studio.database, user), account(studio.database, user)["storage_used"]

    regenerate(studio, generation)

    assert (credits(studio.database, user), account(studio.database, user)["storage_used"]) == before


def test_old_objects_are_left_to_the_sweep(studio, generation):
    stored = [entry.key for entry in studio.store.list("exports/")]
    forget(studio.database, 0, "tiktok")

    regenerate(studio, generation, formats=["facebook"])

    assert set(stored) < {entry.key for entry in studio.store.list("exports/")}


def test_the_new_rows_come_all_at_once_or_not_at_all(studio, generation, monkeypatch):
    make_stale(studio.database)
    stale = exports(studio.database)
    put, calls = studio.store.put, []

    def failing_at_the_third(key, data, **options):
        calls.append(key)
        if len(calls) == 3:
            raise StoreUnavailable("no answer", store="local", key=key)
        return put(key, data, **options)

    monkeypatch.setattr(studio.store, "put", failing_at_the_third)
    with pytest.raises(StoreUnavailable):
        regenerate(studio, generation)

    assert exports(studio.database) == stale


def test_what_cannot_be_made_is_named_and_the_old_one_stays(studio, generation):
    before = exports(studio.database)
    image = row(studio.database, "select key from objects o join generated_poses p on p.image_object = o.id "
                                 "where position = 0")["key"]  # fmt: skip
    studio.store.delete(image)

    done = regenerate(studio, generation)

    assert done.derived == 2
    assert done.failed == tuple(FailedExport(1, SLUGS[0], name) for name in FORMATS)
    assert exports(studio.database) == before


def test_files_that_do_not_fit_into_the_users_space_leave_everything_as_it_was(studio):
    user = a_user(studio.database)
    generation = finished(studio, user, formats=["shopee"])
    before = exports(studio.database)
    execute(studio.database, "update accounts set storage_limit = storage_used + 10 where user_id = %s", user)

    with pytest.raises(RequestRefused, match="quota_exceeded"):
        regenerate(studio, generation, formats=["shopee", "facebook"])

    assert exports(studio.database) == before


def test_the_poses_are_told_as_they_are_done(studio, generation):
    told: list[int] = []

    regenerate(studio, generation, on_pose=told.append)

    assert told == [2, 2]


def test_what_cannot_be_meant_is_refused_before_anything_is_made(studio, generation):
    lease = running(studio.database)
    with pytest.raises(ClaimSuperseded, match="try again when it has ended"):
        regenerate(studio, lease.id)
    with pytest.raises(GenerationUnknown):
        regenerate(studio, uuid4())
    with pytest.raises(PoseNumberUnknown, match="no completed pose 3; it has 1, 2"):
        regenerate(studio, generation, numbers=[1, 3])
    with pytest.raises(UnknownName, match="myspace"):
        regenerate(studio, generation, formats=["myspace"])
