"""Rendering a pose again: identical, or how far from it; and nothing changes by looking."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from posegen.backends.mannequin import Mannequin
from posegen.backends.protocol import Rendering
from posegen.errors import ObjectCorrupt, PoseUnknown, ReplayRefused
from posegen.generations.reading.replay import Likeness, differences, replay
from posegen.generations.rows.poses import pose_id
from tests.backends import PaintedBackend
from tests.builders import SLUGS, execute, finished, queued, rows


@pytest.fixture
def pose(studio):
    """A pose that was made with the painted backend."""
    return pose_id(finished(studio, poses=[SLUGS[3]], seed=5), 0)


class Repainting(PaintedBackend):
    """Paints one pixel otherwise."""

    def render(self, recipe):
        rendering = super().render(recipe)
        pixels = rendering.pixels.copy()
        pixels[500, 100] ^= 255
        return replace(rendering, pixels=pixels)


def everything(studio):
    """Whatever a replay could have changed."""
    counted = ["objects", "events", "ledger_entries", "generated_poses", "exports"]
    return [
        [entry.key for entry in studio.store.list()],
        [rows(studio.database, f"select * from {table} order by 1, 2") for table in counted],
        rows(studio.database, "select * from accounts"),
    ]


def test_the_mannequin_gives_the_same_file_byte_for_byte(studio):
    drawing = replace(studio, open_backend=lambda _: Mannequin())
    generation = finished(drawing, poses=["sitting-legs-crossed"], seed=11, avatar={"setting": "beach"})

    again = replay(drawing, pose_id(generation, 0))

    assert again.likeness is Likeness.IDENTICAL
    assert again.recipe_is_whole
    assert (again.psnr, again.largest_difference, again.changed) == (None, 0, 0.0)
    assert (again.backend, again.made_with, again.replayed_with) == ("mannequin", *[Mannequin().version] * 2)


def test_it_stores_nothing_and_charges_nothing(studio, pose):
    before = everything(studio)

    replay(studio, pose)

    assert everything(studio) == before


@pytest.mark.full_size
def test_another_picture_is_said_to_be_one_and_by_how_much(studio, pose):
    again = replay(replace(studio, open_backend=lambda _: Repainting()), pose)

    assert again.likeness is Likeness.DIFFERENT
    assert again.changed == 1 / 1024**2
    assert again.psnr is not None
    assert again.psnr > 50


def test_a_file_that_was_written_otherwise_can_have_the_same_pixels(studio, pose):
    with studio.database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")  # a request never changes otherwise
        connection.execute("update generation_requests set created_at = created_at - interval '1 day'")

    assert replay(studio, pose).likeness is Likeness.SAME_PIXELS


def test_another_version_of_the_backend_is_said(studio, pose):
    newer = PaintedBackend()
    newer.version = "painted-2"

    again = replay(replace(studio, open_backend=lambda _: newer), pose)

    assert (again.made_with, again.replayed_with) == ("painted-1", "painted-2")
    assert newer.recipes[0].backend_version == "painted-2"
    assert again.likeness is Likeness.IDENTICAL, "the recipe that is written into the file is the stored one"


def test_a_recipe_that_somebody_has_changed_is_said(studio, pose):
    execute(studio.database, "update generated_poses set recipe = jsonb_set(recipe, '{seed}', '6')")

    again = replay(studio, pose)

    assert not again.recipe_is_whole
    assert again.likeness is Likeness.DIFFERENT


def test_a_picture_of_another_size_cannot_be_compared(studio, pose, monkeypatch):
    execute(studio.database, "update generated_poses set recipe = jsonb_set(recipe, '{width}', '512')")

    again = replay(studio, pose)

    assert (again.psnr, again.largest_difference, again.changed) == (None, 255, 1.0)


def test_a_backend_that_bills_is_called_only_when_that_is_wanted(studio, pose):
    billing = PaintedBackend()
    billing.capabilities = replace(billing.capabilities, costs_money=True)
    studio = replace(studio, open_backend=lambda _: billing)

    with pytest.raises(ReplayRefused, match="--billed"):
        replay(studio, pose)
    assert billing.recipes == []

    assert replay(studio, pose, billed=True).likeness is Likeness.IDENTICAL


def test_a_pose_without_a_picture_cannot_be_replayed(studio):
    generation = queued(studio.database)

    with pytest.raises(ReplayRefused, match="is pending"):
        replay(studio, pose_id(generation, 0))
    with pytest.raises(PoseUnknown):
        replay(studio, uuid4())


@pytest.mark.parametrize("change", ["recipe - 'avatar'", "jsonb_set(recipe, '{camera}', '1')"])
def test_a_recipe_of_another_version_of_posegen_is_refused_in_words(studio, pose, change):
    execute(studio.database, f"update generated_poses set recipe = {change}")

    with pytest.raises(ReplayRefused, match="another version of Posegen"):
        replay(studio, pose)


def test_a_damaged_picture_is_not_compared(studio, pose):
    (image,) = rows(studio.database, "select key from objects o join generated_poses p on p.image_object = o.id")
    data = studio.store.get(image["key"])
    studio.store.put(image["key"], data[:-20] + bytes(20), content_type="image/png", create_only=False)

    with pytest.raises(ObjectCorrupt):
        replay(studio, pose)


def test_the_differences_of_two_pictures_are_those_of_the_definition():
    before = np.zeros((4, 5, 3), np.uint8)
    after = before.copy()
    after[0, 0] = (10, 0, 0)
    after[1, 1] = (0, 20, 0)

    psnr, largest, changed = differences(before, after)

    assert psnr == pytest.approx(10 * np.log10(255**2 / (500 / 60)))
    assert (largest, changed) == (20, 0.1)


def test_what_a_backend_answers_wrongly_is_no_replay(studio, pose):
    broken = PaintedBackend()
    broken.render = lambda _: Rendering(np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(Exception, match="3x3 pixels"):
        replay(replace(studio, open_backend=lambda _: broken), pose)
