"""Groups: several generations at once, and none of another user."""

from __future__ import annotations

import io
import zipfile
from uuid import uuid4

import pytest

from posegen.errors import ArchiveFailed, GroupUnknown
from posegen.generations import groups, single_poses
from posegen.generations.groups import Group
from posegen.generations.service import AlreadyEnded, Cancelled
from tests.builders import PRICE, SLUGS, a_user, finished, queued, rows

SUMMER = {"project_id": "summer", "group_name": "one"}


@pytest.fixture
def group(studio):
    """Two generations that have ended, and one that waits; others beside it."""
    database, user = studio.database, a_user(studio.database)
    finished(studio, user, poses=SLUGS[:2], formats=["tiktok"], **SUMMER)
    finished(studio, user, poses=SLUGS[:1], formats=["tiktok"], **SUMMER)
    finished(studio, user, poses=SLUGS[:1], formats=["tiktok"], project_id="summer", group_name="two")
    finished(studio, a_user(database), poses=SLUGS[:1], formats=["tiktok"], **SUMMER)
    queued(database, user, poses=SLUGS[:3], **SUMMER)
    return Group(user, "summer", "one")


def test_the_progress_of_a_group_is_the_sum_over_its_generations(studio, group):
    found = groups.progress(studio.database, group)

    assert (found.generations, found.generations_ended, found.finished_at) == (3, 2, None)
    assert (found.poses_total, found.poses_completed, found.poses_failed) == (6, 3, 0)
    assert (found.credits_spent, found.credits_held) == (3 * PRICE, 3 * PRICE)


def test_a_group_is_cancelled_as_a_whole(studio, group):
    ended = groups.cancel(studio.database, group, actor="Ayu")

    assert [type(each) for each in ended] == [AlreadyEnded, AlreadyEnded, Cancelled]
    after = groups.progress(studio.database, group)
    assert after.generations_ended == 3
    assert after.finished_at is not None
    assert after.credits_released == 3 * PRICE


def test_the_archive_of_a_group_has_a_folder_for_each_generation(studio, group):
    planned = groups.plan_archive(studio, group, formats=["tiktok", "image"])

    packed = zipfile.ZipFile(io.BytesIO(b"".join(planned.read())))
    assert packed.testzip() is None
    assert len(packed.namelist()) == 6
    assert {name.split("/")[0] for name in packed.namelist()} == {"summer one"}
    assert [name.split("/")[1][:2] for name in packed.namelist()] == ["01"] * 4 + ["02"] * 2
    assert len(planned.poses) == 3
    single_poses.count_downloads(studio.database, planned.poses)
    counted = rows(studio.database, "select id from generated_poses where download_count = 1")
    assert {each["id"] for each in counted} == set(planned.poses)


def test_a_group_of_others_does_not_exist(studio, group):
    for ask in (groups.progress, lambda database, other: groups.cancel(database, other, actor="x")):
        with pytest.raises(GroupUnknown):
            ask(studio.database, Group(uuid4(), "summer", "one"))
    waiting = a_user(studio.database)
    queued(studio.database, waiting, **SUMMER)
    with pytest.raises(ArchiveFailed):
        groups.plan_archive(studio, Group(waiting, "summer", "one"))
