"""Where props end up: in the hand, on the ground, under the pelvis, against the wall."""

import numpy as np
import pytest

from posegen.poses.body import outline_points, pelvis_underside
from posegen.poses.hands import palm_centre
from posegen.poses.kinematics import solve
from posegen.poses.prop_kinds import HANDS, PROPS
from posegen.poses.skeleton import Build
from posegen.poses.specification import PoseSpecification, PropUse

ARMS_FORWARD = {f"{side}_elbow": (90.0, 0.0, 0.0) for side in ("left", "right")}
SEATED = {f"{side}_{joint}": (90.0, 0.0, 0.0) for side in ("left", "right") for joint in ("hip", "knee")}
BUILDS = [Build(), Build(height=1.3, arms=0.9), Build(height=1.95, girth=1.3)]


def placed(kind, at, angles=None, build=BUILDS[0], **use):
    skeleton = solve(PoseSpecification(angles=angles or ARMS_FORWARD, props=(PropUse(kind, at, **use),)), build)
    return skeleton, skeleton.props[0]


EVERY_USE = [(kind, at) for kind, prop in PROPS.items() for at in prop.anchors]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize(("kind", "at"), EVERY_USE)
def test_every_prop_can_be_placed_at_each_of_its_anchors(kind, at, build):
    _, prop = placed(kind, at, build=build)

    assert np.isfinite(prop.position).all()
    assert (prop.size > 0).all()
    assert np.allclose(prop.orientation.T @ prop.orientation, np.eye(3), atol=1e-9)
    assert np.linalg.det(prop.orientation) == pytest.approx(1)


@pytest.mark.parametrize(("kind", "at"), [use for use in EVERY_USE if use[1] in HANDS])
def test_a_held_prop_touches_the_palm_of_its_hand(kind, at):
    skeleton, prop = placed(kind, at)
    side = at.removesuffix("_hand")
    palm = skeleton.point(f"{side}_wrist", palm_centre(side, skeleton.build))

    local = prop.orientation.T @ (palm - prop.position)

    assert (np.abs(local) <= prop.size / 2 + 0.05).all()


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("kind", ["chair", "stool"])
def test_a_seat_stands_on_the_ground_and_is_as_high_as_the_figure_sits(kind, build):
    skeleton, prop = placed(kind, "seat", SEATED, build)

    assert prop.corners()[:, 1].min() == pytest.approx(0, abs=1e-9)
    assert prop.seat == pytest.approx(pelvis_underside(skeleton))


@pytest.mark.parametrize("at", ["back", "left_side", "right_side"])
def test_a_wall_touches_the_figure_and_stays_outside_of_it(at):
    skeleton, prop = placed("wall", at)
    front = prop.position + prop.orientation[:, 2] * prop.size[2] / 2

    distances = (outline_points(skeleton) - front) @ prop.orientation[:, 2]

    assert distances.min() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("build", BUILDS)
def test_a_box_between_the_hands_is_as_wide_as_they_are_apart(build):
    skeleton, prop = placed("box", "both_hands", build=build)
    palms = [skeleton.point(f"{side}_wrist", palm_centre(side, build)) for side in ("left", "right")]

    assert prop.size[0] == pytest.approx(np.linalg.norm(palms[0] - palms[1]))


@pytest.mark.parametrize("lean", [0, 30])
def test_a_suitcase_reaches_from_the_hand_to_the_ground_however_it_leans(lean):
    _, prop = placed("suitcase", "right_hand", turn=(0, lean, 0))

    assert prop.corners()[:, 1].min() == pytest.approx(0, abs=1e-9)


def test_an_offset_moves_a_prop_along_its_own_axes():
    _, prop = placed("box", "floor", turn=(90, 0, 0))
    _, shifted = placed("box", "floor", turn=(90, 0, 0), offset=(0.1, 0, 0.2))

    assert shifted.position - prop.position == pytest.approx((0.2, 0, -0.1))
