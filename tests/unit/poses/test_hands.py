"""Finger joints: straight, curled, mirrored and scaled."""

import numpy as np
import pytest

from posegen.errors import UnknownName
from posegen.poses.hands import FINGERS, HAND_SHAPES, finger_joints, hand_shape
from posegen.poses.skeleton import Build

BUILD = Build()


@pytest.mark.parametrize("name", HAND_SHAPES)
def test_the_right_hand_mirrors_the_left_one(name):
    left, right = (finger_joints(hand_shape(name), side, BUILD) for side in ("left", "right"))

    assert np.allclose(left * (-1, 1, 1), right)


def test_a_flat_hand_is_as_long_as_a_tenth_of_the_body():
    tips = finger_joints(hand_shape("flat"), "left", BUILD)[:, 3]

    assert 0.1 * BUILD.height < -tips[FINGERS.index("middle"), 1] < 0.115 * BUILD.height


def test_a_fist_closes_all_fingers_towards_the_palm():
    joints = finger_joints(hand_shape("fist"), "left", BUILD)[1:]

    assert (joints[:, 3, 0] < -0.005).all()
    assert (-joints[:, 3, 1] < -joints[:, 0, 1] + 0.01).all()


def test_pointing_stretches_the_index_only():
    reach = -finger_joints(hand_shape("point"), "left", BUILD)[:, 3, 1]

    assert reach[FINGERS.index("index")] > 0.16
    assert (reach[[FINGERS.index(name) for name in ("middle", "ring", "little")]] < 0.12).all()


def test_an_unknown_shape_is_refused_and_the_known_ones_are_named():
    with pytest.raises(UnknownName, match="There is no hand shape 'claw'; known: clasp"):
        hand_shape("claw")
