"""Words to poses, and poses to words."""

from dataclasses import replace

import pytest

from posegen.poses.avatar import AVATAR_ATTRIBUTES, Avatar
from posegen.poses.library import LIBRARY
from posegen.poses.prompt_families import FAMILIES, compose
from posegen.poses.prompts import DEFAULT_POSE, choose_pose, stem


@pytest.mark.parametrize(
    ("prompt", "slug"),
    [
        ("she is talking on the phone", "phone-at-ear"),
        ("Taking a SELFIE at the beach", "phone-selfie"),
        ("sitting with a cup of coffee", "sitting-legs-crossed"),
        ("a man running fast", "sprinting"),
        ("wearing a hoodie, hands in the pockets", "hands-in-pockets"),
        ("holding our new parcel", "box-in-both-hands"),
        ("propose with flowers", "kneeling-with-bouquet"),
        ("shopping sale!", "shopping-bags-both-hands"),
        ("yoga: downward-dog", "yoga-downward-dog"),
    ],
)
def test_a_prompt_finds_the_pose_that_its_words_mean(prompt, slug):
    assert choose_pose(prompt, LIBRARY).slug == slug


def test_a_word_that_few_poses_know_outweighs_one_that_many_share():
    assert choose_pose("walking, with an umbrella", LIBRARY).slug == "under-an-umbrella"


@pytest.mark.parametrize("pose", LIBRARY, ids=lambda pose: pose.slug)
def test_the_name_and_description_of_a_pose_find_that_pose(pose):
    assert choose_pose(f"{pose.name}. {pose.description}", LIBRARY) is pose


@pytest.mark.parametrize("prompt", ["", "zxqv", "the of and", "12345", "日本語"])
def test_a_prompt_that_fits_nothing_gives_the_plain_standing_pose(prompt):
    assert choose_pose(prompt, LIBRARY[::-1]).slug == DEFAULT_POSE


def test_without_the_plain_standing_pose_the_first_one_is_taken():
    assert choose_pose("zxqv", LIBRARY[5:]) is LIBRARY[5]


def test_a_tie_goes_to_the_earlier_pose():
    twins = (LIBRARY[3], replace(LIBRARY[3], slug="its-twin"))

    assert choose_pose("suitcase", twins) is twins[0]
    assert choose_pose("suitcase", twins[::-1]) is twins[1]


@pytest.mark.parametrize(
    "family", [("sit", "sits", "sitting"), ("jump", "jumped", "jumping"), ("wave", "waving"), ("cross", "crossed")]
)
def test_words_of_one_family_have_one_stem(family):
    assert len({stem(word) for word in family}) == 1


def prompt(avatar, words=""):
    return compose(FAMILIES["other"], LIBRARY[0], avatar, words, longest=None, by_reference=False).text


def test_the_prompt_used_has_the_customers_words_the_pose_and_the_avatar():
    avatar = Avatar(clothing="suit", setting="city", hair="hijab")
    used = prompt(avatar, " at dawn ")

    assert used.startswith("at dawn, ")
    for words in (LIBRARY[0].description, "suit", "in the city", "wearing a hijab", "young adult"):
        assert words in used


@pytest.mark.parametrize("setting", AVATAR_ATTRIBUTES["setting"])
def test_every_setting_reads_as_a_place(setting):
    used = prompt(Avatar(setting=setting))

    assert used.endswith(setting.replace("_", " "))
    assert "_" not in used
