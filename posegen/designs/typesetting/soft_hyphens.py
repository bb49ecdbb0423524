"""Soft hyphens: where a line may end in one, and where it then shows a hyphen (UAX #14, Use of Soft Hyphen).

The glyph of a hyphen is chosen in `runs`, the ends of lines in `line_breaking`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from posegen.designs.typesetting.typefaces import is_ignorable

SOFT_HYPHEN = "\xad"
HYPHENS = ("\u2010", "-")
"""What is drawn where a line ends: the first that the font has."""
_ZERO_WIDTH_SPACE = "\u200b"


@dataclass(frozen=True)
class SoftHyphen:
    """One or several soft hyphens in a row, with the invisible characters among them: characters `start` to `end`.

    `breaks`: whether a line may end with them, which needs something to see on both sides, and no hyphen or dash
    behind them; `shows`: whether it then shows a hyphen, which it does not after a hyphen or dash.
    """

    start: int
    end: int
    breaks: bool
    shows: bool


def soft_hyphens(text: str) -> Iterator[SoftHyphen]:
    """Those of a paragraph, from its start to its end."""
    place = text.find(SOFT_HYPHEN)
    while place >= 0:
        start, end = place, place + 1
        while start > 0 and _is_unseen(text[start - 1]):
            start -= 1
        while end < len(text) and (_is_unseen(text[end]) or unicodedata.category(text[end])[0] == "M"):
            end += 1
        before, after = text[start - 1 : start], text[end : end + 1]
        breaks = not (_is_space(before) or _is_space(after) or _is_hyphen(after))
        yield SoftHyphen(start, end, breaks, shows=breaks and not _is_hyphen(before))
        place = text.find(SOFT_HYPHEN, end)


def _is_unseen(character: str) -> bool:
    return is_ignorable(ord(character)) and character != _ZERO_WIDTH_SPACE


def _is_space(character: str) -> bool:
    """Whether a word ends there: at white space, or where there is no character."""
    return character.isspace() or character in ("", _ZERO_WIDTH_SPACE)


def _is_hyphen(character: str) -> bool:
    return unicodedata.category(character) == "Pd"
