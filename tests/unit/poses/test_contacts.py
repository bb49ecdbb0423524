"""Touch on every build: what stands, rests or joins hands on the average build does so on all the others."""

from dataclasses import replace

import numpy as np
import pytest

from posegen.poses.body import Capsule, capsules, outline_points
from posegen.poses.contacts import settle
from posegen.poses.hands import palm_centre
from posegen.poses.kinematics import solve
from posegen.poses.library import LIBRARY, library_pose
from posegen.poses.skeleton import JOINT_INDEX, Build, turn
from posegen.poses.specification import PoseSpecification

AVERAGE = Build()
BUILDS = [
    Build(height=1.22, head=1.32, legs=0.95, shoulders=0.95),
    Build(height=1.6, shoulders=0.9, hips=1.1, girth=0.9),
    Build(height=1.82, head=1.09, shoulders=1.18, hips=1.1, girth=1.25),
]
each_build = pytest.mark.parametrize("build", BUILDS, ids=["child", "slender", "broad"])


def palm(skeleton, side):
    return skeleton.point(f"{side}_wrist", palm_centre(side, skeleton.build))


def distance(part: Capsule, point):
    along = np.linspace(0, 1, 101)[:, None]
    axis = part.start + (part.end - part.start) * along
    radii = np.interp(along[:, 0], [0, 1], part.radii)
    return float((np.linalg.norm(axis - point, axis=1) - radii).min())


@each_build
@pytest.mark.parametrize("pose", [pose for pose in LIBRARY if not pose.specification.lift], ids=lambda pose: pose.slug)
def test_what_carries_the_average_figure_carries_every_other(pose, build):
    carrying = outline_points(solve(pose.specification))[:, 1] < 0.015

    heights = outline_points(solve(pose.specification, build))[carrying, 1]

    assert heights.max() < 0.035


@pytest.mark.parametrize("slug", ["push-up", "yoga-downward-dog", "sprint-start"])
@pytest.mark.parametrize("build", [Build(arms=0.85), Build(legs=0.85), Build(arms=1.15)], ids=str)
def test_hands_and_feet_reach_the_ground_with_long_and_short_limbs(slug, build):
    pose = library_pose(slug).specification
    carrying = outline_points(solve(pose))[:, 1] < 0.015

    assert outline_points(solve(pose, build))[carrying, 1].max() < 0.05


@pytest.mark.parametrize(("pitch", "roll"), [(6, 0), (0, -5), (-4, 7)])
def test_a_figure_that_tips_over_is_set_upright_on_what_carries_it(pitch, roll):
    average = solve(library_pose("push-up").specification)
    tip = turn(0, pitch) @ turn(2, roll)
    tipped = replace(average, positions=average.positions @ tip.T, orientations=tip @ average.orientations)

    settled = settle(tipped, average)

    upright = settled.orientation("pelvis") @ average.orientation("pelvis").T
    assert upright[:, 1] == pytest.approx((0, 1, 0), abs=0.01)


JOINED = ["palms-together", "yoga-tree", "hands-folded-in-front", "sitting-hugging-knees", "squatting-elbows-on-knees"]


@each_build
@pytest.mark.parametrize("slug", JOINED)
def test_joined_hands_stay_joined(slug, build):
    specification = library_pose(slug).specification
    figures = (solve(specification), solve(specification, build))
    apart = [np.linalg.norm(palm(each, "left") - palm(each, "right")) / each.build.scale for each in figures]

    assert apart[1] == pytest.approx(apart[0], abs=0.005)


@each_build
@pytest.mark.parametrize(
    ("slug", "side", "part"),
    [
        ("hands-on-hips-both", "left", "hips"),
        ("hand-on-hip-one", "right", "hips"),
        ("sitting-hands-on-knees", "left", "left_thigh"),
        ("bowing", "right", "right_thigh"),
        ("phone-at-ear", "right", "head"),
        ("lying-on-stomach", "left", "head"),
    ],
)
def test_a_hand_rests_as_near_to_the_body_as_on_the_average_build(slug, side, part, build):
    specification = library_pose(slug).specification
    gaps = []
    for skeleton in (solve(specification), solve(specification, build)):
        body = next(capsule for capsule in capsules(skeleton) if capsule.name == part)
        gaps.append(distance(body, palm(skeleton, side)) / skeleton.build.scale)

    assert gaps[1] == pytest.approx(gaps[0], abs=0.006)


@each_build
def test_hands_that_touch_nothing_stay_where_their_angles_put_them(build):
    spread = PoseSpecification(angles={f"{side}_shoulder": (0.0, 80.0, 0.0) for side in ("left", "right")})
    skeleton = solve(spread, build)

    elbow = skeleton.orientation("left_shoulder").T @ skeleton.orientation("left_elbow")
    assert np.allclose(elbow, np.eye(3), atol=1e-6)


@each_build
@pytest.mark.parametrize("pose", LIBRARY, ids=lambda pose: pose.slug)
def test_corrections_are_of_a_few_degrees(pose, build):
    average, skeleton = solve(pose.specification), solve(pose.specification, build)

    for joint in (
        "pelvis",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
    ):
        between = average.orientations[JOINT_INDEX[joint]].T @ skeleton.orientations[JOINT_INDEX[joint]]
        degrees = np.degrees(np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1)))
        assert degrees < 25


def test_on_the_average_build_the_angles_are_exactly_the_poses():
    bent = PoseSpecification(angles={"left_elbow": (90, 0, 0)})
    skeleton = solve(bent, AVERAGE)

    forearm = skeleton.orientation("left_shoulder").T @ skeleton.orientation("left_elbow")
    assert forearm @ (0, -1, 0) == pytest.approx((0, 0, 1), abs=1e-9)
