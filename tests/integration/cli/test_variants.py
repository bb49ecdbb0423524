"""`posegen variants`: both files of a stored picture, now."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.images.validation import open_image
from tests.builders import a_user, finished, row


@pytest.fixture
def pose(studio):
    """A finished pose with its owner."""
    user = a_user(studio.database)
    finished(studio, user)
    return row(studio.database, "select pose_id, image_url, user_id from pose_results")


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


@pytest.mark.parametrize("source", ["nothing", "0b0b0b0b-0000-4000-8000-000000000000"])
def test_what_is_nobodys_picture_is_a_mistake(posegen, studio, pose, source):
    answer = posegen("variants", source, width=200)

    assert answer.code == 1
    assert "is nobody's picture" in answer.err


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
