"""`posegen variants`: both files of a stored picture, now."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.accounts import quota
from posegen.images.validation import FROM_OUTSIDE, open_image
from posegen.objects import rows as objects
from posegen.uploads import rows as uploads
from tests.builders import a_user, finished, kept_picture, row
from tests.hostile_images import jpeg_of
from tests.stores import keys_in


@pytest.fixture
def pose(studio):
    """A finished pose with its owner."""
    user = a_user(studio.database)
    finished(studio, user)
    return row(studio.database, "select pose_id, image_url, user_id from pose_results")


@pytest.mark.full_size
def test_both_files_are_made_and_copied(posegen, studio, pose, tmp_path):
    answer = posegen("variants", pose["image_url"], "-o", tmp_path / "out", width=300)

    assert answer.code == 0
    assert "normal        JPEG  1024x1024" in answer.out
    assert "https://pictures.example/media/variants/cli/" in answer.out
    copied = sorted((tmp_path / "out").iterdir())
    assert [path.name[36:] for path in copied] == ["-high-quality.webp", "-normal.jpg"]
    for path in copied:
        assert open_image(path.read_bytes()).shape == (1024, 1024, 3)


def test_a_pose_may_be_named_by_its_id_and_scripts_read_the_row(posegen, studio, pose):
    made = posegen("variants", pose["pose_id"], "--tool", "newsletter", "--json").json

    assert (made["status"], made["tool"], made["user_id"]) == ("completed", "newsletter", str(pose["user_id"]))
    assert made["normal_url"].endswith(".jpg")


def test_a_picture_of_ours_may_be_larger_than_one_from_outside(posegen, studio):
    source = kept_picture(studio, a_user(studio.database), jpeg_of(FROM_OUTSIDE.max_bytes + 1))

    assert posegen("variants", source).code == 0


@pytest.mark.parametrize("source", ["nothing", "0b0b0b0b-0000-4000-8000-000000000000"])
def test_what_is_nobodys_picture_is_a_mistake(posegen, studio, pose, source):
    answer = posegen("variants", source, width=200)

    assert answer.code == 1
    assert "belongs to no user" in answer.err


def test_a_picture_of_somebody_else_fails(posegen, studio, pose):
    stranger = a_user(studio.database)

    answer = posegen("variants", pose["image_url"], "--user", stranger, width=300)

    assert answer.code == 3
    assert "invalid_request: This user has no stored picture" in answer.err


def test_a_tool_that_is_no_name_is_a_mistake(posegen, studio, pose):
    answer = posegen("variants", pose["image_url"], "--tool", "My Tool", width=200)

    assert answer.code == 1
    assert "the tool must be a lower-case letter" in answer.err


def test_a_user_who_does_not_exist_fails(posegen, studio, pose):
    assert posegen("variants", pose["image_url"], "--user", uuid4()).code == 3


def test_they_are_deleted_by_their_request_and_the_picture_stays(posegen, studio, pose):
    made = posegen("variants", pose["pose_id"], "--json").json
    again = posegen("variants", "make", pose["pose_id"], "--json").json

    deleted = posegen("variants", "delete", made["request_id"])

    assert (deleted.code, deleted.out) == (0, "The variants of 1 request are deleted.\n")
    assert {key.rpartition("/")[2][:36] for key in keys_in(studio.store, "variants/")} == {again["request_id"]}
    assert row(studio.database, "select image_url from pose_results")["image_url"] == pose["image_url"]
    nothing = posegen("variants", "delete", made["request_id"], width=300)
    assert (nothing.code, "were deleted before" in nothing.err) == (1, True)
    assert posegen("variants", "delete", again["request_id"], made["request_id"], "--json").json == {
        "requests_deleted": 1
    }


def test_an_upload_is_deleted_by_its_id(posegen, studio, pose):
    upload, key = uuid4(), "uploads/{}-0123456789ab.png"
    stored = studio.store.put(key.format(upload), b"picture", content_type="image/png")
    with studio.database.transaction() as connection:
        uploads.begin(
            connection, upload, pose["user_id"], content_type="image/png", size=7, store="local", key="x", seconds=60
        )
        made, _ = objects.register(connection, "local", stored, generation_id=None, user_id=pose["user_id"])
        quota.use(connection, pose["user_id"], 7)
        uploads.complete(connection, upload, made)

    assert posegen("upload", "delete", upload, "--actor", "Ayu").out == (
        f"Upload {upload} is deleted, and what was made of it.\n"
    )

    assert not studio.store.exists(stored.key)
    assert posegen("upload", "delete", upload).code == 1
    assert posegen("audit", "--action", "upload_deleted", "--json").json[0]["actor"] == "Ayu"
