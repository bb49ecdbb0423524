"""`posegen library`: the poses that can be asked for, in words and in pictures."""

from __future__ import annotations

import json

import pytest

from posegen.images.validation import open_image
from posegen.library import rows as library
from posegen.poses.library import CATEGORIES, LIBRARY
from tests.builders import execute


@pytest.fixture
def small_library(database, monkeypatch):
    """A library of two poses, which is drawn in no time."""
    monkeypatch.setattr(library, "LIBRARY", LIBRARY[:2])
    execute(database, "delete from library_poses where slug <> all(%s)", [pose.slug for pose in LIBRARY[:2]])


def add_operators_pose(database, slug, specification="{}", *, enabled=True):
    execute(
        database,
        "insert into library_poses (slug, name, category, description, difficulty, specification, enabled) "
        "values (%s, 'Ours', 'standing', 'ours [/]', 'easy', %s, %s)",
        slug,
        specification,
        enabled,
    )


# --- list ---------------------------------------------------------------------------------------------------------


def test_every_pose_is_listed_with_its_category(posegen):
    listed = posegen("library", "list", "--json").json

    assert len(listed) == 64
    assert len({pose["category"] for pose in listed}) == 28
    assert {"slug", "name", "category", "tags", "description", "difficulty"} <= listed[0].keys()


def test_a_narrow_terminal_shows_whole_names(posegen):
    out = posegen("library", "list", width=80).out

    assert all(pose.slug in out for pose in LIBRARY)


def test_one_category_can_be_asked_for(posegen):
    listed = posegen("library", "list", "--category", "yoga", "--json").json

    assert {pose["category"] for pose in listed} == {"yoga"}


def test_a_category_that_does_not_exist_is_a_mistake(posegen):
    answer = posegen("library", "list", "--category", "flying")

    assert answer.code == 1
    assert "There is no category 'flying'; known: " in answer.err
    assert CATEGORIES[0].slug in answer.err


def test_operators_poses_are_listed_and_disabled_ones_are_not(database, posegen):
    add_operators_pose(database, "ours")
    add_operators_pose(database, "no-more", enabled=False)

    out = posegen("library", "list").out

    assert "ours [/]" in out
    assert "no-more" not in out


# --- sheet --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mannequin", "openpose", "depth"])
def test_a_sheet_shows_every_pose(posegen, small_library, tmp_path, kind):
    answer = posegen("library", "sheet", tmp_path / "sheet.png", "--kind", kind, "--width", 320, "--columns", 2)

    assert answer.code == 0
    assert f"2 poses on {tmp_path / 'sheet.png'}" in answer.out
    assert open_image((tmp_path / "sheet.png").read_bytes()).shape[1] == 320


def test_a_kind_that_does_not_exist_is_a_mistake(posegen, tmp_path):
    answer = posegen("library", "sheet", tmp_path / "sheet.png", "--kind", "x-ray")

    assert answer.code == 1
    assert "There is no kind of picture 'x-ray'; known: mannequin, openpose, depth" in answer.err


def test_a_pose_that_cannot_be_drawn_is_named_and_the_others_are_drawn(database, posegen, small_library, tmp_path):
    add_operators_pose(database, "broken-neck", '{"angles": {"neck": [170, 0, 0]}}')

    answer = posegen("library", "sheet", tmp_path / "sheet.png", "--width", 320)

    assert answer.code == 0
    assert "2 poses on" in answer.out
    assert "broken-neck cannot be drawn: neck flexion is 170" in answer.err


def test_a_sheet_that_cannot_be_written_is_named(posegen, small_library, tmp_path):
    (tmp_path / "file").write_text("in the way")

    answer = posegen("library", "sheet", tmp_path / "file" / "sheet.png")

    assert answer.code == 1
    assert str(tmp_path / "file") in answer.err


# --- draw ---------------------------------------------------------------------------------------------------------


def test_a_pose_is_drawn_in_every_way(posegen, tmp_path):
    answer = posegen("library", "draw", "star-jump", "--out", tmp_path / "drawn", "--side", 256)

    assert answer.code == 0
    for kind in ("mannequin", "openpose", "depth"):
        path = tmp_path / "drawn" / f"star-jump-{kind}.png"
        assert str(path) in answer.out.splitlines()
        assert open_image(path.read_bytes()).shape[:2] == (256, 256)
    document = json.loads((tmp_path / "drawn" / "star-jump-openpose.json").read_text())
    assert len(document["people"][0]["pose_keypoints_2d"]) == 18 * 3
    assert (document["canvas_width"], document["canvas_height"]) == (256, 256)


def test_a_pose_that_does_not_exist_is_a_mistake(posegen):
    answer = posegen("library", "draw", "flying-carpet")

    assert answer.code == 1
    assert "There is no pose 'flying-carpet'; known: " in answer.err


def test_a_pose_that_cannot_be_drawn_says_why(database, posegen, tmp_path):
    add_operators_pose(database, "broken-neck", '{"angles": {"neck": [170, 0, 0]}}')

    answer = posegen("library", "draw", "broken-neck", "--out", tmp_path)

    assert answer.code == 1
    assert "neck flexion is 170" in answer.err
