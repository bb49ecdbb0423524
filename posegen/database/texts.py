"""Texts as PostgreSQL can keep them: the words of an error may hold anything, a column may not."""

from __future__ import annotations

LONGEST_DETAIL = 2000


def storable(text: str) -> str:
    """The text without what PostgreSQL refuses (NUL, halves of surrogate pairs), at most 2,000 characters of it.

    >>> storable("cut\\0here")
    'cut\\ufffdhere'
    """
    return text[:LONGEST_DETAIL].encode("utf-8", "replace").decode().replace("\0", "\ufffd")
