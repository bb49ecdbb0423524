"""What customers do with single pictures: theirs only, and each outcome by its id."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from posegen.errors import PoseUnknown, UnknownName
from posegen.generations import service, single_poses
from posegen.generations.reading.signing import SignedUrls
from posegen.generations.single_poses import Outcome, PoseChange
from posegen.storage.local import LocalStore
from tests.builders import SLUGS, a_user, execute, finished, queued, row, rows, value

DAY = timedelta(days=1)


@pytest.fixture
def made(studio):
    """A user, and the ids of three pictures of theirs."""
    user = a_user(studio.database)
    generation = finished(studio, user, poses=SLUGS[:3], formats=["tiktok"])
    return user, [pose.pose_id for pose in service.pose_results(studio.database, generation)]


def test_a_pose_is_found_by_its_user_and_by_those_who_may_see_all(studio, made):
    user, (pose, *_) = made

    found = single_poses.find_pose(studio.database, pose, user_id=user)

    assert found == single_poses.find_pose(studio.database, pose)
    assert single_poses.recipe_of(studio.database, pose, user_id=user).recipe["pose"] == SLUGS[0]
    for strange in ({"user_id": uuid4()}, {}):
        other = pose if strange else uuid4()
        for look in (single_poses.find_pose, single_poses.recipe_of, single_poses.count_download):
            with pytest.raises(PoseUnknown):
                look(studio.database, other, **strange)


def test_many_pictures_change_at_once_each_with_its_outcome(studio, made):
    database, (user, (first, second, third)) = studio.database, made
    foreign = service.pose_results(database, finished(studio))[0].pose_id
    waiting = service.pose_results(database, queued(database, user))[0].pose_id
    changes = [
        PoseChange(first, is_favourite=True), PoseChange(second, hidden=True), PoseChange(foreign, is_favourite=True),
        PoseChange(waiting, hidden=True), PoseChange(nobody := uuid4(), hidden=True),
        PoseChange(third, is_favourite=False),
    ]  # fmt: skip

    outcomes = single_poses.update_poses(database, changes, actor="Ayu", grace=DAY, user_id=user)

    assert outcomes == {
        first: Outcome.DONE, second: Outcome.DONE, foreign: Outcome.UNKNOWN, waiting: Outcome.NOT_COMPLETED,
        nobody: Outcome.UNKNOWN, third: Outcome.DONE,
    }  # fmt: skip
    states = rows(
        database, "select is_favourite, delete_after is not null as hidden from generated_poses where user_id = %s and"
        " status = 'completed' order by position", user,
    )  # fmt: skip
    assert [(each["is_favourite"], each["hidden"]) for each in states] == [(True, False), (False, True), (False, False)]
    assert not value(database, "select is_favourite from generated_poses where id = %s", foreign)


def test_a_hidden_picture_is_marked_only_together_with_its_restore(studio, made):
    database, (_, (pose, *_)) = studio.database, made

    def change(**changes):
        (outcome,) = single_poses.update_poses(database, [PoseChange(pose, **changes)], actor="Ayu", grace=DAY).values()
        return outcome

    assert change(hidden=True) is Outcome.DONE
    assert change(hidden=True) is Outcome.DONE
    assert change(is_favourite=True) is Outcome.HIDDEN
    assert change(is_favourite=True, hidden=False) is Outcome.DONE
    assert row(database, "select is_favourite, delete_after from generated_poses where id = %s", pose) == {
        "is_favourite": True, "delete_after": None,
    }  # fmt: skip
    assert change(is_favourite=False, hidden=True) is Outcome.DONE
    assert not value(database, "select is_favourite from generated_poses where id = %s", pose)


def test_no_more_than_500_pictures_change_at_once(database):
    with pytest.raises(ValueError, match="500"):
        single_poses.update_poses(database, [PoseChange(uuid4())] * 501, actor="Ayu", grace=DAY)


def test_a_download_is_counted_and_names_its_file(studio, made):
    database, (user, (pose, other, _)) = studio.database, made

    picture = single_poses.count_download(database, pose, user_id=user)
    export = single_poses.count_download(database, pose, format="tiktok")

    assert (picture.downloads, export.downloads) == (1, 2)
    assert picture.key.startswith("poses/")
    assert export.key.startswith("exports/")
    with pytest.raises(PoseUnknown):
        single_poses.count_download(database, pose, format="shopee")
    single_poses.count_downloads(database, [pose, other])
    counted = rows(database, "select download_count from generated_poses order by 1")
    assert [each["download_count"] for each in counted] == [0, 1, 3]


def test_an_export_is_made_again_in_another_format_and_fit(studio, made):
    database, (user, (pose, other, _)) = studio.database, made

    found = single_poses.export_again(studio, pose, format="facebook", fit="cover", user_id=user)

    assert set(found.exports) == {"tiktok", "facebook"}
    assert value(database, "select fit from exports where format = 'facebook'") == "cover"
    assert set(single_poses.find_pose(database, other).exports) == {"tiktok"}
    with pytest.raises(UnknownName):
        single_poses.export_again(studio, pose, format="myspace")
    with pytest.raises(PoseUnknown):
        single_poses.export_again(studio, pose, format="facebook", user_id=uuid4())


# --- signed URLs --------------------------------------------------------------------------------------------------


def test_pictures_of_a_private_store_get_one_signed_url_within_an_hour(studio, made, tmp_path):
    database, now = studio.database, [1_800_000_000.0]
    signer = SignedUrls(replace(studio, store=_that_signs(tmp_path, lambda: now[0])), clock=lambda: now[0])
    assert signer.poses(service.pose_results(database, _generation(made, database)))[0].urls_expire_at is None
    execute(database, "update stores set base_url = null")
    found = service.pose_results(database, _generation(made, database))

    (first, *_) = signer.poses(found)
    now[0] += 3599
    (again, *_) = signer.poses(found)
    now[0] += 2
    (later, *_) = signer.poses(found)

    urls = [first.pose.image_url, first.pose.thumbnail_url, first.pose.original_url, first.pose.exports["tiktok"]]
    assert all("?" in url for url in urls)
    assert again == first
    assert first.urls_expire_at.timestamp() == 1_800_000_000 + 7200
    assert later.pose.image_url != first.pose.image_url


def test_hidden_pictures_are_not_signed(studio, made):
    database, (_, (pose, *_)) = studio.database, made
    execute(database, "update stores set base_url = null")
    single_poses.update_poses(database, [PoseChange(pose, hidden=True)], actor="Ayu", grace=DAY)

    (signed,) = SignedUrls(studio, clock=lambda: 0.0).poses([single_poses.find_pose(database, pose)])

    assert (signed.pose.image_url, signed.urls_expire_at) == (None, None)


def _that_signs(folder, clock):
    return LocalStore(folder, base_url="/media", signing_secret=lambda: b"s" * 32, clock=clock)


def _generation(made, database):
    return value(database, "select generation_id from generated_poses where id = %s", made[1][0])
