"""Text in a box: as large as fits, in lines that tear nothing, and never beyond the edge."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegen.designs.typesetting.fonts import FONTS
from posegen.designs.typesetting.layout import SetText, set_in_box, set_on_line
from posegen.designs.typesetting.runs import replace_missing

BOLD = FONTS["noto-sans-bold"]
LATIN, ARABIC, THAI, CHINESE, EMOJI = (
    "Good things take time",
    "الأشياء الجيدة تحتاج إلى وقت",
    "สวัสดีครับยินดีต้อนรับสู่ร้านค้าออนไลน์ของเรา",
    "天行健，君子以自强不息；地势坤，君子以厚德载物。",
    "👩‍👩‍👧‍👦👍🏽🇮🇩❤️1️⃣🏳️‍🌈",
)
ALPHABET = LATIN + ARABIC + THAI + CHINESE + EMOJI + "ฟูกู้ÅgyqjfWﷺ\u0301\u0e49𓀀\n\u200f-()123"


def set_text(text: str, width: float = 500, height: float = 500, **options: float) -> SetText:
    return set_in_box(replace_missing(text, BOLD)[0], BOLD, width, height, **options)


def lines_of(text: str, width: float = 500, height: float = 500, **options: float) -> list[str]:
    """What stands on each line, from top to bottom; for text without marks above or below its letters."""
    characters: dict[int, list[int]] = {}
    for each in set_text(text, width, height, **options).glyphs:
        characters.setdefault(round(each.y), []).append(each.glyph.character)
    ends = [min(found) for _, found in sorted(characters.items())] + [len(text)]
    return [text[start:end].strip() for start, end in pairwise(ends)]


def is_within(text: SetText, width: float, height: float) -> bool:
    left, top, right, bottom = text.ink
    return left >= -1e-6 and top >= -1e-6 and right <= width + 1e-6 and bottom <= height + 1e-6


@pytest.mark.parametrize(
    "text",
    [
        LATIN,
        ARABIC,
        THAI,
        CHINESE,
        EMOJI,
        "W",
        "ﷺ",
        LATIN * 20,
        "W" * 500,
        "中" * 500,
        "\n".join("abcdefghij"),
        "e" + "\u0301" * 200,
    ],
)
@pytest.mark.parametrize(("width", "height"), [(500, 500), (252, 504), (504, 190)])
def test_all_of_a_text_is_within_its_box_and_no_glyph_is_an_empty_box(text: str, width: float, height: float) -> None:
    found = set_text(text, width, height)

    assert is_within(found, width, height)
    assert found.glyphs
    assert all(each.glyph.index != 0 for each in found.glyphs)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=ALPHABET, min_size=1, max_size=80), st.sampled_from([(500.0, 500.0), (100.0, 900.0)]))
def test_no_mixture_of_scripts_leaves_the_box(text: str, box: tuple[float, float]) -> None:
    found = set_text(text.strip() or "x", *box)

    assert is_within(found, *box)
    assert all(each.glyph.index != 0 for each in found.glyphs)


@pytest.mark.parametrize("text", [LATIN, THAI, CHINESE, ARABIC])
def test_the_text_is_as_large_as_fits(text: str) -> None:
    found = set_text(text)
    left, top, right, bottom = found.ink

    assert max((right - left) / 500, (bottom - top) / 500) > 0.93
    assert set_text(text, size=found.size * 1.1).size < found.size * 1.02


def test_the_block_stands_in_the_middle() -> None:
    left, top, right, bottom = set_text("HOH", size=50).ink

    assert left + right == pytest.approx(500, abs=2)
    assert top + bottom == pytest.approx(500, abs=0.01)


def test_a_size_that_fits_is_kept_and_one_that_does_not_is_made_smaller() -> None:
    assert set_text(LATIN, size=40).size == 40
    assert set_text(LATIN, size=400).size < 200


def test_a_single_letter_need_not_fill_everything() -> None:
    assert set_text("I", largest=300).size == 300


def test_lines_break_between_words_and_are_about_equally_long() -> None:
    assert lines_of("one two three four five six", width=500, size=60) == ["one two three", "four five six"]


def test_thai_breaks_between_words_that_only_a_dictionary_knows() -> None:
    words = ["สวัสดี", "ครับ", "ยินดี", "ต้อนรับ", "สู่", "ร้าน", "ค้า", "ออนไลน์", "ของ", "เรา"]
    lines = lines_of("".join(words), width=300, size=60)

    assert len(lines) > 2
    remaining = list(words)
    for line in lines:
        taken = ""
        while remaining and taken != line:
            taken += remaining.pop(0)
        assert taken == line


def test_japanese_breaks_between_phrases_and_korean_between_words() -> None:
    assert lines_of("今日はいい天気ですね", width=210, size=40) == ["今日はいい", "天気ですね"]
    assert lines_of("너에게 난 해질녘 노을처럼", width=200, size=40) == ["너에게 난", "해질녘", "노을처럼"]


def test_chinese_breaks_anywhere_but_before_its_punctuation() -> None:
    lines = lines_of(CHINESE, width=300, size=50)

    assert len(lines) > 3
    assert not any(line[0] in "，；。" for line in lines)


def test_an_emoji_of_several_characters_is_never_torn() -> None:
    found = set_text("👩‍👩‍👧‍👦" * 40)

    assert len(found.glyphs) == 40
    assert found.lines > 3


@pytest.mark.parametrize("cluster", ["🇽🇾", "กำ", "क्षि", "\u0600\u0661"])
def test_a_character_of_several_parts_is_never_torn_by_a_cut(cluster: str) -> None:
    found = set_text(cluster * 40, width=105, height=900, size=25)
    starts: dict[int, int] = {}
    for each in found.glyphs:
        starts[round(each.y + each.glyph.y * found.size)] = min(
            each.glyph.character, starts.get(round(each.y + each.glyph.y * found.size), 10**9)
        )

    assert found.lines > 5
    assert len(starts) == found.lines
    assert all(start % len(cluster) == 0 for start in starts.values())


def test_a_mark_stays_on_the_line_of_its_letter() -> None:
    found = set_text("x\u0302" * 60, width=100, height=400)
    letters = sorted({round(each.y) for each in found.glyphs})

    assert found.cut_words
    assert len(letters) == found.lines


def test_a_word_stays_whole_unless_it_would_become_tiny() -> None:
    whole = set_text("Unverständlichkeit")
    cut = set_text("Unverständlichkeit" * 3)

    assert (whole.lines, whole.cut_words) == (1, False)
    assert cut.cut_words
    assert cut.size > whole.size


def test_line_feeds_are_kept_and_empty_lines_leave_room() -> None:
    close, apart = set_text("a\nb", size=50), set_text("a\n\nb", size=50)

    assert (close.lines, apart.lines) == (2, 3)
    assert apart.ink[3] - apart.ink[1] > close.ink[3] - close.ink[1] + 40


def test_lines_whose_letters_are_tall_stand_further_apart() -> None:
    flat, tall = set_text("nn\nnn", size=50), set_text("ปู่\nน้ำ", size=50)

    assert tall.ink[3] - tall.ink[1] > flat.ink[3] - flat.ink[1] + 20


def test_spaces_alone_give_no_ink() -> None:
    assert set_text("\u3000\u200b").ink == (0, 0, 0, 0)


def test_a_line_that_is_too_long_ends_in_an_ellipsis_and_within_its_width() -> None:
    short, long = set_on_line("short", BOLD, 200, 20), set_on_line("a very long label indeed, " * 9, BOLD, 200, 20)
    ellipsis = set_on_line("…", BOLD, 200, 20).glyphs[0].glyph.index

    assert short.ink[2] < 80
    assert 170 < long.ink[2] <= 200
    assert long.glyphs[-1].glyph.index == ellipsis
