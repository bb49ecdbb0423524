"""`docs/reference/poses.md` says what the skeleton says."""

from __future__ import annotations

import json
import re

import pytest

from posegen.errors import InvalidPose
from posegen.poses.camera import DISTANCE, MARGIN
from posegen.poses.hands import HAND_SHAPES
from posegen.poses.library import CATEGORIES, LIBRARY
from posegen.poses.prop_kinds import PROPS
from posegen.poses.skeleton import AXIS_NAMES, LIMITS, SHOULDER_RAISE_LIMIT, SIDES
from posegen.poses.specification import (
    CAMERA_PITCH_LIMITS,
    EXPRESSIONS,
    GAZE_LIMITS,
    LIFT_LIMITS,
    PoseSpecification,
)
from tests.documents import names_in, page

PAGE = page("docs/reference/poses.md")
FIELDS = {row["field"]: row for row in PAGE.rows("field")}


def span(limits: tuple[float, float]) -> str:
    """As the page writes limits."""
    return "0" if limits == (0, 0) else f"{limits[0]:g} to {limits[1]:g}"


def test_the_example_is_a_specification() -> None:
    examples = [json.loads(block.text) for block in PAGE.blocks() if block.language == "json"]
    assert examples
    for example in examples:
        assert PoseSpecification.from_json(example) != PoseSpecification()


def test_the_fields_and_their_defaults_are_those_of_the_specification() -> None:
    defaults = {name: json.loads(row["default"]) for name, row in FIELDS.items()}
    assert defaults == PoseSpecification().to_json()


def test_the_limits_of_fields_are_those_of_the_specification() -> None:
    assert span(LIFT_LIMITS) in FIELDS["lift"]["meaning"]
    assert span(GAZE_LIMITS) in FIELDS["gaze"]["meaning"]
    assert span(CAMERA_PITCH_LIMITS) in FIELDS["camera"]["meaning"]
    assert names_in(FIELDS["expression"]["meaning"]) == list(EXPRESSIONS)
    assert f"stands {DISTANCE} m away" in PAGE.text
    assert f"{MARGIN:.0%}".replace("%", " percent") in PAGE.text


def test_the_joints_and_their_limits_are_those_of_the_skeleton() -> None:
    documented = {}
    for row in PAGE.rows("base name"):
        for joint in [row["base name"]] if row["sides"] == "one" else [f"{side}_{row['base name']}" for side in SIDES]:
            documented[joint] = [row[axis] for axis in AXIS_NAMES]
    assert documented == {joint: [span(limits) for limits in axes] for joint, axes in LIMITS.items()}
    assert f"at or below {SHOULDER_RAISE_LIMIT:g} degrees" in PAGE.text


def test_every_joint_has_its_axes_explained() -> None:
    explained = [joint for row in PAGE.rows("joint") for joint in names_in(row["joint"])]
    assert explained == [row["base name"] for row in PAGE.rows("base name")]


def test_the_hand_shapes_are_those_that_can_be_drawn() -> None:
    assert re.findall(r"`(\w+)`", PAGE.section("Hand shapes")) == list(HAND_SHAPES)


def test_the_props_are_those_that_can_be_drawn() -> None:
    documented = {row["kind"]: (row["own size"], names_in(row["places"])) for row in PAGE.rows("kind")}
    assert documented == {
        kind: (" x ".join(f"{length:g}" for length in prop.size), list(prop.anchors)) for kind, prop in PROPS.items()
    }
    fields = {row["field of a prop"] for row in PAGE.rows("field of a prop")}
    (prop,) = PoseSpecification.from_json({"props": [{"kind": "cup", "at": "left_hand"}]}).to_json()["props"]
    assert fields == prop.keys()


def test_every_place_of_a_prop_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", PAGE.section("Props").rpartition("|\n")[2]))
    assert explained == {place for prop in PROPS.values() for place in prop.anchors}


@pytest.mark.parametrize("row", PAGE.rows("specification"), ids=lambda row: row["message"][:40])
def test_what_is_refused_is_refused_with_the_words_of_the_page(row: dict[str, str]) -> None:
    with pytest.raises(InvalidPose) as refused:
        PoseSpecification.from_json(json.loads(row["specification"]))
    assert re.fullmatch(".*".join(map(re.escape, row["message"].split("…"))), str(refused.value))


def test_the_categories_and_their_poses_are_those_of_the_library() -> None:
    documented = [
        (row["category"], row["name"], row["description"], names_in(row["poses"])) for row in PAGE.rows("category")
    ]
    assert documented == [
        (each.slug, each.name, each.description, [pose.slug for pose in LIBRARY if pose.category == each.slug])
        for each in CATEGORIES
    ]
