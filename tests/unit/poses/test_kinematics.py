"""The posed skeleton: which way every joint turns, the ground under it, its bones, and its mirror image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegen.errors import InvalidPose
from posegen.poses.body import lowest_point
from posegen.poses.kinematics import solve
from posegen.poses.skeleton import JOINTS, LIMITS, PARENTS, Build, base_name, bone_offsets
from posegen.poses.specification import PoseSpecification

UP, FORWARD, LEFT = np.eye(3)[1], np.eye(3)[2], np.eye(3)[0]
BUILDS = [Build(), Build(height=1.2, head=1.3, legs=0.9), Build(height=1.95, shoulders=1.2, girth=1.3, arms=1.1)]


def moved(joint: str, angles: tuple[float, float, float], watched: str) -> np.ndarray:
    """How far a joint moves, relative to the pelvis, when one joint is turned."""
    rest, turned = solve(PoseSpecification()), solve(PoseSpecification(angles={joint: angles}))
    before = rest.position(watched) - rest.position("pelvis")
    return turned.position(watched) - turned.position("pelvis") - before


@pytest.mark.parametrize(
    ("joint", "angles", "watched", "direction"),
    [
        ("left_shoulder", (40, 0, 0), "left_wrist", FORWARD),
        ("left_shoulder", (0, 40, 0), "left_wrist", LEFT),
        ("right_shoulder", (0, 40, 0), "right_wrist", -LEFT),
        ("left_elbow", (40, 0, 0), "left_wrist", FORWARD),
        ("left_clavicle", (0, 20, 0), "left_shoulder", UP),
        ("right_clavicle", (0, 20, 0), "right_shoulder", UP),
        ("left_clavicle", (20, 0, 0), "left_shoulder", FORWARD),
        ("right_clavicle", (20, 0, 0), "right_shoulder", FORWARD),
        ("right_hip", (40, 0, 0), "right_ankle", FORWARD),
        ("right_hip", (0, 40, 0), "right_ankle", -LEFT),
        ("left_knee", (40, 0, 0), "left_ankle", -FORWARD),
        ("left_ankle", (20, 0, 0), "left_toes", UP),
        ("spine", (20, 0, 0), "head", FORWARD),
        ("spine", (0, 20, 0), "head", LEFT),
    ],
)
def test_positive_angles_turn_the_way_that_their_names_say(joint, angles, watched, direction):
    shift = moved(joint, angles, watched)

    assert shift @ direction > 0.5 * np.linalg.norm(shift) > 0.01


@pytest.mark.parametrize(
    ("joint", "angles", "axis", "direction"),
    [
        ("head", (0, 0, 30), FORWARD, LEFT),
        ("left_hip", (0, 0, 30), FORWARD, LEFT),
        ("right_hip", (0, 0, 30), FORWARD, -LEFT),
        ("left_elbow", (0, 0, 30), -LEFT, FORWARD),
        ("right_elbow", (0, 0, 30), LEFT, FORWARD),
        ("left_wrist", (30, 0, 0), -UP, -LEFT),
        ("left_wrist", (0, 20, 0), -UP, FORWARD),
        ("left_ankle", (0, 15, 0), LEFT, UP),
        ("right_ankle", (0, 15, 0), -LEFT, UP),
    ],
)
def test_frames_turn_the_way_that_the_angles_names_say(joint, angles, axis, direction):
    turned = solve(PoseSpecification(angles={joint: angles})).orientation(joint)

    assert (turned @ axis) @ direction > 0.2


def test_at_rest_all_frames_are_the_worlds_and_the_crown_is_at_the_builds_height():
    skeleton = solve(PoseSpecification())

    assert np.allclose(skeleton.orientations, np.eye(3))
    assert skeleton.head_point("crown")[1] == pytest.approx(1.75, abs=0.01)


@pytest.mark.parametrize("height", [1.1, 1.6, 2.0])
def test_a_build_that_differs_in_height_only_is_the_average_figure_made_larger(height):
    pose = PoseSpecification(angles={"left_shoulder": (40, 20, 0), "left_hip": (30, 0, 0)}, root=(20, 0, 0))

    skeleton = solve(pose, Build(height=height))

    assert np.allclose(skeleton.positions, solve(pose).positions * height / 1.75, atol=1e-6)


def any_angles(joint: str) -> st.SearchStrategy[tuple[float, float, float]]:
    bounds = list(LIMITS[joint])
    if base_name(joint) == "shoulder":
        bounds[1] = (bounds[1][0], 50)
    return st.tuples(*(st.floats(low, high) for low, high in bounds))


poses = st.builds(
    PoseSpecification,
    angles=st.fixed_dictionaries({joint: any_angles(joint) for joint in LIMITS}),
    root=st.tuples(*[st.floats(-180, 180)] * 3),
    lift=st.floats(0, 1),
)


@settings(max_examples=40)
@given(poses, st.sampled_from(BUILDS))
def test_bones_keep_their_length_and_the_lowest_part_is_on_the_ground(specification, build):
    skeleton = solve(specification, build)

    assert lowest_point(skeleton) == pytest.approx(specification.lift * build.scale, abs=1e-9)
    for joint, parent in PARENTS.items():
        length = np.linalg.norm(bone_offsets(build)[JOINTS.index(joint)])
        assert np.linalg.norm(skeleton.position(joint) - skeleton.position(parent)) == pytest.approx(length)
    assert np.allclose(skeleton.orientations @ skeleton.orientations.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(skeleton.orientations), 1)


@settings(max_examples=40)
@given(poses)
def test_the_mirrored_pose_is_the_mirror_image(specification):
    skeleton, mirrored = solve(specification), solve(specification.mirrored())

    for joint in JOINTS:
        other = {"left": "right", "right": "left"}.get(joint.split("_")[0])
        twin = f"{other}_{base_name(joint)}" if other and "_" in joint else joint
        assert np.allclose(mirrored.position(twin), skeleton.position(joint) * (-1, 1, 1), atol=1e-9)


def test_the_same_pose_gives_the_same_bits():
    specification = PoseSpecification(angles={"left_shoulder": (31, 17, 5), "spine": (7, 3, 2)}, root=(20, 4, 3))

    assert solve(specification).positions.tobytes() == solve(specification).positions.tobytes()


@pytest.mark.parametrize("field", ["height", "arms", "girth"])
@pytest.mark.parametrize("value", [0.2, 3.0, float("nan")])
def test_a_build_that_nobody_has_is_refused_by_name(field, value):
    with pytest.raises(InvalidPose, match=f"The build's {field} is {value}"):
        Build(**{field: value})
