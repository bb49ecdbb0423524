"""Text in two directions, held against the conformance test of Unicode."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.designs.typesetting.bidi import embed, visual_order

CASES = Path(__file__).with_name("BidiCharacterTest.txt").read_text(encoding="utf-8").splitlines()
BASES = {"0": 0, "1": 1, "2": None}


def shown(text: str, base: int | None = None) -> str:
    """The characters of a line from left to right, as they would be drawn without mirroring."""
    return "".join(text[index] for index in visual_order(embed(text, base).levels))


def test_the_cases_of_unicode_come_out_as_unicode_says() -> None:
    checked = 0
    for case in CASES:
        if case.startswith("#"):
            continue
        characters, direction, base, levels, order = case.split(";")
        text = "".join(chr(int(code, 16)) for code in characters.split())
        wanted = levels.split()

        embedding = embed(text, BASES[direction])

        assert embedding.base == int(base), case
        assert [mine if level != "x" else "x" for mine, level in zip(embedding.levels, wanted, strict=True)] == [
            int(level) if level != "x" else "x" for level in wanted
        ], case
        drawn = [index for index in visual_order(embedding.levels) if wanted[index] != "x"]
        assert drawn == [int(index) for index in order.split()], case
        checked += 1
    assert checked == 1000


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("abc", "abc"),
        ("אבג", "גבא"),
        ("he said \u05d0\u05d1 (\u05d2\u05d3)!", "he said )\u05d3\u05d2( \u05d1\u05d0!"),
        ("אבג 123 דה", "הד 123 גבא"),
        ("السعر 3.50", "3.50 رعسلا"),
    ],
)
def test_words_run_their_way_and_numbers_theirs(text: str, drawn: str) -> None:
    assert shown(text) == drawn


def test_an_isolate_keeps_what_is_within_from_what_is_around() -> None:
    assert shown("a \u2067אב 1\u2069 2").replace("\u2067", "").replace("\u2069", "") == "a 1 בא 2"


@given(st.text(max_size=60))
def test_every_character_is_drawn_exactly_once(text: str) -> None:
    embedding = embed(text)

    assert len(embedding.levels) == len(text)
    assert sorted(visual_order(embedding.levels)) == list(range(len(text)))
