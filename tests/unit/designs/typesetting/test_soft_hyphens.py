"""Soft hyphens: a hyphen where a line ends at one, in every script, and nothing anywhere else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegen.designs.typesetting.fonts import FONTS, DesignFont
from posegen.designs.typesetting.layout import PlacedGlyph, SetText, set_in_box
from posegen.designs.typesetting.runs import Glyph, read_paragraph, replace_missing
from posegen.designs.typesetting.soft_hyphens import soft_hyphens
from posegen.designs.typesetting.typefaces import Typeface, open_typeface

BOLD, MONO, LOBSTER = FONTS["noto-sans-bold"], FONTS["noto-sans-mono"], FONTS["lobster"]
MONO_EM = 0.6
LETTERS_A_LINE = 3
# (text before, text after, the hyphen's file and character when both are set in Noto Sans Bold)
SCRIPTS = {
    "Latin": ("Donau", "dampf", "noto-sans-bold", "\u2010"),
    "Cyrillic": ("пере", "носом", "noto-sans-bold", "\u2010"),
    "Greek": ("συλλα", "βισμός", "noto-sans-bold", "\u2010"),
    "Thai": ("ประ", "เทศ", "noto-sans-thai-bold", "\u2010"),
    "Lao": ("ສະບາຍ", "ດີລາວ", "noto-sans-bold", "\u2010"),
    "Khmer": ("កម្ពុ", "ជា", "noto-sans-khmer-regular", "\u2010"),
    "Burmese": ("မြန်", "မာစာ", "noto-sans-bold", "\u2010"),
    "Devanagari": ("संस्", "कृतम्", "noto-sans-devanagari-regular", "\u2010"),
    "Tamil": ("தமிழ்", "நாடு", "noto-sans-tamil-regular", "\u2010"),
    "Odia": ("ଓଡ଼ି", "ଆଓଡ଼ି", "noto-sans-oriya-regular", "\u2010"),
    "Sinhala": ("සිං", "හලසිං", "noto-sans-sinhala-regular", "-"),
    "Georgian": ("ქარ", "თულიქ", "noto-sans-georgian-regular", "\u2010"),
    "Armenian": ("հայե", "րենհա", "noto-sans-armenian-regular", "\u2010"),
    "Ethiopic": ("አማር", "ኛአማር", "noto-sans-ethiopic-regular", "\u2010"),
    "Mongolian": ("ᠮᠣᠩ", "ᠭᠣᠯᠮ", "noto-sans-mongolian-regular", "-"),
    "ideographs": ("天", "行", "noto-sans-bold", "\u2010"),
    "Korean": ("한국", "어한국", "noto-sans-bold", "\u2010"),
    "emoji": ("👩‍👩‍👧‍👦", "👍🏽", "noto-sans-bold", "\u2010"),
    "Hebrew": ("בינלאו", "מיותבי", "noto-sans-hebrew-bold", "\u2010"),
    "Arabic": ("مستق", "بلناالم", "noto-sans-arabic-bold", "\u2010"),
    "Syriac": ("ܣܘܪ", "ܝܝܐܣܘ", "noto-sans-syriac-regular", "-"),
    "Thaana": ("ދިވެ", "ހިބަސް", "noto-sans-bold", "\u2010"),
    "N'Ko": ("ߒߞߏ", "ߒߞߏߒ", "noto-sans-bold", "\u2010"),
}
RIGHT_TO_LEFT = {"Hebrew", "Arabic", "Syriac", "Thaana", "N'Ko"}


def is_hyphen(glyph: Glyph) -> bool:
    font = open_typeface(glyph.typeface)
    return glyph.index in {font.get_nominal_glyph(ord(sign)) for sign in "\u2010-"} - {None, 0}


def lines_of(found: SetText) -> list[list[PlacedGlyph]]:
    """The glyphs that have ink, line by line, each from left to right."""
    lines: dict[int, list[PlacedGlyph]] = {}
    for each in found.glyphs:
        if each.glyph.right > each.glyph.left:
            lines.setdefault(round((each.y + each.glyph.y * found.size) / found.size * 100), []).append(each)
    return [sorted(line, key=lambda each: each.x) for _, line in sorted(lines.items())]


def shown(text: str, font: DesignFont = MONO) -> list[str]:
    """What stands on each line where a line holds three letters of one width."""
    drawable, _ = replace_missing(text, font)
    letters = {open_typeface(Typeface(font.file)).get_nominal_glyph(ord(each)): each for each in drawable}
    found = set_in_box(drawable, font, (LETTERS_A_LINE + 0.1) * MONO_EM * 10, 1000, size=10)
    return [
        "".join("-" if is_hyphen(each.glyph) else letters[each.glyph.index] for each in line)
        for line in lines_of(found)
    ]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_line_that_ends_at_a_soft_hyphen_shows_the_hyphen_of_its_script_on_the_side_that_is_read_last(
    script: str,
) -> None:
    before, after, file, character = SCRIPTS[script]
    narrow = 0.9 * sum(glyph.advance for glyph in read_paragraph(before + after, BOLD).glyphs(0, len(before + after)))
    first, *others = lines_of(set_in_box(f"{before}\xad{after}", BOLD, narrow * 10, 1000, size=10))
    drawn = first[0 if script in RIGHT_TO_LEFT else -1].glyph

    assert (drawn.typeface.file, drawn.index) == (
        file,
        open_typeface(Typeface(file)).get_nominal_glyph(ord(character)),
    )
    assert len(others) == 1
    assert not any(is_hyphen(each.glyph) for each in others[0] + first[1:-1])


@pytest.mark.parametrize("script", SCRIPTS)
def test_where_no_line_ends_a_soft_hyphen_changes_nothing(script: str) -> None:
    before, after, *_ = SCRIPTS[script]
    with_it, without = (set_in_box(text, BOLD, 1000, 100, size=10) for text in (f"{before}\xad{after}", before + after))

    def drawn(found: SetText) -> list[tuple[str, int, float]]:
        return [(each.glyph.typeface.file, each.glyph.index, round(each.x, 3)) for each in lines_of(found)[0]]

    assert drawn(with_it) == drawn(without)


@pytest.mark.parametrize("font", FONTS)
def test_in_every_font_the_hyphen_is_its_own(font: str) -> None:
    widest = sum(glyph.advance for glyph in read_paragraph("dampfschiff", FONTS[font]).glyphs(0, 11))
    found = set_in_box("Donau\xaddampf\xadschiff", FONTS[font], 9 * widest, 1000, size=10)

    assert [is_hyphen(line[-1].glyph) for line in lines_of(found)] == [True, True, False]
    assert {each.glyph.typeface.file for each in found.glyphs} == {FONTS[font].file}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("ab\xadcd", ["ab-", "cd"]),
        ("ab\xad\xad\xadcd", ["ab-", "cd"]),
        ("\xadabcd", ["abcd"]),
        ("abcd\xad", ["abcd"]),
        ("\xad", []),
        ("abc\xad", ["abc"]),
        ("ab\xad cd", ["ab", "cd"]),
        ("ab \xadcd", ["ab", "cd"]),
        ("ab \xad cd", ["ab", "cd"]),
        ("ab\xad\ncd", ["ab", "cd"]),
        ("ab\n\xadcd", ["ab", "cd"]),
        ("ab\xad, cd", ["ab,", "cd"]),
        ("ab\xad!cd", ["ab!", "cd"]),
        ("ab\xad(cd", ["ab-", "(cd"]),
        ("ab-\xadcd", ["ab-", "cd"]),
        ("ab\u2010\xadcd", ["ab-", "cd"]),
        ("ab\xad-cd", ["ab-", "cd"]),
        ("ab–\xadcd", ["ab–", "cd"]),
        ("ab\xad\u200bcd", ["ab", "cd"]),
        ("ab\u200b\xadcd", ["ab", "cd"]),
        ("ab\xad\u2060cd", ["ab\xad\u2060cd"]),
        ("ab\xad\u200ecd", ["ab-", "cd"]),
        ("ab\u200e\xadcd", ["ab-", "cd"]),
        ("ab\xad\ufe0fcd", ["ab-", "cd"]),
        ("ab\u061c\xad\u061ccd", ["ab-", "cd"]),
    ],
)
def test_a_hyphen_stands_where_a_word_is_divided_and_nowhere_else(text: str, lines: list[str]) -> None:
    assert shown(text) == [re.sub("[\xad\u2060]", "", line) for line in lines]


@pytest.mark.parametrize("character", "\u2060\ufeff\u200d\u200c\u034f\xa0\u202f\u2007\u2011\u180e\u061c\u2063")
def test_what_joins_lets_no_line_end(character: str) -> None:
    assert len(shown(f"ab{character}cd")) == 1


@pytest.mark.parametrize("character", "\u200b\u1680\u2000\u2003\u2009\u205f\u3000 ")
def test_white_space_lets_a_line_end_without_a_hyphen(character: str) -> None:
    assert shown(f"ab{character}cd") == ["ab", "cd"]


def test_the_hyphen_is_part_of_the_width() -> None:
    width = 5 * MONO_EM * 10
    whole, too_long = (set_in_box(text, MONO, width, 1000, size=10) for text in ("aaaa\xadbb", "aaaaa\xadbb"))

    assert whole.size == 10
    assert too_long.size == pytest.approx(10 * 5 / 6, rel=0.01)
    for found in (whole, too_long):
        assert (
            max(line[-1].x + line[-1].glyph.advance * found.size - line[0].x for line in lines_of(found))
            <= width + 0.01
        )


def test_a_soft_hyphen_within_a_ligature_divides_it_only_where_a_line_ends() -> None:
    serif = FONTS["noto-serif"]
    ligature = len(read_paragraph("ffi", serif).glyphs(0, 3))
    whole = set_in_box("of\xadfice", serif, 1000, 100, size=10)
    divided = lines_of(set_in_box("of\xadfice", serif, 22, 100, size=10))

    assert ligature == 1
    assert len(lines_of(whole)[0]) == len("oce") + ligature
    assert [len(line) for line in divided] == [len("of-"), len(read_paragraph("fice", serif).glyphs(0, 4))]


def test_arabic_letters_keep_the_form_that_joins_them_across_the_line() -> None:
    joined = read_paragraph("ببب", BOLD).glyphs(0, 3)
    first, second = lines_of(set_in_box("ب\xadبب", BOLD, 14, 1000, size=10))

    assert first[-1].glyph.index == joined[-1].index
    assert [each.glyph.index for each in second] == [glyph.index for glyph in joined[:2]]


def test_latin_in_hebrew_has_its_hyphen_at_its_own_end() -> None:
    first, second = lines_of(set_in_box("של inter\xadnational", BOLD, 45, 1000, size=10))

    assert [index for index, each in enumerate(first) if is_hyphen(each.glyph)] == [len("inter")]
    assert not any(is_hyphen(each.glyph) for each in second)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="abc \xad\xad", min_size=1, max_size=60), st.sampled_from([2.2, 4.2, 9.0]))
def test_every_line_but_those_that_end_at_a_soft_hyphen_has_none(text: str, letters: float) -> None:
    text = text.strip() or "x"
    width = letters * MONO_EM * 10
    found = set_in_box(text, MONO, width, 60, size=10)
    lines = lines_of(found)
    beginnings = [min(each.glyph.character for each in line if not is_hyphen(each.glyph)) for line in lines]

    for line, beginning in zip(lines, beginnings[1:], strict=False):
        assert is_hyphen(line[-1].glyph) == bool(re.search("[abc]\xad+$", text[:beginning]))
    if lines:
        assert not is_hyphen(lines[-1][-1].glyph)
    assert "".join(
        text[each.glyph.character] for line in lines for each in line if not is_hyphen(each.glyph)
    ) == re.sub("[ \xad]", "", text)
    assert found.ink[0] >= -1e-6
    assert found.ink[2] <= width + 1e-6


@given(st.text(alphabet="ab -\xad\u200b\u200e\u2060\u0301\n"))
def test_soft_hyphens_lie_apart_and_within_their_paragraph(text: str) -> None:
    found = list(soft_hyphens(text))
    ends = [0]
    for soft in found:
        assert ends[-1] <= soft.start < soft.end <= len(text)
        assert soft.breaks or not soft.shows
        ends.append(soft.end)

    covered = {place for soft in found for place in range(soft.start, soft.end)}
    assert {place for place, character in enumerate(text) if character == "\xad"} <= covered
