"""Texts are cut between what readers take for characters, in characters and in bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.graphemes import ELLIPSIS, cut, cut_bytes, grapheme_clusters, shorten

FAMILY, FLAG, WAVE = "👩‍👩‍👧‍👦", "🇮🇩", "👋🏽"
TEXTS = st.text(alphabet=[*"ab e", "\u0301", *FAMILY, *FLAG, *WAVE, "é", "夏", "ก", "ำ", "\r", "\n", "\ud83d", "\xad"])


@pytest.mark.parametrize(
    "text",
    [
        FAMILY,
        WAVE,
        FLAG,
        "1️⃣",
        "e\u0301\u0323",
        "กำ",
        "नि",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_what_readers_take_for_one_character_is_one_cluster(text: str) -> None:
    assert grapheme_clusters(text) == [text]


@given(TEXTS)
def test_the_clusters_of_any_text_are_the_text(text: str) -> None:
    assert "".join(grapheme_clusters(text)) == text


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("abc", 3, "abc"),
        ("abc", 2, "ab"),
        (f"ab{FAMILY}", 8, "ab"),
        (f"ab{FAMILY}", 9, f"ab{FAMILY}"),
        (f"ab{FAMILY}c", 9, f"ab{FAMILY}"),
        ("e\u0301x", 1, ""),
        ("e\u0301x", 2, "e\u0301"),
        (f"{FLAG}{FLAG}", 3, FLAG),
        ("ab", 0, ""),
        ("\ud83dab", 2, "\ud83da"),
    ],
)
def test_a_text_is_cut_before_the_cluster_that_is_too_much(text: str, most: int, kept: str) -> None:
    assert cut(text, most) == kept


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("夏夏", 6, "夏夏"),
        ("夏夏", 5, "夏"),
        (f"a{FAMILY}", 25, "a"),
        (f"a{FAMILY}", 26, f"a{FAMILY}"),
        ("e\u0301", 2, ""),
    ],
)
def test_bytes_are_counted_where_bytes_are_the_limit(text: str, most: int, kept: str) -> None:
    assert cut_bytes(text, most) == kept


@given(TEXTS, st.integers(0, 30))
def test_whatever_is_cut_ends_with_a_whole_cluster_and_is_as_long_as_it_may_be(text: str, most: int) -> None:
    clusters = grapheme_clusters(text)
    beginnings = ["".join(clusters[:count]) for count in range(len(clusters) + 1)]

    assert cut(text, most) == max((each for each in beginnings if len(each) <= most), key=len)
    assert cut_bytes(text, most) == max(
        (each for each in beginnings if len(each.encode("utf-8", "surrogatepass")) <= most), key=len
    )


@given(TEXTS, st.integers(1, 30))
def test_a_shortened_text_says_that_it_is_one(text: str, most: int) -> None:
    short = shorten(text, most)

    assert len(short) <= most
    assert short == text if len(text) <= most else short == cut(text, most - 1).rstrip() + ELLIPSIS


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    assert cut("e\u0301" * 20_000_000, 3) == "e\u0301"
