"""The pose library: complete, distinct in its names, and made of bodies that stand, reach and do not pass through
themselves."""

import itertools
import json
import re
from importlib import resources

import numpy as np
import pytest

from posegen.errors import InvalidPose, UnknownName
from posegen.poses.body import Capsule, capsules, finger_positions, lowest_point, sole_points
from posegen.poses.camera import frame
from posegen.poses.hands import FINGERS, finger_joints, hand_shape, palm_centre, palm_normal
from posegen.poses.keypoints import project
from posegen.poses.kinematics import solve
from posegen.poses.library import CATEGORIES, CATEGORY_ORDER, DIFFICULTIES, LIBRARY, library_pose, read_category
from posegen.poses.specification import PoseSpecification

each_pose = pytest.mark.parametrize("pose", LIBRARY, ids=lambda pose: pose.slug)


def test_there_are_64_poses_in_28_categories_and_none_is_empty():
    assert len(LIBRARY) == 64
    assert len(CATEGORIES) == 28
    assert {pose.category for pose in LIBRARY} == {category.slug for category in CATEGORIES} == set(CATEGORY_ORDER)


def test_every_file_of_the_library_is_read():
    files = {file.name for file in (resources.files("posegen.poses") / "library_data").iterdir()}

    assert files == {f"{slug}.toml" for slug in CATEGORY_ORDER}


def test_slugs_names_descriptions_and_specifications_are_unique():
    for values in (
        [pose.slug for pose in LIBRARY],
        [pose.name for pose in LIBRARY],
        [pose.description for pose in LIBRARY],
        [json.dumps(pose.specification.to_json()) for pose in LIBRARY],
    ):
        assert len(set(values)) == 64


@each_pose
def test_the_words_of_a_pose_are_fit_for_a_catalogue_and_a_prompt(pose):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", pose.slug)
    assert pose.difficulty in DIFFICULTIES
    assert 3 <= len(pose.tags) == len(set(pose.tags))
    assert pose.name[0].isupper()
    assert not pose.name.endswith(".")
    assert 40 <= len(pose.description) <= 160
    assert pose.description[0].islower()
    assert not pose.description.endswith(".")


@each_pose
def test_all_keypoints_and_props_are_in_the_picture_with_a_margin(pose):
    skeleton = solve(pose.specification)
    camera = frame(skeleton, pose.specification)
    keypoints = project(skeleton, camera)

    assert keypoints.points.min() > 0.04
    assert keypoints.points.max() < 0.96
    for prop in skeleton.props:
        if prop.kind != "wall":
            corners, _ = camera.project(prop.corners())
            assert corners.min() > 0.04
            assert corners.max() < 0.96


@each_pose
def test_a_pose_rests_on_the_ground_unless_it_jumps(pose):
    assert lowest_point(solve(pose.specification)) == pytest.approx(pose.specification.lift, abs=1e-9)
    if pose.category not in ("jumping", "running"):
        assert pose.specification.lift == 0


@each_pose
def test_seeding_it_from_its_own_json_changes_nothing(pose):
    assert PoseSpecification.from_json(json.loads(json.dumps(pose.specification.to_json()))) == pose.specification


# --- bodies ------------------------------------------------------------------------------------------------------

TRUNK = ("hips", "waist", "ribs", "shoulders", "neck", "head")
SOFT = 0.02  # metres that flesh and clothes give way
# A hand in a pocket is inside the hull of the thigh, which is the cloth.
POCKETS = {("hands-in-pockets", "left_hand", "left_thigh"), ("hands-in-pockets", "right_hand", "right_thigh")}


def neighbours(one: str, other: str) -> bool:
    """Whether two parts of the body are joined, or as close as thigh and thigh, so that they always touch."""
    if one in TRUNK and other in TRUNK:
        return True
    trunk_side = {"upper_arm": ("shoulders", "ribs", "neck"), "thigh": ("hips", "waist")}
    chains = (("upper_arm", "forearm", "hand"), ("thigh", "shin", "foot", "toes"))
    for part, whole in ((one, other), (other, one)):
        if whole in trunk_side.get(part.partition("_")[2], ()):
            return True
    if {one, other} == {"left_thigh", "right_thigh"}:
        return True
    side, _, first = one.partition("_")
    same_side, _, second = other.partition("_")
    if side != same_side:
        return False
    joined = {frozenset(pair) for chain in chains for pair in itertools.pairwise(chain)} | {frozenset(("shin", "toes"))}
    return frozenset((first, second)) in joined


def gap(one: Capsule, other: Capsule) -> float:
    """Metres between two capsules' surfaces, negative where they overlap."""
    along = np.linspace(0, 1, 21)[:, None]
    first = one.start + (one.end - one.start) * along
    second = other.start + (other.end - other.start) * along
    radii = np.interp(along, [0, 1], one.radii) + np.interp(along, [0, 1], other.radii).T
    return float((np.linalg.norm(first[:, None] - second[None], axis=2) - radii).min())


@each_pose
def test_no_part_of_the_body_passes_through_another(pose):
    parts = capsules(solve(pose.specification))
    overlaps = [
        (one.name, other.name, round(gap(one, other), 3))
        for one, other in itertools.combinations(parts, 2)
        if not neighbours(one.name, other.name)
        and (pose.slug, one.name, other.name) not in POCKETS
        and gap(one, other) < -SOFT
    ]

    assert overlaps == []


def test_an_arm_through_the_belly_would_be_noticed():
    through = PoseSpecification(angles={"left_shoulder": (0, -40, 0)})
    parts = {part.name: part for part in capsules(solve(through))}

    assert gap(parts["left_forearm"], parts["waist"]) < -SOFT


BOTH_FEET = ("standing", "hands-on-hips", "back-view", "holding-a-product", "using-a-phone", "pointing", "waving")
BOTH_FEET += ("greeting", "formal", "casual", "gesturing")


@pytest.mark.parametrize("pose", [pose for pose in LIBRARY if pose.category in BOTH_FEET], ids=lambda pose: pose.slug)
def test_who_stands_has_both_soles_on_the_ground_and_the_weight_over_them(pose):
    skeleton = solve(pose.specification)
    soles = np.concatenate([sole_points(skeleton, side) for side in ("left", "right")])

    assert soles[:, 1].max() < 0.02
    for axis in (0, 2):
        assert soles[:, axis].min() < skeleton.position("pelvis")[axis] < soles[:, axis].max()


# Pose, hand, part of the hand, the part of the body it touches.
REACHES = [
    ("hands-on-hips-both", "left", "palm", "hips"),
    ("hands-on-hips-both", "right", "palm", "hips"),
    ("hand-on-hip-one", "right", "palm", "hips"),
    ("side-bend", "left", "palm", "hips"),
    ("sitting-hands-on-knees", "left", "palm", "left_thigh"),
    ("sitting-hands-on-knees", "right", "palm", "right_thigh"),
    ("sitting-legs-crossed", "left", "palm", "right_thigh"),
    ("sitting-hugging-knees", "left", "palm", "right_hand"),
    ("arms-crossed-standing", "left", "palm", "right_upper_arm"),
    ("arms-crossed-against-wall", "left", "palm", "right_upper_arm"),
    ("over-the-shoulder-on-stool", "left", "palm", "left_thigh"),
    ("phone-at-ear", "right", "palm", "head"),
    ("bowing", "left", "palm", "left_thigh"),
    ("bowing", "right", "palm", "right_thigh"),
    ("palms-together", "left", "palm", "right_hand"),
    ("kneeling-with-bouquet", "left", "palm", "left_shin"),
    ("kneeling-on-heels", "right", "palm", "right_thigh"),
    ("squatting-elbows-on-knees", "left", "palm", "right_hand"),
    ("lying-on-side", "left", "palm", "head"),
    ("lying-on-stomach", "left", "palm", "head"),
    ("lying-on-stomach", "right", "palm", "head"),
    ("toe-touch", "left", "middle", "left_toes"),
    ("toe-touch", "right", "middle", "right_toes"),
    ("yoga-tree", "left", "palm", "right_hand"),
    ("hand-on-chin", "right", "index", "head"),
    ("hand-on-chin", "left", "palm", "right_upper_arm"),
    ("thinker-seated", "left", "palm", "left_thigh"),
    ("hands-folded-in-front", "left", "palm", "right_hand"),
    ("arms-crossed-standing", "left", "middle", "right_upper_arm"),
    ("arms-crossed-against-wall", "left", "middle", "right_upper_arm"),
    ("hand-on-chin", "left", "middle", "right_upper_arm"),
    ("kneeling-on-heels", "left", "palm", "left_thigh"),
]


def hand_point(skeleton, specification, side, part):
    if part == "palm":
        return skeleton.point(f"{side}_wrist", palm_centre(side, skeleton.build))
    shape = hand_shape(specification.hands[0 if side == "left" else 1])
    return skeleton.point(f"{side}_wrist", finger_joints(shape, side, skeleton.build)[FINGERS.index(part), 3])


@pytest.mark.parametrize(("slug", "side", "part", "touched"), REACHES)
def test_hands_reach_what_they_are_meant_to_touch(slug, side, part, touched):
    specification = library_pose(slug).specification
    skeleton = solve(specification)
    body = next(capsule for capsule in capsules(skeleton) if capsule.name == touched)
    point = hand_point(skeleton, specification, side, part)

    assert abs(gap(body, Capsule("hand", point, point, (0.0, 0.0)))) < 0.035


GROUNDED_HANDS = [("hero-landing", "right")] + [
    (slug, side) for slug in ("push-up", "yoga-downward-dog", "sprint-start") for side in ("left", "right")
]


@pytest.mark.parametrize(("slug", "side"), GROUNDED_HANDS)
def test_hands_that_carry_weight_are_on_the_ground(slug, side):
    specification = library_pose(slug).specification
    skeleton = solve(specification)
    shape = hand_shape(specification.hands[0 if side == "left" else 1])

    joints = finger_joints(shape, side, skeleton.build) @ skeleton.orientation(f"{side}_wrist").T
    lowest = (joints + skeleton.position(f"{side}_wrist"))[..., 1].min()

    assert -0.005 < lowest < 0.03


def fingertip_heights(slug, side):
    return finger_positions(solve(library_pose(slug).specification), side)[1:, 3, 1]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_push_up_is_held_by_straight_arms_and_hands_that_lie_flat(side):
    specification = library_pose("push-up").specification

    assert abs(specification.angles.get(f"{side}_elbow", (0, 0, 0))[0]) < 5
    assert fingertip_heights("push-up", side).max() < 0.02


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_sprinter_waits_on_the_fingertips_with_the_shoulders_over_them(side):
    skeleton = solve(library_pose("sprint-start").specification)

    assert fingertip_heights("sprint-start", side)[:3].max() < 0.02
    assert abs(skeleton.position(f"{side}_shoulder")[2] - skeleton.position(f"{side}_wrist")[2]) < 0.1
    assert skeleton.point(f"{side}_wrist", palm_centre(side, skeleton.build))[1] > 0.05  # the palm is off the ground


def test_the_hero_lands_on_the_knuckles_of_an_upright_fist():
    skeleton = solve(library_pose("hero-landing").specification)

    out_of_the_palm = skeleton.orientation("right_wrist") @ palm_normal("right")

    assert skeleton.orientation("right_wrist")[1, 1] > 0.95
    assert finger_positions(skeleton, "right")[1:, :, 1].min() < 0.015
    assert out_of_the_palm[2] < -0.5  # the viewer sees the back of a closed hand, not the gap behind the thumb


def test_an_elbow_rests_on_the_knee_of_the_thinker_and_his_chin_on_the_fist():
    skeleton = solve(library_pose("thinker-seated").specification)
    parts = {part.name: part for part in capsules(skeleton)}
    elbow = skeleton.position("right_elbow")
    knuckles = finger_positions(skeleton, "right")[1:, 0]

    assert np.linalg.norm(elbow - skeleton.position("right_knee")) < 0.16
    assert gap(parts["right_thigh"], Capsule("elbow", elbow, elbow, (0.0, 0.0))) < 0.04
    assert np.linalg.norm(knuckles - skeleton.head_point("chin"), axis=1).min() < 0.03


@pytest.mark.parametrize("slug", ["ballet-arms-overhead", "arms-crossed-against-wall"])
def test_crossed_feet_and_shins_stay_outside_each_other(slug):
    parts = {part.name: part for part in capsules(solve(library_pose(slug).specification))}

    for one, other in itertools.product(("shin", "foot", "toes"), repeat=2):
        assert gap(parts[f"left_{one}"], parts[f"right_{other}"]) > -0.001


def test_the_foot_of_the_tree_pose_lies_against_the_thigh_and_not_in_it():
    skeleton = solve(library_pose("yoga-tree").specification)
    thigh = next(part for part in capsules(skeleton) if part.name == "left_thigh")
    gaps = [gap(thigh, Capsule("sole", point, point, (0.0, 0.0))) for point in sole_points(skeleton, "right")]

    assert -0.005 < min(gaps) < 0.02


@pytest.mark.parametrize("side", ["left", "right"])
def test_heels_lie_on_the_mat_of_who_lies_on_the_back(side):
    assert sole_points(solve(library_pose("lying-on-back").specification), side)[:, 1].min() < 0.015


@pytest.mark.parametrize("side", ["left", "right"])
def test_who_kneels_on_the_heels_has_the_insteps_flat_on_the_floor(side):
    skeleton = solve(library_pose("kneeling-on-heels").specification)
    parts = {part.name: part for part in capsules(skeleton)}

    assert abs(skeleton.orientation(f"{side}_toes")[1, 2]) < 0.2
    assert parts[f"{side}_toes"].end[1] - parts[f"{side}_toes"].radii[1] < 0.015
    assert abs(skeleton.orientation(f"{side}_ankle")[1, 0]) < 0.1


def test_a_step_in_profile_lands_on_the_heel_and_leaves_from_the_toes():
    skeleton = solve(library_pose("profile-walking-left").specification)
    front, rear = sole_points(skeleton, "right"), sole_points(skeleton, "left")

    assert front[0, 1] < 0.01
    assert front[-1, 1] > 0.06
    assert rear[5:, 1].max() < 0.015
    assert rear[0, 1] > 0.09


def test_back_and_sole_are_at_the_wall_that_is_leant_on():
    skeleton = solve(library_pose("leaning-wall-foot-up").specification)
    wall = skeleton.props[0]
    surface = wall.position[2] + wall.size[2] / 2
    ribs = next(part for part in capsules(skeleton) if part.name == "ribs")

    assert min(ribs.start[2] - ribs.radii[0], ribs.end[2] - ribs.radii[1]) == pytest.approx(surface, abs=0.01)
    assert sole_points(skeleton, "left")[:, 2] == pytest.approx(surface, abs=0.01)


def test_who_bows_keeps_the_wrists_straight():
    angles = library_pose("bowing").specification.angles

    for side in ("left", "right"):
        assert abs(np.array(angles[f"{side}_wrist"])).max() < 15


def test_a_symmetric_pose_is_its_own_mirror_image():
    skeleton = solve(library_pose("standing-arms-out").specification)

    for joint in ("wrist", "elbow", "knee", "ankle"):
        left, right = skeleton.position(f"left_{joint}"), skeleton.position(f"right_{joint}")
        assert np.allclose(left * (-1, 1, 1), right, atol=0.005)


# --- reading -----------------------------------------------------------------------------------------------------

FILE = """
name = "Tests"
description = "For tests."

[[poses]]
slug = "nod"
name = "Nodding"
difficulty = "{difficulty}"
tags = ["nod"]
description = "nodding"
specification = {{ angles = {{ head = [{angle}, 0, 0] }} }}
"""


def test_a_category_file_becomes_its_poses():
    category, (nod,) = read_category("tests", FILE.format(difficulty="easy", angle=20))

    assert (category.slug, nod.category, nod.slug) == ("tests", "tests", "nod")
    assert nod.specification == PoseSpecification(angles={"head": (20, 0, 0)})


def test_a_pose_in_a_file_that_no_body_can_take_is_refused_by_its_slug():
    with pytest.raises(InvalidPose, match="nod: head flexion is 90"):
        read_category("tests", FILE.format(difficulty="easy", angle=90))


def test_an_unknown_difficulty_is_refused_by_its_slug():
    with pytest.raises(InvalidPose, match="nod: difficulty is 'brutal'; known: easy, medium, hard"):
        read_category("tests", FILE.format(difficulty="brutal", angle=0))


def test_an_unknown_slug_is_refused_and_the_known_ones_are_named():
    with pytest.raises(UnknownName, match="There is no library pose 'flying'; known: standing-straight"):
        library_pose("flying")
