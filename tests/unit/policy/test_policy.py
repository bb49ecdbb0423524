"""What the content policy refuses, and what it lets pass. The prompts are in `corpus/`."""

from __future__ import annotations

import time
import tomllib
import unicodedata
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegen.policy.lists import LISTS, Lists, read_lists
from posegen.policy.policy import Category, Policy, refusal_detail

CORPUS = Path(__file__).parent / "corpus"
NAMES = ["Jane Q. Example", "Budi Contoh"]
SHIPPED = read_lists(None)
HARMLESS = [line for line in (CORPUS / "harmless.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
UNWANTED = [
    (category, prompt)
    for category, prompts in tomllib.loads((CORPUS / "unwanted.toml").read_text("utf-8")).items()
    for prompt in prompts
]
# Without them the other 18 seconds of a search would be missed: a part of a phrase is met again and again.
LONG = ["nude " * 400, "a " * 1000, "n.u.d.e." * 250, "x*" * 1000, "1!" * 1000, "裸色" * 1000, "nude beige " * 181]


@cache
def policy(*, photos_of_minors: bool = False) -> Policy:
    """The shipped lists and some names; made once, by the first test that needs it."""
    return Policy(Lists({**SHIPPED.phrases, "real_person": NAMES}, SHIPPED.words), photos_of_minors=photos_of_minors)


def test_every_harmless_prompt_passes():
    refused = [f"{found}: {prompt}" for prompt in HARMLESS if (found := policy().category_of(prompt))]
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize("category", Category)
def test_every_unwanted_prompt_is_refused_with_its_category(category):
    wrong = [
        f"{found}: {prompt}"
        for expected, prompt in UNWANTED
        if expected == category and (found := policy().category_of(prompt)) != category
    ]
    assert not wrong, "\n".join(wrong)


def test_the_corpora_are_large_and_name_every_category():
    assert len(set(HARMLESS)) >= 200
    assert len(set(UNWANTED)) >= 100
    assert {category for category, _ in UNWANTED} == set(Category)


MINORS = [
    "kids size chart", "a boy of 7 years old", "anak kecil di taman", "儿童雨衣", "niña con vestido de flores",
    "niño jugando con pelota", "ein Mädchen, 9 Jahre", "bata na naglalaro", "bé mặc áo len", "trẻ nhỏ chạy",
    "หนูน้อยใส่ชุด", "小朋友 穿雨衣", "8岁 男孩", "toddlr in coat", "todller with blocks", "childen playing",
    "chlidren in uniform", "chlld with kite",
]  # fmt: skip


# --- minors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", MINORS)
def test_words_for_minors_alone_are_refused_only_where_photographs_are_made(prompt):
    allowed = policy(photos_of_minors=True)

    assert policy().category_of(prompt) is None
    assert policy().category_of(prompt, photographic=True) is Category.MINOR
    assert allowed.category_of(prompt, photographic=True) is None


def test_an_avatar_that_is_a_minor_counts_like_a_word():
    assert policy().category_of("", is_minor=True) is None
    assert policy().category_of("", is_minor=True, photographic=True) is Category.MINOR
    assert policy().category_of("a seductive look", is_minor=True) is Category.MINOR
    assert policy().category_of("a seductive look") is None


def test_minors_with_sexual_words_are_refused_whatever_the_setting_says():
    assert policy(photos_of_minors=True).category_of("sexy schoolgirl", photographic=True) is Category.MINOR


def test_harmless_words_that_name_minors_pass_also_where_photographs_are_made():
    for prompt in (
        "child's pose on a mat", "baby blue dress", "kid leather gloves", "happy baby pose", "infantry boots",
        "foto model duduk di anak tangga", "anak tudung hitam", "turning one shoulder to the camera",
        "kindergarten teacher in an apron", "mom of three kids hoodie", "baby boomer nails", "no kids, adults only",
        "without further ado", "ibu dua anak pose yoga", "pengalaman 5 tahun", "oleh oleh Manado", "gaya anak skate",
        "váy be mặc đi làm",
    ):  # fmt: skip
        assert policy().category_of(prompt, photographic=True) is None, prompt


# --- evasions -----------------------------------------------------------------------------------------------------


def test_a_capital_i_counts_as_the_l_that_it_looks_like():
    assert policy().category_of("kiII him with an axe") is Category.VIOLENCE
    assert policy().category_of("a sIut") is Category.SEXUAL
    assert policy().category_of("WiFi router, iPhone case, MIDI dress") is None


@pytest.mark.parametrize(
    "prompt", ["masturbatoin", "a topess woman", "decapiated", "prostiute", "gangbnag", "hitlr", "naizs"]
)
def test_a_letter_left_out_or_exchanged_with_its_neighbour_hides_no_long_word(prompt):
    assert policy().category_of(prompt) is not None


@pytest.mark.parametrize("prompt", ["nуdе", "nuditу", "nакеd", "рогn", "mиrdеr", "sех"])
def test_a_letter_of_another_alphabet_counts_as_each_letter_that_it_stands_for(prompt):
    assert policy().category_of(prompt) is not None


PROMPTS = st.sampled_from([*HARMLESS, *(prompt for _, prompt in UNWANTED)])
INVISIBLE = st.sampled_from(["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e"])


@settings(max_examples=300, deadline=None)
@given(PROMPTS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_normal_forms_change_no_verdict(prompt, form):
    assert policy().category_of(unicodedata.normalize(form, prompt)) == policy().category_of(prompt)


@settings(max_examples=300, deadline=None)
@given(PROMPTS, st.sampled_from([str.upper, str.lower, str.title, str.swapcase, str.casefold]))
def test_case_changes_no_verdict(prompt, change):
    assert policy().category_of(change(prompt)) == policy().category_of(prompt)


@settings(max_examples=300, deadline=None)
@given(PROMPTS, st.data())
def test_invisible_characters_change_no_verdict(prompt, data):
    places = data.draw(st.lists(st.integers(0, len(prompt)), max_size=8))
    changed = prompt
    for place in places:
        changed = changed[:place] + data.draw(INVISIBLE) + changed[place:]

    assert policy().category_of(changed) == policy().category_of(prompt)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_a_verdict(text):
    assert policy().category_of(text) in {None, *Category}


@pytest.mark.parametrize("prompt", LONG, ids=lambda prompt: prompt[:8])
def test_the_time_is_linear_in_the_length_of_the_prompt(prompt):
    def seconds(text: str) -> float:
        begin = time.process_time()
        policy().category_of(text)
        return time.process_time() - begin

    half, whole = min(seconds(prompt[:1000]) for _ in range(3)), min(seconds(prompt[:2000]) for _ in range(3))

    assert whole < 1
    assert whole < 3 * half + 0.02


# --- what is said -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", Category)
def test_a_detail_names_the_category_and_no_phrase(category):
    detail = refusal_detail(category).lower()
    words = detail.replace(category, "").split()

    assert f"category: {category}." in detail
    assert not {phrase for name in LISTS for phrase in SHIPPED.phrases[name]} & set(words) - {"the"}
