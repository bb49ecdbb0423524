"""From text to glyphs: fonts, scripts, joining, marks, and what no font has."""

from __future__ import annotations

import pytest

from posegen.designs.typesetting.fonts import FONTS
from posegen.designs.typesetting.runs import (
    REPLACEMENT,
    Glyph,
    lacking_letters,
    read_paragraph,
    replace_missing,
)

BOLD = FONTS["noto-sans-bold"]


def glyphs_of(text: str, font: str = "noto-sans-bold") -> list[Glyph]:
    return read_paragraph(text, FONTS[font]).glyphs(0, len(text))


@pytest.mark.parametrize("emoji", ["👩‍👩‍👧‍👦", "👍🏽", "🇮🇩", "1️⃣", "🏳️‍🌈", "🧑🏻‍🤝‍🧑🏿"])
def test_an_emoji_of_several_characters_is_one_glyph(emoji: str) -> None:
    (glyph,) = glyphs_of(emoji)

    assert glyph.index != 0
    assert glyph.right > glyph.left


def test_arabic_letters_join_within_a_word_and_not_beyond_it() -> None:
    alone = {glyph.index for glyph in glyphs_of("ب")}
    joined = [glyph.index for glyph in glyphs_of("ببب")]

    assert len(set(joined)) == 3  # initial, medial and final form
    assert alone.isdisjoint(joined)
    assert [glyph.index for glyph in glyphs_of("ب ب")][::2] == 2 * list(alone)


def test_arabic_is_drawn_from_right_to_left_and_its_numbers_from_left_to_right() -> None:
    order = [glyph.character for glyph in glyphs_of("سعر 12")]

    assert order == [4, 5, 3, 2, 1, 0]


def test_letters_still_join_across_the_ends_of_a_line_that_cuts_a_word() -> None:
    whole = glyphs_of("ببب")
    first_half = read_paragraph("ببب", BOLD).glyphs(0, 1)

    assert first_half[0].index == whole[-1].index


def test_brackets_are_mirrored_in_text_that_runs_to_the_left() -> None:
    opening, closing = (glyphs_of(bracket)[0].index for bracket in "()")

    assert [glyph.index for glyph in glyphs_of("(א)")][::2] == [opening, closing]


def test_thai_vowels_and_tones_stand_over_their_consonant_without_moving_the_pen() -> None:
    consonant, tone, vowel, _ = glyphs_of("น้ำ")

    assert consonant.advance > 0.3
    assert tone.advance == vowel.advance == 0 or tone.top > consonant.top
    assert max(glyph.top for glyph in glyphs_of("น้ำ")) > consonant.top + 0.1


def test_a_combining_mark_stands_over_its_letter() -> None:
    (composed,), parts = glyphs_of("ế"), glyphs_of("x\u0302")

    assert sum(glyph.advance for glyph in parts) == pytest.approx(glyphs_of("x")[0].advance)
    assert max(glyph.top for glyph in parts) > glyphs_of("x")[0].top
    assert composed.top > glyphs_of("e")[0].top


def test_ideographs_have_their_japanese_form_beside_kana() -> None:
    assert glyphs_of("直")[0].index != glyphs_of("直す")[0].index


def test_scripts_side_by_side_are_each_shaped_as_their_own() -> None:
    runs = read_paragraph("Hi สวัสดี 中", BOLD).runs

    assert [run.script for run in runs] == ["Latn", "Thai", "Thai", "Hani"]


def test_a_cluster_without_a_font_becomes_a_mark_that_can_be_seen() -> None:
    assert replace_missing("a𓀀b", BOLD) == (f"a{REPLACEMENT}b", ["𓀀"])


def test_a_letter_stays_when_only_its_mark_has_no_font() -> None:
    assert replace_missing("b\u0e31", BOLD) == ("b", ["b\u0e31"])


def test_what_is_not_drawn_at_all_is_missing_nowhere() -> None:
    invisible = "a\u200d\u200eb\ufe0f\u2060"
    assert replace_missing(invisible, BOLD) == (invisible, [])


@pytest.mark.parametrize(
    "character", ["\xad", "\u034f", "\u061c", "\u200b", "\u202e", "\u2063", "\ufe0f", "\ufeff", "\U000e0041"]
)
@pytest.mark.parametrize("font", ["noto-sans-bold", "lobster"])
def test_nothing_is_drawn_of_a_mark_of_direction_or_a_joiner(character: str, font: str) -> None:
    drawn = [glyph for glyph in glyphs_of(f"a{character}b", font) if glyph.right > glyph.left]

    assert len(drawn) == 2
    assert all(glyph.index != 0 for glyph in glyphs_of(f"a{character}b", font))


def test_letters_that_a_display_font_lacks_are_named_and_signs_are_not() -> None:
    assert lacking_letters("Phở → bò", FONTS["lobster"]) == ["ở"]
    assert lacking_letters("Phở → bò", BOLD) == []
