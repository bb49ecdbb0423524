"""White space, invisible characters and those that no font has: laid out or named, never an empty box."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegen.designs.drawing import judge_design, lay_out
from posegen.designs.typesetting.fonts import FONTS, DesignFont
from posegen.designs.typesetting.runs import REPLACEMENT, Glyph, read_paragraph, replace_missing
from posegen.errors import RequestRefused
from posegen.graphemes import grapheme_clusters
from tests.unit.designs.test_drawing import Request


def is_joined(character: str) -> bool:
    """Whether it is one cluster with the letter before it: a mark that is younger than Python's tables."""
    return len(grapheme_clusters(f"B{character}")) == 1


@cache
def of_category() -> dict[str, list[str]]:
    """Every character by its category; looking at a million of them takes half a second."""
    found: dict[str, list[str]] = defaultdict(list)
    for character in map(chr, range(0x110000)):
        found[unicodedata.category(character)].append(character)
    return found


# Unicode 17's White_Space and Default_Ignorable_Code_Point, which Python does not know.
WHITE_SPACE = [*"\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000", *map(chr, range(0x2000, 0x200B))]
IGNORABLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0, *range(0x180B, 0x1810)),
    *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10)),
    *(*range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
]


@cache
def invisible() -> list[str]:
    """What has no ink, by its category or by Unicode's lists."""
    of_categories = (of_category()[name] for name in ("Cc", "Cf", "Zs", "Zl", "Zp"))
    return sorted({*WHITE_SPACE, *map(chr, IGNORABLE), "\u2800"}.union(*of_categories))


@cache
def beyond_tags() -> list[str]:
    """Those without all but a few tags and variation selectors, which are alike."""
    return [each for each in invisible() if not 0xE0080 <= ord(each) < 0xE0100 and ord(each) < 0xE0110]


@cache
def unknown() -> list[str]:
    """What no font can have."""
    return [
        *map(chr, range(0xD800, 0xE000, 97)),  # halves of surrogate pairs
        *map(chr, range(0xE000, 0xF900, 211)),  # private use
        *map(chr, range(0xF0000, 0x110000, 9973)),
        *map(chr, range(0xFDD0, 0xFDF0)),  # no characters
        *[chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)],
        *[each for each in of_category()["Cn"][::211] if each < "\U000e0000" and not is_joined(each)],
        *map(chr, range(0xFFF9, 0xFFFD)),  # fonts draw dashed boxes for them
    ]


ALONE = "\u0378\ue000\U0010ffff\ud83d\u0600\U000110bd\u0e31\u0f71\u17d2\u1037\U00013440"
BOLD = FONTS["noto-sans-bold"]


def drawn(text: str, font: DesignFont = BOLD) -> tuple[list[Glyph], list[str]]:
    kept, missing = replace_missing(text, font)
    return [glyph for line in kept.split("\n") for glyph in read_paragraph(line, font).glyphs(0, len(line))], missing


def has_ink(glyph: Glyph) -> bool:
    return glyph.right > glyph.left


def named(character: str) -> str:
    return f"U+{ord(character):04X}"


@pytest.mark.parametrize("font", ["noto-sans-bold", "lobster"])
@pytest.mark.parametrize(("before", "after"), [("AB", "CD"), ("مر", "حب"), ("中", "文"), ("👍", "👍")])
def test_nothing_invisible_becomes_a_box(font: str, before: str, after: str) -> None:
    letters = {glyph.index for glyph in drawn(before + after, FONTS[font])[0] if has_ink(glyph)}
    boxes, unnamed = [], []
    for character in invisible() if before == "AB" else beyond_tags():
        glyphs, missing = drawn(f"{before}{character}{after}", FONTS[font])
        boxes += [named(character)] * any(glyph.index == 0 for glyph in glyphs)
        others = sum(has_ink(glyph) for glyph in glyphs) != len(letters)
        unnamed += [named(character)] * (others and not missing and before == "AB")

    assert boxes == []
    assert unnamed == []


def test_whatever_is_invisible_is_laid_out_or_named_in_a_design() -> None:
    unnamed = []
    for character in beyond_tags():
        try:
            found = lay_out(judge_design(Request(text=f"AB{character}CD", size=20)))  # type: ignore[arg-type]
        except RequestRefused as refused:
            unnamed += [named(character)] * (named(character) not in refused.detail)
            continue
        assert all(each.glyph.index != 0 for each in found.text.glyphs), named(character)
        replaced = sum(has_ink(each.glyph) for each in found.text.glyphs) > 4
        unnamed += [named(character)] * (replaced and not any(named(character) in said for said in found.warnings))
        assert len(found.warnings) <= 1

    assert unnamed == []


@pytest.mark.parametrize("font", ["noto-sans-bold", "lobster", "league-spartan"])
def test_white_space_has_a_width_and_no_ink(font: str) -> None:
    letters = drawn("ABCD", FONTS[font])[0]
    narrow, wide = [], []
    for character in set(WHITE_SPACE) - {"\n"}:
        glyphs, missing = drawn(f"AB{character}CD", FONTS[font])
        added = sum(glyph.advance for glyph in glyphs) - sum(glyph.advance for glyph in letters)
        narrow += [named(character)] * (added < 0.04)
        wide += [named(character)] * (added > 1.1)
        assert missing == []
        assert sum(map(has_ink, glyphs)) == 4

    assert (narrow, wide) == ([], [])


@pytest.mark.parametrize("font", ["noto-sans-bold", "noto-serif", "dancing-script"])
def test_what_no_font_has_becomes_a_mark_that_can_be_seen(font: str) -> None:
    for character in unknown():
        assert replace_missing(f"AB{character}CD", FONTS[font]) == (f"AB{REPLACEMENT}CD", [character]), named(character)


@pytest.mark.parametrize("sign", "\u0600\u06dd\u070f\u0890\u08e2\u0d4e\U000110bd\U000111c2\U00011f02")
def test_a_sign_that_encloses_the_next_character_takes_no_letter_away(sign: str) -> None:
    glyphs, missing = drawn(f"AB{sign}CD")

    assert missing == [sign]
    assert {glyph.index for glyph in drawn("ABCD")[0]} <= {glyph.index for glyph in glyphs}


@settings(max_examples=200, deadline=None)
@given(
    st.text(
        st.one_of(
            st.deferred(lambda: st.sampled_from(invisible())),
            st.sampled_from(ALONE),
            st.characters(exclude_categories=()),
        ),
        max_size=12,
    ),
    st.sampled_from(list(FONTS)),
)
def test_no_text_at_all_becomes_a_box(text: str, font: str) -> None:
    kept, missing = replace_missing(text, FONTS[font])

    assert replace_missing(kept, FONTS[font]) == (kept, [])
    assert (REPLACEMENT in kept) <= bool(missing or REPLACEMENT in text)
    for line in kept.split("\n"):
        assert all(glyph.index != 0 for glyph in read_paragraph(line, FONTS[font]).glyphs(0, len(line)))
