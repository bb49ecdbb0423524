"""Grapheme clusters: what readers take for one character, and the one way to cut a text between them.

An emoji of several characters, a letter with its marks and a flag are one cluster each (UAX #29).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import accumulate

from icu4py.breakers import CharacterBreaker

ELLIPSIS = "…"
_LOCALE = "en"  # clusters are the same in all of them
_SURROGATE = re.compile("[\ud800-\udfff]")


def grapheme_clusters(text: str) -> list[str]:
    """The clusters of the text, in order. Half of a surrogate pair, which ICU does not take, is one by itself."""
    clusters, start = [], 0
    for segment in CharacterBreaker(_SURROGATE.sub("\ufffd", text), _LOCALE):
        end = start + len(segment)
        clusters.append(text[start:end])
        start = end
    return clusters


def cut(text: str, most: int) -> str:
    """The first clusters of the text, as many as have at most `most` characters together.

    >>> cut("a\\u0301b", 1), cut("a\\u0301b", 2) == "a\\u0301"
    ('', True)
    """
    if len(text) <= most:
        return text
    # Whether a cluster ends at a place is known with one character behind it.
    return _first(text[: most + 1], most, len)


def cut_bytes(text: str, most: int) -> str:
    """The first clusters of the text, as many as have at most `most` bytes together, in UTF-8.

    >>> cut_bytes("a夏", 3), cut_bytes("a夏", 4)
    ('a', 'a夏')
    """
    return text if _bytes(text) <= most else _first(text[: most + 1], most, _bytes)


def shorten(text: str, most: int) -> str:
    """The text for people to read: at most `most` characters, the last an ellipsis where something is cut.

    >>> shorten("Good things take time", 12)
    'Good things…'
    """
    return text if len(text) <= most else cut(text, most - 1).rstrip() + ELLIPSIS


def _first(text: str, most: int, measure: Callable[[str], int]) -> str:
    clusters = grapheme_clusters(text)
    ends = accumulate(measure(cluster) for cluster in clusters)
    return "".join(cluster for cluster, end in zip(clusters, ends, strict=True) if end <= most)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
