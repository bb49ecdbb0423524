"""Models that take the pose as a reference image: what they are shown, what the recipe says of it, and its replay."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from posegen.backends.protocol import Recipe
from posegen.errors import BackendRejected
from posegen.figure.drawing import draw
from posegen.generations.calling import control
from posegen.generations.reading.replay import Likeness, replay
from posegen.images.validation import open_image
from posegen.poses.avatar import Avatar
from tests.builders import SLUGS, execute, result, row, rows, running, work
from tests.hosted import DESCRIPTION, NAME, FarEndInProcess, photographing, short_pauses

CAN = replace(DESCRIPTION.capabilities, references=1, control_kinds=("openpose", "depth"))
AVATAR = {"age_group": "senior", "hair": "bob_auburn"}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    short_pauses(monkeypatch)


@pytest.fixture
def shown(studio, monkeypatch):
    """The studio and the far end of a model that is shown the pose as a reference image in this way."""

    def by(reference: str, *, can=CAN):
        description = replace(DESCRIPTION, reference=reference, capabilities=can)
        monkeypatch.setattr("tests.builders.hosted.DESCRIPTION", description)
        far_end = FarEndInProcess(description=description)
        return photographing(studio, far_end, call_seconds=60.0), far_end

    return by


def made(studio, **columns):
    lease = running(studio.database, backend=NAME, poses=SLUGS[:1], **columns)
    assert work(studio, lease) == "completed", result(studio.database, lease.id)
    return lease.id


def recipes(studio):
    return [each["recipe"] for each in rows(studio.database, "select recipe from generated_poses order by position")]


def test_the_mannequin_with_the_avatar_is_the_reference_image_and_the_recipe_names_it(shown):
    studio, far_end = shown("mannequin")

    made(studio, avatar=AVATAR)

    (order,) = far_end.orders
    (recipe,) = recipes(studio)
    drawn = draw(
        order.recipe.specification, Avatar.from_json(AVATAR), width=studio.pose_side, height=studio.pose_side
    ).pixels
    assert np.array_equal(open_image(order.control.data), drawn)
    assert order.control.kind is None
    assert recipe["references"] == [hashlib.sha256(order.control.data).hexdigest()]
    assert not {"control_kind", "control_sha256", "control_start", "control_end"} & recipe.keys()
    assert "pose of the reference image" in recipe["prompt"]
    assert row(studio.database, "select recipe from backend_calls")["recipe"] == recipe


def test_variations_of_a_pose_are_shown_one_drawing(shown, monkeypatch):
    studio, far_end = shown("mannequin")
    drawn: list[object] = []

    def counted(specification, avatar, **size):
        drawn.append(specification)
        return draw(specification, avatar, **size)

    monkeypatch.setattr(control, "draw", counted)

    made(studio, variations=3)

    assert len(drawn) == 1
    assert len({order.control.sha256 for order in far_end.orders}) == 1
    assert len(far_end.orders) == 3


def test_a_map_that_is_sent_as_the_reference_image_is_named_as_one(shown):
    studio, far_end = shown("map")

    made(studio)

    (recipe,) = recipes(studio)
    assert recipe["references"] == [recipe["control_sha256"]] == [far_end.orders[0].control.sha256]
    assert recipe["control_kind"] == "openpose"


def test_a_recipe_without_a_reference_image_has_no_such_field_and_keeps_its_hash(shown):
    studio, _ = shown("map", can=DESCRIPTION.capabilities)

    made(studio)

    (recipe,) = recipes(studio)
    assert "references" not in recipe
    assert "references" not in json.loads(Recipe.from_json(recipe).canonical())


def test_what_needs_a_map_is_left_out_and_named_where_the_mannequin_is_shown(shown):
    studio, far_end = shown("mannequin")

    generation = made(studio, control_kind="depth", allow_degraded=True)

    found = row(studio.database, "select degraded from pose_results where generation_id = %s", generation)
    assert found["degraded"][0].startswith(
        "control_kind: 'depth' cannot be followed by studio, it is shown the mannequin"
    )
    assert far_end.orders[0].control.kind is None


@pytest.mark.parametrize("reference", ["map", "mannequin"])
def test_a_replay_sends_the_same_reference_image(shown, reference):
    studio, far_end = shown(reference)
    made(studio, avatar=AVATAR)
    pose = row(studio.database, "select id from generated_poses")["id"]

    assert replay(studio, pose, billed=True).likeness is Likeness.IDENTICAL

    first, again = far_end.orders
    assert (again.recipe, again.control) == (first.recipe, first.control)


def test_a_mannequin_that_is_drawn_otherwise_by_now_is_not_paid_for(shown):
    studio, far_end = shown("mannequin")
    made(studio)
    execute(studio.database, "update generated_poses set recipe = recipe || %s", f'{{"references": ["{"0" * 64}"]}}')

    with pytest.raises(BackendRejected, match="is drawn otherwise by now"):
        replay(studio, row(studio.database, "select id from generated_poses")["id"], billed=True)
    assert len(far_end.orders) == 1
