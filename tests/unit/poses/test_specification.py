"""What a pose specification accepts, refuses, and keeps through JSON."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.errors import InvalidPose
from posegen.poses.hands import HAND_SHAPES
from posegen.poses.prop_kinds import PROPS
from posegen.poses.skeleton import AXIS_NAMES, LIMITS, SHOULDER_RAISE_LIMIT, base_name
from posegen.poses.specification import EXPRESSIONS, PoseSpecification, PropUse

EVERY_LIMIT = [
    (joint, axis, bound) for joint in LIMITS for axis in range(3) for bound in range(2) if LIMITS[joint][axis] != (0, 0)
]


def specification_with(joint: str, axis: int, degrees: float) -> PoseSpecification:
    return PoseSpecification(angles={joint: tuple(degrees if axis == i else 0.0 for i in range(3))})


@pytest.mark.parametrize(("joint", "axis", "bound"), EVERY_LIMIT)
def test_every_limit_itself_is_allowed_and_a_degree_beyond_is_refused_by_name(joint, axis, bound):
    limit = LIMITS[joint][axis][bound]
    beyond = min(limit + 1, 181) if bound else limit - 1

    specification_with(joint, axis, limit)

    with pytest.raises(InvalidPose, match=f"{joint} {AXIS_NAMES[axis]} is {beyond:g}( degrees)?; it must lie"):
        specification_with(joint, axis, beyond)


def test_a_refusal_names_the_joint_the_value_and_the_limits():
    with pytest.raises(InvalidPose, match="left_elbow flexion is 170 degrees; it must lie between -5 and 150"):
        PoseSpecification(angles={"left_elbow": (170, 0, 0)})


def test_an_elbow_does_not_bend_sideways():
    with pytest.raises(InvalidPose, match="right_elbow abduction is 5"):
        PoseSpecification(angles={"right_elbow": (0, 5, 0)})


def test_an_arm_cannot_be_raised_backwards_through_the_shoulder_blade():
    allowed = SHOULDER_RAISE_LIMIT - 90
    PoseSpecification(angles={"left_shoulder": (90, allowed, 0)})

    with pytest.raises(InvalidPose, match="flexion and abduction add up to"):
        PoseSpecification(angles={"left_shoulder": (90, allowed + 1, 0)})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"angles": {"tail": (0, 0, 0)}}, "no joint 'tail'"),
        ({"angles": {"pelvis": (10, 0, 0)}}, "no joint 'pelvis'"),
        ({"angles": {"head": (1, 2)}}, "angles of head must be a list of 3"),
        ({"angles": {"head": (math.nan, 0, 0)}}, "head flexion is nan"),
        ({"angles": {"head": ("10", 0, 0)}}, "head flexion is '10'"),
        ({"angles": {"head": (True, 0, 0)}}, "head flexion is True"),
        ({"angles": [1]}, "Angles must map joints"),
        ({"root": (0, 200, 0)}, "root is 200"),
        ({"lift": -0.1}, "lift is -0.1"),
        ({"lift": 9}, "lift is 9"),
        ({"hands": ("flat", "claw")}, "no hand shape 'claw'"),
        ({"hands": ("flat",)}, "hand shapes must be a list of 2"),
        ({"expression": "grumpy"}, "no expression 'grumpy'"),
        ({"gaze": (60, 0)}, "gaze yaw is 60"),
        ({"camera": (0, 80)}, "camera pitch is 80"),
        ({"camera": (0, 0, 0)}, "camera must be a list of 2"),
    ],
)
def test_what_a_body_or_a_camera_cannot_do_is_refused_with_its_name(fields, named):
    with pytest.raises(InvalidPose, match=named):
        PoseSpecification(**fields)


@pytest.mark.parametrize(
    ("prop", "named"),
    [
        ({"kind": "sword", "at": "left_hand"}, "no prop 'sword'"),
        ({"kind": "chair", "at": "left_hand"}, "A chair cannot be used at 'left_hand'; it can at: seat"),
        ({"kind": "box", "at": "floor", "size": [0, 1, 1]}, "box size is 0"),
        ({"kind": "box", "at": "floor", "offset": [0, 9, 0]}, "box offset is 9"),
        ({"kind": "box", "at": "floor", "turn": [0, 0]}, "box turn must be a list of 3"),
        ({"kind": "box", "at": "floor", "colour": "red"}, "A prop has no field 'colour'"),
        ({"kind": "box"}, "needs a text for 'at'"),
        ({"kind": ["box"], "at": "floor"}, "needs a text for 'kind'"),
        ("box", "A prop must be a JSON object"),
    ],
)
def test_a_prop_that_cannot_be_is_refused_with_its_name(prop, named):
    with pytest.raises(InvalidPose, match=named):
        PoseSpecification.from_json({"props": [prop]})


@pytest.mark.parametrize("document", [None, 5, "standing", [1, 2], {"joints": {}}, {"props": {}}, {"expression": []}])
def test_json_that_is_no_specification_is_refused(document):
    with pytest.raises(InvalidPose):
        PoseSpecification.from_json(document)


def degrees(joint: str) -> st.SearchStrategy[tuple[float, float, float]]:
    triple = st.tuples(*(st.floats(low, high) for low, high in LIMITS[joint]))
    if base_name(joint) != "shoulder":
        return triple
    return triple.filter(lambda angles: angles[0] + angles[1] <= SHOULDER_RAISE_LIMIT)


def prop_uses() -> st.SearchStrategy[PropUse]:
    small = st.tuples(*[st.floats(-3, 3)] * 3)
    size = st.none() | st.tuples(*[st.floats(0.005, 10)] * 3)
    kinds = [(kind, at) for kind, prop in PROPS.items() for at in prop.anchors]
    return st.builds(
        lambda kind, size, turn, offset: PropUse(*kind, size, turn, offset), st.sampled_from(kinds), size, small, small
    )


specifications = st.builds(
    PoseSpecification,
    angles=st.fixed_dictionaries({}, optional={joint: degrees(joint) for joint in LIMITS}),
    root=st.tuples(*[st.floats(-180, 180)] * 3),
    lift=st.floats(0, 1.5),
    hands=st.tuples(*[st.sampled_from(sorted(HAND_SHAPES))] * 2),
    props=st.lists(prop_uses(), max_size=3).map(tuple),
    expression=st.sampled_from(EXPRESSIONS),
    gaze=st.tuples(*[st.floats(-35, 35)] * 2),
    camera=st.tuples(st.floats(-180, 180), st.floats(-30, 60)),
)


@given(specifications)
def test_every_specification_comes_back_from_json_as_it_was(specification):
    text = json.dumps(specification.to_json())

    again = PoseSpecification.from_json(json.loads(text))

    assert again == specification
    assert json.dumps(again.to_json()) == text


@given(specifications)
def test_mirroring_twice_gives_the_same_pose(specification):
    assert specification.mirrored().mirrored() == specification


def test_absent_fields_have_their_defaults_and_zero_angles_are_not_kept():
    assert PoseSpecification.from_json({}) == PoseSpecification()
    assert PoseSpecification(angles={"head": (0, -0.0, 0)}).to_json()["angles"] == {}


def test_a_negative_zero_is_the_same_pose_in_json_too():
    assert json.dumps(PoseSpecification(root=(-0.0, 5, 0)).to_json()) == json.dumps(
        PoseSpecification(root=(0, 5, 0)).to_json()
    )


def test_the_order_in_which_joints_were_named_does_not_matter():
    one = PoseSpecification(angles={"head": (10, 0, 0), "spine": (5, 0, 0)})
    other = PoseSpecification(angles={"spine": (5, 0, 0), "head": (10, 0, 0)})

    assert one == other
    assert hash(one) == hash(other)
    assert json.dumps(one.to_json()) == json.dumps(other.to_json())
