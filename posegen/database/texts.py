"""Texts as PostgreSQL can keep them: the words of an error may hold anything, a column may not."""

from __future__ import annotations

from posegen.graphemes import shorten

LONGEST_DETAIL = 2000


def storable(text: str, most: int = LONGEST_DETAIL) -> str:
    """The text without what PostgreSQL refuses (NUL, halves of surrogate pairs), at most `most` characters of it.

    >>> storable("cut\\0here")
    'cut\\ufffdhere'
    """
    return shorten(text, most).encode("utf-8", "replace").decode().replace("\0", "\ufffd")
