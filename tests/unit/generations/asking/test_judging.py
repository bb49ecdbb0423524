"""What intake decides from values alone: what a request comes to, or what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from posegen.backends.registry import BUILT_IN
from posegen.database.json_documents import UnreadableJson
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused
from posegen.generations.asking.judging import (
    ORIGINAL_RESERVE_BYTES,
    POSE_RESERVE_BYTES,
    Catalogue,
    Plan,
    Prices,
    Submission,
    judge,
)
from posegen.library.rows import StoredPose
from posegen.library.validation import usable_poses
from posegen.platforms.platform import PLATFORMS, reserved_bytes
from posegen.policy.policy import read_policy
from posegen.poses.library import CATEGORIES, LIBRARY
from tests import hosted

POSES = {pose.slug: pose for pose in LIBRARY}
CATEGORY = CATEGORIES[0].slug
IN_CATEGORY = [pose.slug for pose in LIBRARY if pose.category == CATEGORY]
FIRST, SECOND = list(POSES)[:2]
POLICY = read_policy(None)
CATALOGUE = Catalogue(
    poses=POSES,
    unusable={"broken-pose": "knee is 400; it must lie between 0 and 150."},
    categories=[category.slug for category in CATEGORIES],
    platforms=dict(PLATFORMS),
    default_backend="mannequin",
    prices=Prices(pose=30),
)


def a_submission(**fields: object) -> Submission:
    nothing = {
        "id": UUID(int=1),
        "user_id": UUID(int=2),
        "poses": [],
        "categories": [],
        "prompt": None,
        "avatar": {},
        "variations": 1,
        "seed": None,
        "formats": [],
        "backend": None,
        "control_weight": 1.0,
    }
    return Submission(**{**nothing, **fields})  # type: ignore[arg-type]


def plan(**fields: object) -> Plan:
    return judge(a_submission(**fields), CATALOGUE, POLICY, fresh_seed=99)


def refusal(**fields: object) -> str:
    """The detail of a refusal."""
    with pytest.raises(RequestRefused) as refused:
        plan(**fields)
    assert refused.value.code is ErrorCode.INVALID_REQUEST
    return refused.value.detail


# --- what is accepted ---------------------------------------------------------------------------------------------


def test_named_poses_are_made_in_the_order_in_which_they_were_named():
    made = plan(poses=[SECOND, FIRST], seed=5)

    assert [(pose.position, pose.library_pose, pose.seed) for pose in made.poses] == [(0, SECOND, 5), (1, FIRST, 5)]


def test_a_category_stands_for_all_its_poses():
    assert [pose.library_pose for pose in plan(categories=[CATEGORY]).poses] == IN_CATEGORY


def test_a_prompt_alone_chooses_a_library_pose():
    (pose,) = plan(prompt="a woman jumping for joy").poses

    assert POSES[pose.library_pose].category == "jumping"
    assert "a woman jumping for joy" in pose.prompt_used


def test_a_prompt_beside_named_poses_is_said_to_each_of_them():
    made = plan(poses=[FIRST, SECOND], prompt="on a rainy street")

    assert [pose.library_pose for pose in made.poses] == [FIRST, SECOND]
    assert all("on a rainy street" in pose.prompt_used for pose in made.poses)


def test_poses_without_a_prompt_are_described_by_the_library():
    (pose,) = plan(poses=[FIRST], avatar={"clothing": "long_coat"}).poses

    assert POSES[FIRST].description.rstrip(".") in pose.prompt_used
    assert "long coat" in pose.prompt_used


def test_variations_follow_each_other_and_differ_in_their_seeds():
    made = plan(poses=[FIRST, SECOND], variations=2, seed=10)

    assert [(pose.position, pose.library_pose, pose.variation, pose.seed) for pose in made.poses] == [
        (0, FIRST, 0, 10),
        (1, FIRST, 1, 11),
        (2, SECOND, 0, 10),
        (3, SECOND, 1, 11),
    ]


def test_seeds_begin_anew_after_the_largest():
    assert [pose.seed for pose in plan(poses=[FIRST], variations=3, seed=2**32 - 2).poses] == [2**32 - 2, 2**32 - 1, 0]


def test_a_request_without_a_seed_gets_a_fresh_one():
    assert [pose.seed for pose in plan(poses=[FIRST], variations=2).poses] == [99, 100]


def test_seed_zero_is_a_seed():
    assert plan(poses=[FIRST], seed=0).poses[0].seed == 0


def test_fifty_pictures_are_the_most():
    assert len(plan(poses=list(POSES)[:50]).poses) == 50
    assert len(plan(poses=list(POSES)[:25], variations=2).poses) == 50
    assert len(plan(poses=[FIRST], variations=50).poses) == 50


def test_a_pose_is_made_once_however_often_and_in_whichever_way_it_is_named():
    twice = plan(poses=[SECOND, FIRST, SECOND], variations=2, seed=1)
    also_by_category = plan(poses=[IN_CATEGORY[-1]], categories=[CATEGORY, CATEGORY])

    assert [(pose.library_pose, pose.seed) for pose in twice.poses] == [
        *((SECOND, 1), (SECOND, 2), (FIRST, 1), (FIRST, 2)),
    ]
    assert [pose.library_pose for pose in also_by_category.poses] == [IN_CATEGORY[-1], *IN_CATEGORY[:-1]]


def test_every_pose_has_its_price_and_the_plan_their_sum():
    made = plan(poses=[FIRST, SECOND], variations=3)

    assert {pose.price for pose in made.poses} == {30}
    assert made.price == 180


DEAR = replace(
    CATALOGUE,
    prices=Prices(pose=30, hosted_backend=100, print_format=5, strict_pose=2),
    backends={**BUILT_IN, hosted.NAME: hosted.DESCRIPTION},
)


@pytest.mark.parametrize(
    ("fields", "backend", "price"),
    [
        ({}, None, 30),
        ({"formats": ["tiktok", "print_letter"]}, None, 35),
        ({"formats": ["print_tabloid", "print_letter", "print_letter"]}, None, 40),
        ({"control_weight": 1.01}, None, 32),
        ({"control_weight": 1.0}, None, 30),
        ({}, hosted.NAME, 130),
        ({"formats": ["print_letter"], "control_weight": 2.0}, hosted.NAME, 137),
    ],
    ids=["plain", "print", "two prints", "strict", "not strict", "hosted", "everything"],
)
def test_what_makes_a_pose_dearer_is_in_the_price_of_each(fields, backend, price):
    submission = a_submission(poses=[FIRST, SECOND], backend=backend, **fields)

    made = judge(submission, DEAR, POLICY, fresh_seed=0)

    assert {pose.price for pose in made.poses} == {price}
    assert made.price == 2 * price


def test_space_is_reserved_for_every_pose_and_for_the_formats_that_were_asked_for():
    formats = ["tiktok", "instagram_story", "shopee"]

    made = plan(poses=[FIRST], variations=3, formats=formats)

    assert made.reserve == 3 * (POSE_RESERVE_BYTES + reserved_bytes(formats))


def test_the_file_of_a_hosted_backend_takes_space_beside_the_picture():
    submission = a_submission(poses=[FIRST], backend=hosted.NAME)

    made = judge(submission, DEAR, POLICY, fresh_seed=0)

    assert made.reserve == POSE_RESERVE_BYTES + ORIGINAL_RESERVE_BYTES


def test_every_platform_is_a_format():
    assert plan(poses=[FIRST], formats=list(PLATFORMS)).reserve > POSE_RESERVE_BYTES


def test_a_request_may_name_its_backend_or_leave_it_to_us():
    assert plan(poses=[FIRST], backend="mannequin").backend == plan(poses=[FIRST]).backend == "mannequin"


def test_the_control_weight_reaches_every_pose():
    assert plan(poses=[FIRST], control_weight=0.4).poses[0].control_weight == 0.4


@pytest.mark.parametrize(
    "prompt",
    [
        "x" * 2000,
        "two\nlines\tand a tab",
        "lines of\r\na web form",
        "naïve café 東京 👩‍🎨",
        "newer than Python \U0001faff",
    ],
    ids=["longest", "lines", "form", "languages", "unassigned"],
)
def test_prompts_that_people_write_are_accepted(prompt):
    assert prompt in plan(poses=[FIRST], prompt=prompt).poses[0].prompt_used


# --- beside the prompt --------------------------------------------------------------------------------------------


CAN = hosted.DESCRIPTION.capabilities


def test_what_the_backend_cannot_follow_is_named_for_every_pose_and_not_priced():
    submission = a_submission(
        poses=[FIRST, SECOND], backend="bfl", control_weight=1.5, negative_prompt="hats", allow_degraded=True
    )
    by_reference = replace(hosted.DESCRIPTION, name="bfl", capabilities=replace(CAN, control_weight=False))

    made = judge(submission, replace(DEAR, backends={"bfl": by_reference}), POLICY, fresh_seed=0)

    for pose in made.poses:
        assert [note.partition(":")[0] for note in pose.degraded] == ["negative_prompt", "control_weight"]
        assert (pose.control_weight, pose.negative_prompt, pose.price) == (1.0, None, 130)


GUIDED = replace(
    DEAR,
    backends={
        hosted.NAME: replace(
            hosted.DESCRIPTION,
            prompt_family="sdxl",
            capabilities=replace(CAN, negative_prompt=True, control_span=True, control_kinds=("openpose", "depth")),
        )
    },
)


def test_what_the_backend_follows_reaches_every_pose():
    submission = a_submission(
        poses=[FIRST], variations=2, backend=hosted.NAME, negative_prompt=" hats ", control_kind="depth",
        control_image="https://maps.example/a.png", control_start=0.1, control_end=0.9,
    )  # fmt: skip

    made = judge(submission, GUIDED, POLICY, fresh_seed=0)

    assert made.control_image == "https://maps.example/a.png"
    for pose in made.poses:
        assert pose.negative_prompt.startswith("hats, blurred, ")
        assert (pose.control_kind, pose.control_start, pose.control_end) == ("depth", 0.1, 0.9)
        assert pose.degraded == []


def test_without_a_wish_a_pose_has_the_map_and_the_negative_prompt_of_its_model():
    (pose,) = judge(a_submission(poses=[FIRST], backend=hosted.NAME), GUIDED, POLICY, fresh_seed=0).poses
    (drawn,) = plan(poses=[FIRST]).poses

    assert (pose.control_kind, pose.negative_prompt.split(", ")[0]) == ("openpose", "blurred")
    assert (drawn.control_kind, drawn.negative_prompt) == (None, None)


def test_a_prompt_that_leaves_no_room_says_what_was_left_out():
    words = "a red bicycle " * 20

    (pose,) = judge(a_submission(poses=[FIRST], backend=hosted.NAME, prompt=words), GUIDED, POLICY, fresh_seed=0).poses

    assert pose.prompt_used == words.strip()
    (note,) = pose.degraded
    assert note.startswith("prompt: 'photo of a young adult feminine person")
    assert "left out to stay within the 300 characters that studio reads" in note


@pytest.mark.parametrize("column", ["prompt", "negative_prompt"])
def test_words_that_the_model_would_cut_off_are_refused(column):
    submission = a_submission(poses=[FIRST], backend=hosted.NAME, **{column: "x" * 301})

    with pytest.raises(RequestRefused, match="has 301 characters; 300 are the most that the backend 'studio' reads"):
        judge(submission, GUIDED, POLICY, fresh_seed=0)


@pytest.mark.parametrize(
    ("negative", "words"),
    [
        ("", "The negative prompt is empty"),
        ("  ", "The negative prompt is empty"),
        ("x" * 2001, "The negative prompt has 2,001 characters; 2,000 are the most"),
        (", ".join(f"hat {n}" for n in range(101)), "The negative prompt has 101 phrases; 100 are the most"),
        ("bell \x07", "The negative prompt has the control character U+0007 at 5"),
    ],
)
def test_a_negative_prompt_is_bounded_as_a_prompt_is(negative, words):
    assert words in refusal(poses=[FIRST], negative_prompt=negative)


@pytest.mark.parametrize("negative", ["nude, naked", "gore, blood, guns", "child", "hats, extra fingers", "no clothes"])
def test_what_is_kept_out_of_a_picture_is_harmless(negative):
    submission = a_submission(poses=[FIRST], backend=hosted.NAME, negative_prompt=negative)

    assert judge(submission, GUIDED, POLICY, fresh_seed=0).poses


@pytest.mark.parametrize("negative", ["clothes", "hats, any clothes", "blurred; Clothing", "her clothes\nhats"])
def test_what_asks_for_nudity_by_exclusion_is_refused(negative):
    submission = a_submission(poses=[FIRST], backend=hosted.NAME, negative_prompt=negative)

    with pytest.raises(RequestRefused, match="Category: sexual") as refused:
        judge(submission, GUIDED, POLICY, fresh_seed=0)
    assert refused.value.code is ErrorCode.INAPPROPRIATE_PROMPT


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "value", "fix"),
    [
        ({"poses": [FIRST, "flying"]}, "'flying'", "library_poses"),
        ({"poses": [None]}, "None", "library_poses"),
        ({"poses": [[FIRST, SECOND]]}, FIRST, "library_poses"),
        ({"categories": ["flying"]}, "'flying'", "pose_categories"),
        ({"categories": [[CATEGORY]]}, CATEGORY, "pose_categories"),
        ({"poses": [FIRST], "formats": ["tiktok", "myspace"]}, "'myspace'", "platforms"),
        ({"poses": [FIRST], "formats": [["tiktok"]]}, "tiktok", "platforms"),
        ({"poses": [FIRST], "backend": "camera"}, "'camera'", "leave it out"),
        ({}, "0 poses", "name library poses, categories or a prompt"),
        ({"poses": list(POSES)[:51]}, "51 pictures", "Ask for fewer"),
        ({"poses": [FIRST, SECOND], "variations": 26}, "52 pictures", "Ask for fewer"),
        ({"poses": [FIRST], "prompt": ""}, "empty", "leave it out"),
        ({"poses": [FIRST], "prompt": " \n\t "}, "empty", "leave it out"),
        ({"prompt": "x" * 2001}, "2,001 characters", "2,000 are the most"),
        ({"prompt": "x" * 20_000}, "20,000 characters", "2,000 are the most"),
        ({"prompt": "bell \x07"}, "U+0007 at 5", "remove it"),
        ({"prompt": "\x1b[31mred"}, "U+001B at 0", "remove it"),
        ({"prompt": "c1 \x9b"}, "U+009B", "remove it"),
        ({"prompt": "private \ue000"}, "U+E000", "remove it"),
        ({"poses": [FIRST], "avatar": {"wings": "two"}}, "'wings'", "age_group"),
        ({"poses": [FIRST], "avatar": {"skin": "blue"}}, "'blue'", "olive"),
        ({"poses": [FIRST], "avatar": {"skin": 3}}, "'3'", "olive"),
        ({"poses": [FIRST], "avatar": {"skin": ["olive"]}}, "olive", "porcelain"),
        ({"poses": [FIRST], "avatar": {"skin": None}}, "None", "olive"),
        ({"poses": ["broken-pose"]}, "'broken-pose'", "knee is 400"),
    ],
)
def test_a_refusal_names_the_value_and_the_fix(fields, value, fix):
    detail = refusal(**fields)

    assert value in detail
    assert fix in detail


def test_a_refusal_stays_readable_however_long_the_value_is():
    assert len(refusal(poses=["x" * 100_000])) <= 2000


# --- rows that no INSERT could write today --------------------------------------------------------------------------

STORED = StoredPose("mine", "Mine", CATEGORY, ["tag"], "as I like it", "easy", {}, built_in=False, enabled=True)


def test_an_avatar_that_cannot_be_read_is_refused_with_its_reason() -> None:
    assert refusal(poses=[FIRST], avatar=UnreadableJson("it has a number of 5,000 digits")) == (
        "The avatar is JSON that cannot be read: it has a number of 5,000 digits."
    )


@pytest.mark.parametrize("value", [[], ["tan"], {"a": 1}, 10**299, None, True, "x" * 100_000, [[[[[]]]]] * 1000])
def test_any_value_of_an_attribute_is_refused_in_few_words(value: object) -> None:
    detail = refusal(poses=[FIRST], avatar={"skin": value})

    assert detail.startswith("There is no value of the avatar attribute skin")
    assert len(detail) <= 2000


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "x" * 201}, "The name has 201 characters"),
        ({"description": "x" * 2001}, "the description 2,001"),
        ({"tags": [None]}, "The tags must be a list of texts"),
        ({"tags": [["a"], ["b"]]}, "The tags must be a list of texts"),
        ({"tags": ["x" * 10_001]}, "The tags must be a list of texts"),
        ({"specification": UnreadableJson("it is nested too deep")}, "it is nested too deep"),
        ({"specification": ["no object"]}, "must be a JSON object"),
        ({"specification": {"lift": 10**299}}, "lift is 1e+299"),
        ({"specification": {"lift": float("inf")}}, "lift is inf"),
        ({"specification": {"lift": "x" * 100_000}}, "lift is 'xxx"),
        ({"specification": {"angles": [[[]]] * 1000}}, "Angles must map joints"),
        ({"specification": {"angles": {"neck": {}}}}, "The angles of neck"),
        ({"specification": {"hands": [[], {}]}}, "There is no hand shape []"),
        ({"specification": {"props": [{"kind": [], "at": 1}]}}, "A prop needs a text for 'kind'"),
        ({"specification": {"props": [{"kind": "ball", "at": "left_hand"}] * 33}}, "There are 33 props; 32"),
        ({"specification": None}, "must be a JSON object"),
        ({"tags": None}, "TypeError"),  # whatever else a row may hold one day
    ],
)
def test_a_library_pose_that_cannot_be_drawn_is_left_out_alone(changed: dict[str, object], words: str) -> None:
    good = replace(STORED, slug="good")
    drawable, unusable = usable_poses([replace(STORED, **changed), good, replace(STORED, slug="off", enabled=False)])

    assert list(drawable) == ["good"]
    assert words in unusable["mine"]
    assert len(unusable["mine"]) < 1000


def test_a_format_whose_platform_cannot_be_used_is_refused_with_the_reason() -> None:
    catalogue = replace(CATALOGUE, unusable_platforms={"huge": "width = 2147483647"})

    with pytest.raises(RequestRefused, match="The format 'huge' cannot be made: width = 2147483647"):
        judge(a_submission(poses=[FIRST], formats=["huge"]), catalogue, POLICY, fresh_seed=1)
