"""The camera's view and the 18 keypoints in it."""

import numpy as np
import pytest

from posegen.poses.body import outline_points
from posegen.poses.camera import MARGIN, frame
from posegen.poses.keypoints import KEYPOINTS, keypoint_positions, openpose_json, project
from posegen.poses.kinematics import solve
from posegen.poses.skeleton import Build
from posegen.poses.specification import PoseSpecification, PropUse

FACE = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")


def seen(specification, aspect=1.0, build=None):
    skeleton = solve(specification, build or Build())
    return project(skeleton, frame(skeleton, specification, aspect))


def spot(keypoints, name):
    return keypoints.points[KEYPOINTS.index(name)]


def test_the_figures_left_is_right_in_the_picture_and_its_head_is_up():
    keypoints = seen(PoseSpecification())

    assert spot(keypoints, "left_shoulder")[0] > 0.5 > spot(keypoints, "right_shoulder")[0]
    assert spot(keypoints, "nose")[1] < spot(keypoints, "neck")[1] < spot(keypoints, "left_ankle")[1]


def test_a_symmetric_pose_is_symmetric_in_the_picture():
    arms = {f"{side}_shoulder": (20.0, 60.0, 10.0) for side in ("left", "right")}
    keypoints = seen(PoseSpecification(angles=arms))

    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "eye", "ear"):
        left, right = spot(keypoints, f"left_{name}"), spot(keypoints, f"right_{name}")
        assert left[0] - 0.5 == pytest.approx(0.5 - right[0], abs=1e-9)
        assert left[1] == pytest.approx(right[1], abs=1e-9)


def test_the_neck_is_the_middle_of_the_shoulders():
    skeleton = solve(PoseSpecification(angles={"left_clavicle": (0, 30, 0)}))
    positions = dict(zip(KEYPOINTS, keypoint_positions(skeleton), strict=True))

    assert np.allclose(positions["neck"], (positions["left_shoulder"] + positions["right_shoulder"]) / 2)


@pytest.mark.parametrize(
    ("yaw", "hidden"),
    [(0, ()), (80, ("right_ear",)), (-80, ("left_ear",)), (180, ("nose", "left_eye", "right_eye"))],
)
def test_the_head_hides_what_lies_behind_it(yaw, hidden):
    keypoints = seen(PoseSpecification(camera=(yaw, 0)))
    visible = dict(zip(KEYPOINTS, keypoints.visible, strict=True))

    assert not any(visible[name] for name in hidden)
    assert all(visible[name] for name in KEYPOINTS if name not in FACE)
    if yaw in (0, 180):
        assert visible["left_ear"]
        assert visible["right_ear"]


@pytest.mark.parametrize("aspect", [0.5, 1.0, 1.9])
@pytest.mark.parametrize("build", [Build(), Build(height=1.2, head=1.3), Build(height=2.1, arms=1.2)])
def test_the_whole_figure_is_in_the_picture_at_any_shape(aspect, build):
    arms = {"left_shoulder": (0.0, 85.0, 0.0), "right_shoulder": (170.0, 0.0, 0.0)}
    keypoints = seen(PoseSpecification(angles=arms, camera=(20, 10)), aspect, build)

    assert keypoints.visible.all()
    assert keypoints.points.min() >= MARGIN - 1e-6
    assert keypoints.points.max() <= 1 - MARGIN + 1e-6


@pytest.mark.parametrize("pitch", [0, 30])
def test_the_figure_is_in_the_middle_of_the_picture(pitch):
    specification = PoseSpecification(angles={"left_shoulder": (80.0, 70.0, 0.0)}, camera=(30, pitch))
    skeleton = solve(specification)

    outline, _ = frame(skeleton, specification).project(outline_points(skeleton))

    assert (outline.min(axis=0) + outline.max(axis=0)) / 2 == pytest.approx((0.5, 0.5), abs=0.002)


def test_what_is_held_is_in_the_picture_too():
    specification = PoseSpecification(
        angles={"right_elbow": (100.0, 0.0, 0.0)}, props=(PropUse("umbrella", "right_hand"),)
    )
    skeleton = solve(specification)

    corners, _ = frame(skeleton, specification).project(skeleton.props[0].corners())

    assert corners.min() >= MARGIN - 1e-6
    assert corners.max() <= 1 - MARGIN + 1e-6


def test_depth_is_metres_along_the_view():
    keypoints = seen(PoseSpecification(angles={"left_shoulder": (90.0, 0.0, 0.0)}, camera=(0, 0)))
    depth = dict(zip(KEYPOINTS, keypoints.depth, strict=True))

    assert depth["left_shoulder"] - depth["left_wrist"] == pytest.approx(0.54, abs=1e-6)


def test_openpose_json_has_pixels_and_zeros_for_what_is_hidden():
    keypoints = seen(PoseSpecification(camera=(180, 0)))

    document = openpose_json(keypoints, 512, 768)
    flat = np.array(document["people"][0]["pose_keypoints_2d"]).reshape(18, 3)

    assert (document["canvas_width"], document["canvas_height"]) == (512, 768)
    assert flat[KEYPOINTS.index("nose")].tolist() == [0, 0, 0]
    neck = flat[KEYPOINTS.index("neck")]
    assert neck[:2] == pytest.approx(spot(keypoints, "neck") * (512, 768), abs=1e-3)
    assert neck[2] == 1
