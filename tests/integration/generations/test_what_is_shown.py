"""What people look at: contact sheets, thumbnails made anew, manifests, and the inspection of what is stored."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from posegen.errors import ClaimSuperseded, GenerationUnknown
from posegen.generations.making.contact_sheets import draw_contact_sheet, store_contact_sheet
from posegen.generations.making.manifests import exports_manifest, poses_manifest, thumbnails_manifest
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses, make_thumbnails_again
from posegen.generations.reading.inspection import inspect_counts, inspect_exports, inspect_poses
from posegen.images.validation import open_image
from posegen.work.keeper import LeaseKeeper
from tests.builders import (
    PRICE,
    SLUGS,
    a_user,
    account,
    credits,
    execute,
    finished,
    queued,
    rows,
    running,
    value,
)


def keys(studio, folder=""):
    return [entry.key for entry in studio.store.list(folder)]


def damage(store, key, content_type):
    data = store.get(key)
    store.put(key, data[:-20] + bytes(20), content_type=content_type, create_only=False)


# --- contact sheets -----------------------------------------------------------------------------------------------


def test_a_contact_sheet_shows_every_pose(studio):
    generation = finished(studio, poses=SLUGS[:3])

    sheet = draw_contact_sheet(studio, generation)

    assert sheet is not None
    assert sheet.width == 640


def test_a_generation_without_poses_has_no_contact_sheet(studio):
    generation = queued(studio.database)

    assert draw_contact_sheet(studio, generation) is None
    assert store_contact_sheet(studio, generation, None) is None


def test_a_stored_contact_sheet_can_be_opened_at_its_url(studio):
    generation = finished(studio, poses=SLUGS[:2])

    url = store_contact_sheet(studio, generation, None)

    assert url is not None
    key = url.removeprefix("https://pictures.example/media/")
    assert open_image(studio.store.get(key)).shape[1] == 640
    assert (
        value(studio.database, "select key from objects o join generations g on g.contact_sheet_object = o.id") == key
    )
    assert store_contact_sheet(studio, generation, None) == url


def test_a_contact_sheet_is_ours_and_takes_none_of_the_users_space(studio):
    user = a_user(studio.database)
    generation = finished(studio, user)
    used = account(studio.database, user)["storage_used"]

    store_contact_sheet(studio, generation, None)

    assert account(studio.database, user)["storage_used"] == used
    assert used == value(studio.database, "select sum(size)::bigint from objects where generation_id = %s", generation)


# --- thumbnails ---------------------------------------------------------------------------------------------------


def test_thumbnails_that_were_lost_can_be_made_again_at_no_charge(studio):
    user = a_user(studio.database)
    generation = finished(studio, user, poses=SLUGS[:2])
    before = rows(studio.database, "select thumbnail_url from pose_results order by position")
    studio.store.delete(*keys(studio, "thumbnails/"))

    assert make_thumbnails_again(studio, generation) == 2

    assert rows(studio.database, "select thumbnail_url from pose_results order by position") == before
    assert inspect_poses(studio, generation).problems == []
    assert credits(studio.database, user) == (10_000 - 2 * PRICE, 0, 2 * PRICE)


def test_thumbnails_of_a_generation_at_work_are_left_to_its_worker(studio):
    lease = running(studio.database)
    with LeaseKeeper(studio.database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
        make_poses(studio, lease, keeper)

    with pytest.raises(ClaimSuperseded):
        make_thumbnails_again(studio, lease.id)


# --- manifests ----------------------------------------------------------------------------------------------------


def test_the_manifests_name_every_object_with_its_hash(studio):
    generation = finished(studio, poses=SLUGS[:2], formats=["shopee", "tokopedia"])

    poses = poses_manifest(studio, generation)
    thumbnails = thumbnails_manifest(studio, generation)
    exports = exports_manifest(studio, generation)

    listed = [*poses["poses"], *thumbnails["thumbnails"], *exports["exports"]]
    assert {entry["key"] for entry in listed} == set(keys(studio))
    for entry in listed:
        assert len(studio.store.get(entry["key"], sha256=entry["sha256"])) == entry["size"]
    assert (poses["asked"], poses["failed"], poses["credits_captured"]) == (2, 0, 2 * PRICE)
    assert [entry["library_pose"] for entry in poses["poses"]] == SLUGS[:2]
    assert exports["failed"] == []
    assert json.loads(json.dumps([poses, thumbnails, exports])) == [poses, thumbnails, exports]


def test_a_manifest_names_what_failed_and_why(studio):
    generation = finished(studio)
    execute(
        studio.database,
        "insert into exports (pose_id, format, status, error_code, error_detail) "
        "select id, 'shopee', 'failed', 'image_invalid', 'too large' from generated_poses",
    )

    (failed,) = exports_manifest(studio, generation)["failed"]

    assert (failed["format"], failed["error_code"], failed["detail"]) == ("shopee", "image_invalid", "too large")


def test_a_generation_that_does_not_exist_has_no_manifest(studio):
    with pytest.raises(GenerationUnknown):
        poses_manifest(studio, uuid4())


# --- inspection ---------------------------------------------------------------------------------------------------


def test_a_sound_generation_has_no_problems(studio):
    generation = finished(studio, poses=SLUGS[:2], formats=["shopee"])

    looked = [inspect(studio, generation) for inspect in (inspect_counts, inspect_poses, inspect_exports)]

    assert [inspection.problems for inspection in looked] == [[], [], []]
    assert [inspection.looked_at for inspection in looked] == [2, 4, 2]


def test_a_pose_that_is_missing_is_told(studio, backend):
    backend.before_each = lambda recipe: 1 / 0 if recipe.pose == SLUGS[1] else None
    generation = finished(studio, poses=SLUGS[:2], formats=["shopee"])

    assert inspect_counts(studio, generation).problems == ["1 of 2 poses are completed"]


def test_an_export_that_is_missing_is_told(studio):
    generation = finished(studio, formats=["shopee"])
    execute(studio.database, "delete from exports")

    assert inspect_counts(studio, generation).problems == ["pose 0 has no export for shopee"]


def test_damaged_and_lost_objects_are_told(studio, store):
    generation = finished(studio, formats=["shopee"])
    (image,) = keys(studio, "poses/")
    (thumbnail,) = keys(studio, "thumbnails/")
    (export,) = keys(studio, "exports/")
    damage(store, image, "image/png")
    damage(store, export, "image/jpeg")
    store.delete(thumbnail)

    poses, exports = inspect_poses(studio, generation).problems, inspect_exports(studio, generation).problems

    assert [key in problem for key, problem in zip([image, thumbnail], poses, strict=True)] == [True, True]
    assert [export in problem for problem in exports] == [True]


def test_an_export_of_the_wrong_size_is_told(studio):
    generation = finished(studio, formats=["shopee"])
    execute(studio.database, "update exports set format = 'facebook'")

    (problem,) = inspect_exports(studio, generation).problems

    assert "is 1000x1000, not 1200x630" in problem


def test_a_generation_that_does_not_exist_cannot_be_inspected(studio):
    with pytest.raises(GenerationUnknown):
        inspect_counts(studio, uuid4())
