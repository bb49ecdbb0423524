"""Texts as PostgreSQL can keep them."""

from __future__ import annotations

import pytest

from posegen.database.texts import LONGEST_DETAIL, storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", ""),
        ("cut\0here", "cut\ufffdhere"),
        ("half a pair \ud83d", "half a pair ?"),
        ("x" * 3000, "x" * 1999 + "…"),
        ("x" * 1998 + "👋🏽" * 9, "x" * 1998 + "…"),
        ("x" * 1997 + "👋🏽" * 9, "x" * 1997 + "👋🏽…"),
    ],
)
def test_a_text_is_stored_without_what_cannot_be_and_cut_between_characters(text: str, stored: str) -> None:
    assert storable(text) == stored
    assert len(stored) <= LONGEST_DETAIL
