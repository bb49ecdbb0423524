"""`posegen replay`: the verdict in words, for scripts, and as an exit code."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from posegen.backends.mannequin import Mannequin
from posegen.generations.rows.poses import pose_id
from posegen.images.validation import open_image
from tests.builders import execute, finished


@pytest.fixture
def pose(studio):
    """Drawn by the mannequin, which the command uses too."""
    return pose_id(finished(replace(studio, open_backend=lambda _: Mannequin()), seed=9), 0)


def test_the_same_picture_is_identical(posegen, studio, pose, tmp_path):
    answer = posegen("replay", pose, "-o", tmp_path / "again.png")

    assert answer.code == 0
    assert answer.out.startswith("Identical: the same file, byte for byte.\nRecipe ")
    assert np.ptp(open_image((tmp_path / "again.png").read_bytes())) > 100


def test_another_picture_says_how_far_it_is_and_scripts_read_it(posegen, studio, pose):
    execute(studio.database, "update generated_poses set recipe = jsonb_set(recipe, '{seed}', '10')")

    answer, as_json = posegen("replay", pose, width=200), posegen("replay", pose, "--json")

    assert answer.code == as_json.code == 1
    assert "Different: PSNR " in answer.out
    assert "The stored recipe has another hash" in answer.out
    assert as_json.json["likeness"] == "different"
    assert 5 < as_json.json["psnr"] < 60
    assert as_json.json["pose_id"] == str(pose)


def test_another_version_is_said(posegen, studio, pose):
    execute(studio.database, "update generated_poses set recipe = jsonb_set(recipe, '{backend_version}', '\"0\"')")

    answer = posegen("replay", pose, width=200)

    assert "made with mannequin 0." in answer.out
    assert f"Rendered now with mannequin {Mannequin().version}: another version may draw otherwise." in answer.out


def test_a_pose_that_does_not_exist_is_a_mistake(posegen, studio):
    unknown = uuid4()

    answer = posegen("replay", unknown, width=200)

    assert answer.code == 1
    assert f"There is no generated pose {unknown}" in answer.err
