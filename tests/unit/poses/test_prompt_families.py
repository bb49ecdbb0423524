"""Prompts as each family of models reads them, and what happens to what does not fit."""

from __future__ import annotations

import pytest

from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY
from posegen.poses.prompt_families import FAMILIES, compose, negative_prompt

POSE = LIBRARY[0]
AVATAR = Avatar(clothing="suit", setting="park", hair="hijab")


def written(family, words="", *, longest=None, by_reference=False):
    return compose(FAMILIES[family], POSE, AVATAR, words, longest=longest, by_reference=by_reference)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_says_the_customers_words_first_then_the_pose_and_the_avatar(family):
    text = written(family, " at dawn ").text

    assert text.startswith("at dawn")
    for words in (
        POSE.description.rstrip("."),
        "suit",
        "in the park",
        "wearing a hijab",
        "young adult feminine person",
    ):
        assert words in text


def test_families_differ():
    assert len({written(family).text for family in FAMILIES}) == len(FAMILIES)


def test_the_prompt_of_other_models_and_of_the_mannequin_is_that_of_earlier_versions():
    assert written("other", "at dawn").text == (
        f"at dawn, a young adult feminine person, average build, {POSE.description.rstrip('.')}, "
        "beige skin, wearing a hijab, classic style, wearing suit, in the park"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_that_sees_the_pose_as_a_picture_is_told_so(family):
    assert "pose of the reference image" in written(family, by_reference=True).text
    assert "reference" not in written(family).text


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("longest", [20, 60, 100, 150, 200, 250, 400])
def test_what_does_not_fit_is_left_out_from_the_end_and_never_of_the_customers_words(family, longest):
    words = "a red bicycle, rain"
    whole, fitted = written(family, words), written(family, words, longest=longest)

    assert len(fitted.text) <= longest
    assert whole.text.startswith(fitted.text)
    assert fitted.text.startswith(words)
    assert all(phrase in whole.text and phrase not in fitted.text.removeprefix(words) for phrase in fitted.left_out)
    assert bool(fitted.left_out) == (fitted.text != whole.text)
    assert whole.left_out == ()


def test_words_that_fill_the_limit_stay_whole():
    words = "x" * 300

    fitted = written("sdxl", words, longest=300)

    assert fitted.text == words
    assert len(fitted.left_out) == 5


def test_words_beyond_the_limit_are_not_cut_here_either():
    assert written("sdxl", "x" * 301, longest=300).text == "x" * 301


def test_a_sentence_of_the_customer_keeps_its_full_stop():
    assert written("flux", "It rains.").text.startswith("It rains. A photograph of a young adult")
    assert written("flux", "It rains").text.startswith("It rains. A photograph of a young adult")
    assert written("flux", "It rains.", longest=9).text == "It rains."


def test_a_negative_prompt_begins_with_the_customers_words():
    assert negative_prompt(FAMILIES["sdxl"], "hats", longest=300).startswith("hats, blurred, ")
    assert negative_prompt(FAMILIES["sdxl"], "hats", longest=14) == "hats, blurred"
    assert negative_prompt(FAMILIES["sdxl"], "x" * 300, longest=300) == "x" * 300
    assert negative_prompt(FAMILIES["sdxl"], None, longest=300).startswith("blurred, ")


def test_flux_has_no_negative_prompt_of_ours_because_it_would_double_the_work():
    assert negative_prompt(FAMILIES["flux"], None, longest=2000) is None
    assert negative_prompt(FAMILIES["flux"], "hats", longest=2000) == "hats"
