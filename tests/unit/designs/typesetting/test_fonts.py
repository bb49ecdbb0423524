"""The fonts that can be chosen by name."""

from __future__ import annotations

import pytest

from posegen.designs.typesetting.fonts import FONTS, font_named
from posegen.errors import UnknownName


def test_a_font_is_found_by_its_name() -> None:
    assert font_named("lobster").title == "Lobster"


def test_an_unknown_font_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownName, match=r"no font 'comic-sans'; known: noto-sans, .*lobster"):
        font_named("comic-sans")


def test_what_stands_in_for_a_font_has_every_latin_letter_itself() -> None:
    for font in FONTS.values():
        assert FONTS[font.fallback].fallback == font.fallback
        assert FONTS[font.fallback].bold == font.bold
