"""The quality gate at work: what does not pass is made again with the next seed, and after that its credits return."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from posegen.backends.mannequin import Mannequin
from posegen.backends.protocol import Rendering
from posegen.errors import ImageInvalid
from posegen.generations.making import quality
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.generations.making.quality import Gate, problems_of
from posegen.generations.reading.inspection import inspect_quality
from posegen.images.measures import FigureMeasures, Measures
from posegen.images.quality import seed_of
from posegen.images.validation import open_image
from posegen.work.keeper import LeaseKeeper
from tests.backends import painted, standing_keypoints
from tests.builders import (
    PRICE,
    SLUGS,
    a_user,
    credits,
    execute,
    finished,
    result,
    row,
    rows,
    running,
    taken_over,
    value,
    work,
)

pytestmark = pytest.mark.full_size
BLACK = np.zeros((1024, 1024, 3), np.uint8)
GOOD = Measures(150, 180, 0.8, 1, bytes(1024), FigureMeasures(0.2, 1, 1))


def make(studio, lease):
    with LeaseKeeper(studio.database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
        return make_poses(studio, lease, keeper)


def render_as(backend, monkeypatch, pixels_for):
    """Lets the backend answer these pixels; where they are None, what it would paint anyway."""
    paint = backend.render

    def render(recipe):
        rendering = paint(recipe)
        pixels = pixels_for(recipe)
        return rendering if pixels is None else Rendering(pixels, keypoints=rendering.keypoints)

    monkeypatch.setattr(backend, "render", render)


# --- what passes ------------------------------------------------------------------------------------------------------


def test_what_was_measured_is_written_down_with_the_pose(studio):
    finished(studio, seed=9)

    stored = row(studio.database, "select * from pose_quality")
    assert (stored["seed_used"], stored["quality_retries"], stored["sharpness"]) == (9, 0, 1)
    assert 100 < stored["brightness"] < 220
    assert stored["contrast"] > 40
    assert stored["figure_share"] is None
    assert len(value(studio.database, "select perceptual_hash from generated_poses")) == 1024


def test_the_mannequins_figure_is_measured_by_its_own_mask(studio):
    mannequin = replace(studio, open_backend=lambda _: Mannequin())
    finished(mannequin, poses=SLUGS[:2], variations=2)

    measured = rows(studio.database, "select * from pose_quality order by position")
    assert len(measured) == 4
    for pose in measured:
        assert 0.05 < pose["figure_share"] < 0.5
        assert pose["figure_on_keypoints"] == 1
        assert pose["figure_outline"] > 0.8
        assert pose["quality_retries"] == 0


# --- what does not ----------------------------------------------------------------------------------------------------


def test_a_picture_that_does_not_pass_is_made_again_with_the_next_seed(studio, backend, monkeypatch):
    user = a_user(studio.database)
    lease = running(studio.database, user, seed=7)
    render_as(backend, monkeypatch, lambda recipe: BLACK if recipe.seed == 7 else None)

    assert work(studio, lease) == "completed"

    again = seed_of(7, 1)
    assert [recipe.seed for recipe in backend.recipes] == [7, again]
    shown = row(studio.database, "select * from pose_results join pose_quality using (pose_id)")
    assert (shown["seed_used"], shown["quality_retries"]) == (again, 1)
    stored = row(studio.database, "select recipe, recipe_hash from generated_poses")
    assert stored["recipe"]["seed"] == again
    assert stored["recipe_hash"] == backend.recipes[1].digest()
    key = value(studio.database, "select key from objects where content_type = 'image/png'")
    assert np.array_equal(open_image(studio.store.get(key)), painted(again, pose=SLUGS[0]))
    assert credits(studio.database, user) == (10_000 - PRICE, 0, PRICE)


@pytest.mark.parametrize("retries", [0, 2])
def test_after_so_many_seeds_the_pose_fails_and_its_credits_return(studio, backend, monkeypatch, retries):
    user = a_user(studio.database)
    lease = running(studio.database, user, seed=7)
    faint = (painted(1) * 0.05 + 120).astype(np.uint8)
    render_as(backend, monkeypatch, lambda _: faint)

    assert work(replace(studio, quality_retries=retries), lease) == "failed"

    seeds = [seed_of(7, attempt) for attempt in range(retries + 1)]
    assert [recipe.seed for recipe in backend.recipes] == seeds
    failed = row(studio.database, "select * from pose_results")
    assert failed["error_code"] == "image_invalid"
    assert "it is blank or too flat: contrast" in failed["error_detail"]
    assert failed["error_detail"].endswith(f"Seeds tried: {', '.join(map(str, seeds))}.")
    assert failed["seed_used"] == 7
    assert credits(studio.database, user) == (10_000, 0, 0)
    assert result(studio.database, lease.id)["error_code"] == "image_invalid"
    assert list(studio.store.list()) == []


def test_a_backend_that_says_itself_that_its_picture_is_none_is_asked_again(studio, backend):
    def refuse(recipe):
        if recipe.seed == 7:
            raise ImageInvalid("The service sent half a picture.")

    backend.before_each = refuse
    generation = finished(studio, seed=7)

    assert result(studio.database, generation)["status"] == "completed"
    assert value(studio.database, "select quality_retries from pose_quality") == 1


def test_the_same_picture_for_two_poses_is_a_copy_and_the_second_is_made_again(studio, backend, monkeypatch):
    lease = running(studio.database, poses=SLUGS[:3], seed=7)
    render_as(backend, monkeypatch, lambda recipe: painted(recipe.seed))  # the service does not look at the pose

    assert work(replace(studio, render_threads=1), lease) == "completed"

    stored = rows(studio.database, "select seed_used, quality_retries from pose_quality order by position")
    assert [tuple(pose.values()) for pose in stored] == [(7, 0), (seed_of(7, 1), 1), (seed_of(7, 2), 2)]


def test_the_same_picture_whatever_is_asked_for_fails_all_but_one(studio, backend, monkeypatch):
    user = a_user(studio.database)
    lease = running(studio.database, user, variations=3)
    render_as(backend, monkeypatch, lambda _: painted(1))

    assert work(studio, lease) == "partial"

    failed = rows(studio.database, "select error_detail from pose_results where status = 'failed'")
    assert len(failed) == 2
    assert all("it is the picture of pose" in pose["error_detail"] for pose in failed)
    assert credits(studio.database, user) == (10_000 - PRICE, 0, PRICE)


def test_of_two_threads_with_the_same_picture_one_is_told_that_it_has_a_copy(studio, backend, monkeypatch):
    lease = running(studio.database, poses=SLUGS[:2], seed=7)
    together = threading.Barrier(2)

    def same(recipe):
        if recipe.seed == 7:
            together.wait(180)
        return painted(recipe.seed)

    render_as(backend, monkeypatch, same)

    assert make(studio, lease).failed == 0
    retries = rows(studio.database, "select quality_retries from pose_quality order by quality_retries")
    assert [pose["quality_retries"] for pose in retries] == [0, 1]


def test_a_copy_of_a_pose_that_another_worker_has_finished_is_known(studio, backend, monkeypatch):
    lease = running(studio.database, poses=SLUGS[:2], seed=7)
    render_as(backend, monkeypatch, lambda recipe: painted(recipe.seed))
    one = replace(studio, render_threads=1)
    backend.before_each = lambda recipe: _stop_at(recipe, SLUGS[1])
    with pytest.raises(KeyboardInterrupt):
        make(one, lease)
    backend.before_each = lambda _: None

    assert make(one, taken_over(studio.database, lease.id)).rendered == 1

    stored = rows(studio.database, "select seed_used from pose_quality order by position")
    assert [pose["seed_used"] for pose in stored] == [7, seed_of(7, 1)]


def test_a_mask_of_another_size_than_the_picture_is_refused():
    rendering = Rendering(painted(1), keypoints=standing_keypoints(), part_mask=np.ones((64, 64), np.uint8))
    with pytest.raises(ImageInvalid, match=r"mask is \(64, 64\), its picture \(1024, 1024\)"):
        Gate({}).admit(0, rendering)


def test_a_pose_is_no_copy_of_itself():
    gate, rendering = Gate({0: None}), Rendering(painted(1), keypoints=standing_keypoints())
    gate.admit(0, rendering)

    assert gate.admit(0, rendering).contrast > 0
    with pytest.raises(ImageInvalid, match="it is the picture of pose 0 again"):
        gate.admit(1, rendering)


# --- looking at it later ----------------------------------------------------------------------------------------------


def test_what_was_stored_is_read_back_as_it_was_measured(studio):
    generation = finished(replace(studio, open_backend=lambda _: Mannequin()))
    with studio.database.transaction() as connection:
        (measures,) = quality.measures_of(connection, generation).values()

    assert measures is not None
    assert measures.figure is not None
    assert len(measures.perceptual_hash) == 1024
    assert problems_of({0: measures}) == []


def test_an_inspection_says_what_would_not_pass_today(studio):
    generation = finished(studio, poses=SLUGS[:3])
    assert inspect_quality(studio, generation).problems == []

    execute(studio.database, "update generated_poses set brightness = 3, noise = 40 where position = 1")
    execute(
        studio.database,
        "update generated_poses set perceptual_hash = (select perceptual_hash from generated_poses where position = 0) "
        "where position = 2",
    )

    inspection = inspect_quality(studio, generation)
    assert inspection.looked_at == 3
    assert inspection.problems == [
        "pose 1: it is black: mean brightness 3.0, at least 12",
        "pose 1: it is noisy: grain 40.0, at most 12",
        "pose 2: it is the picture of pose 0 again",
    ]


def test_a_pose_from_before_there_were_measures_is_told():
    assert problems_of({0: None, 1: GOOD}) == ["pose 0 was never measured"]


def test_measures_are_there_together_or_not_at_all(studio):
    finished(studio)
    for column, group in (("noise", "picture"), ("figure_share", "figure")):
        broken = "null" if group == "picture" else "0.5"
        with pytest.raises(Exception, match=f"a_measured_{group}_is_measured_whole"):
            execute(studio.database, f"update generated_poses set {column} = {broken}")


def _stop_at(recipe, pose):
    if recipe.pose == pose:
        raise KeyboardInterrupt
