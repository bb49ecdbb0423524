"""The mannequin backend: it draws what its recipe says, and rejects a recipe that it cannot draw."""

from dataclasses import replace

import numpy as np
import pytest

from posegen.backends.mannequin import Mannequin
from posegen.backends.protocol import Recipe
from posegen.errors import BackendRejected
from posegen.figure.drawing import draw
from posegen.poses.avatar import Avatar
from posegen.poses.library import library_pose

POSE = library_pose("phone-texting")
RECIPE = Recipe(
    backend="mannequin",
    backend_version=Mannequin().version,
    specification=POSE.specification,
    pose=POSE.slug,
    avatar=Avatar(setting="park"),
    prompt=POSE.description,
    seed=11,
    width=160,
    height=120,
)


def test_a_rendering_is_the_drawing_of_pose_avatar_seed_and_size():
    rendering = Mannequin().render(RECIPE)
    drawing = draw(RECIPE.specification, RECIPE.avatar, seed=11, width=160, height=120)

    assert np.array_equal(rendering.pixels, drawing.pixels)
    assert np.array_equal(rendering.keypoints.points, drawing.keypoints.points)
    assert np.array_equal(rendering.depth, drawing.depth)
    assert np.array_equal(rendering.part_mask, drawing.part_mask)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 63}, "width is 63"),
        ({"height": 100_000}, "height is 100000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"backend": "fal"}, "for fal"),
        ({"backend_version": "0"}, "mannequin 0"),
    ],
    ids=lambda value: str(value),
)
def test_a_recipe_that_cannot_be_rendered_is_rejected_with_the_reason(change, said):
    with pytest.raises(BackendRejected, match=said):
        Mannequin().render(replace(RECIPE, **change))
