from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from posegen.figure.drawing import draw
from posegen.figure.parts import Part
from posegen.images.body import body_of
from posegen.images.framing import place
from posegen.platforms.platform import PLATFORMS
from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY
from tests.backends import STANDING, standing_keypoints

SIDE = 320
# Those that reach out farthest, in clothes and hair that take the most room.
TRYING = {
    "split-leap": Avatar(hair="long_blonde", clothing="summer_dress"),
    "star-jump": Avatar(age_group="child", hair="afro_black", clothing="long_dress"),
    "bowing": Avatar(body_type="plus_size", clothing="long_coat", gender_expression="masculine"),
    "thinker-seated": Avatar(age_group="child", hair="afro_black"),
    "stop-palm-out": Avatar(clothing="suit", hair="ponytail_brown"),
    "kneeling-on-heels": Avatar(body_type="curvy", hair="hijab", clothing="long_dress"),
    "cheering-on-one-leg": Avatar(gender_expression="masculine", hair="curly_auburn"),
    "lying-on-side": Avatar(hair="long_black", clothing="blouse_and_skirt"),
}


@pytest.mark.parametrize("slug", TRYING)
def test_no_pixel_of_a_body_is_cut_off_anywhere(slug):
    """By the figure's own mask: from the hair to the toes, everything but what is held."""
    (pose,) = (pose for pose in LIBRARY if pose.slug == slug)
    drawing = draw(pose.specification, TRYING[slug], seed=1, width=SIDE, height=SIDE)
    rows, columns = np.nonzero((drawing.part_mask > Part.BACKGROUND) & (drawing.part_mask < Part.PROP))
    body = body_of(drawing.keypoints, (SIDE, SIDE))
    lowest, highest = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)

    for platform in PLATFORMS.values():
        placement = place((SIDE, SIDE), (platform.width, platform.height), "figure", body)
        left, top, right, bottom = placement.visible
        assert left <= lowest[0], platform.name
        assert top <= lowest[1], platform.name
        assert right >= highest[0], platform.name
        assert bottom >= highest[1], platform.name


def test_the_box_reaches_beyond_all_keypoints():
    left, top, right, bottom = body_of(standing_keypoints(), (1000, 1000)).whole
    points = STANDING * 1000

    assert left < points[:, 0].min() - 40
    assert right > points[:, 0].max() + 40
    assert top < points[:, 1].min() - 40
    assert bottom > points[:, 1].max() + 40


def test_it_grows_with_the_figure_and_moves_with_it():
    small = body_of(SimpleNamespace(points=STANDING * 0.4 + 0.1), (1000, 1000)).whole
    large = body_of(SimpleNamespace(points=STANDING * 0.8 + 0.1), (1000, 1000)).whole

    assert [edge - 100 for edge in large] == pytest.approx([2 * (edge - 100) for edge in small])


def test_an_arm_that_points_at_the_camera_does_not_make_the_hand_small():
    """Foreshortened limbs say nothing of the scale; the longest one does."""
    towards = STANDING.copy()
    towards[3:5] = towards[2]
    left = body_of(SimpleNamespace(points=towards), (1000, 1000)).whole[0]

    assert left < towards[4, 0] * 1000 - 100


def test_a_body_that_leaves_the_picture_ends_at_its_edge():
    body = body_of(SimpleNamespace(points=STANDING + np.array([0.45, 0.3])), (800, 600))

    assert body.whole[2:] == (800, 600)
    assert body.head[2] <= 800


def test_fractions_are_of_the_width_and_of_the_height():
    left, _, right, bottom = body_of(SimpleNamespace(points=STANDING), (2000, 1000)).whole

    assert (left + right) / 2 == pytest.approx(1000)
    assert bottom <= 1000


def test_what_the_figure_holds_belongs_to_it():
    umbrella = np.array([[0.2, 0.02], [0.9, 0.02]])
    alone = body_of(standing_keypoints(), (1000, 1000)).whole
    together = body_of(standing_keypoints(), (1000, 1000), umbrella).whole

    assert together == (min(200, alone[0]), min(20, alone[1]), 900, alone[3])
