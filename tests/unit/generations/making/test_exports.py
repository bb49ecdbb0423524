from __future__ import annotations

import numpy as np
import pytest

from posegen.backends.protocol import Recipe
from posegen.figure.drawing import VERSION, draw
from posegen.figure.parts import Part
from posegen.generations.making.exports import belongings
from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY

POSES = {pose.slug: pose for pose in LIBRARY}


def recipe(slug: str, avatar: Avatar) -> Recipe:
    return Recipe("mannequin", VERSION, POSES[slug].specification, slug, avatar, "", 1, 256, 256)


@pytest.mark.parametrize(
    ("slug", "avatar"),
    [
        ("barbell-overhead", Avatar()),
        ("walking-with-suitcase", Avatar(body_type="plus_size")),
        ("under-an-umbrella", Avatar(age_group="child")),
        ("shopping-bags-both-hands", Avatar(gender_expression="masculine")),
        ("football-kick", Avatar()),
    ],
)
def test_the_corners_enclose_what_is_drawn(slug, avatar):
    asked = recipe(slug, avatar)
    mask = draw(asked.specification, avatar, width=256, height=256).part_mask
    corners = belongings(asked.to_json())
    assert corners is not None

    rows, columns = np.nonzero(mask == Part.PROP)
    assert corners[:, 0].min() * 256 <= columns.min() + 1.5
    assert corners[:, 1].min() * 256 <= rows.min() + 1.5
    assert corners[:, 0].max() * 256 >= columns.max() - 0.5
    assert corners[:, 1].max() * 256 >= rows.max() - 0.5


def test_a_figure_without_anything_has_no_belongings():
    assert belongings(recipe("star-jump", Avatar()).to_json()) is None


def test_the_wall_behind_a_figure_is_none():
    assert belongings(recipe("arms-crossed-against-wall", Avatar()).to_json()) is None


@pytest.mark.parametrize(
    "stored", [{}, {"specification": {"angles": 7}}, {"specification": {}, "avatar": {"wings": 2}}]
)
def test_a_recipe_that_cannot_be_read_counts_as_one_without_props(stored):
    assert belongings(stored) is None
