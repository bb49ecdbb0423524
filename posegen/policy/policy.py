"""The content policy: which category of the rules a prompt breaks, if any.

It judges the customer's words of a generation. Texts of the pose library are the operator's, and texts of designs are
printed as they are; neither is judged.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import LiteralString

from posegen.policy.lists import Lists, read_lists
from posegen.policy.phrases import Phrases, PhraseWords, WordSet, literal_of
from posegen.policy.readings import Misspellings, Vocabulary, readings

_HARMLESS = "harmless"
_MINOR = "minor"
_SUGGESTIVE = "suggestive"
_ALWAYS_MINOR = "child_abuse"
_SHORTEST_GLUED = 8
_SHORTEST_PART = 5
_ENDS_OF_PHRASES = re.compile(r"[,;.|\n\r\uff0c\u3001\u3002]")


class Category(StrEnum):
    """What a refusal names: never the words that led to it."""

    MINOR = "minor"
    SEXUAL = "sexual"
    HATE = "hate"
    VIOLENCE = "violence"
    REAL_PERSON = "real_person"


_BY_THEIR_LIST = tuple(category for category in Category if category is not Category.MINOR)
CATEGORY_OF_DETAIL: LiteralString = "substring(error_detail from 'Category: ([a-z_]+)')"
"""SQL: the category that a refused generation names; null where a backend refused it in its own words."""


def refusal_detail(category: Category) -> str:
    """What a refused request says: the category alone, because the words would teach how to evade the rules.

    `CATEGORY_OF_DETAIL` reads the category from it.
    """
    return f"The content policy does not allow this request. Category: {category}."


def phrases_of(negative_prompt: str) -> frozenset[str]:
    """The different phrases of a negative prompt; judging one takes about a millisecond."""
    return frozenset(phrase.strip() for phrase in _ENDS_OF_PHRASES.split(negative_prompt)) - {""}


class Policy:
    """The rules, ready to judge. `photos_of_minors`: whether backends that make photographs may show minors."""

    def __init__(self, lists: Lists, *, photos_of_minors: bool = False) -> None:
        words = PhraseWords(lists.words)
        self._harmless = Phrases(lists.phrases[_HARMLESS], words)
        self._rules = {name: Phrases(phrases, words) for name, phrases in lists.phrases.items() if name != _HARMLESS}
        self._vocabulary = _vocabulary(lists)
        self._photos_of_minors = photos_of_minors

    def category_of(
        self, prompt: str, *, excluded: str = "", is_minor: bool = False, photographic: bool = False
    ) -> Category | None:
        """The category that a request breaks, or None.

        Args:
            prompt: the customer's words; empty for none.
            excluded: their negative prompt. What it names is kept out of the picture, so that "nude" is harmless; it is
                judged by what its phrases ask for when they are excluded, as "clothes" does.
            is_minor: whether the avatar is a child or a teen.
            photographic: whether the backend makes photographs.
        """
        found = self._found(prompt) | self._found_by_exclusion(excluded)
        of_minor = is_minor or _MINOR in found
        is_photo_of_minor = of_minor and photographic and not self._photos_of_minors
        if is_photo_of_minor or _ALWAYS_MINOR in found or (of_minor and {Category.SEXUAL, _SUGGESTIVE} & found):
            return Category.MINOR
        return next((category for category in _BY_THEIR_LIST if category in found), None)

    def _found_by_exclusion(self, excluded: str) -> set[str]:
        """The lists that have "without X", but not X itself, for a phrase X of a negative prompt."""
        found: set[str] = set()
        for phrase in phrases_of(excluded):
            if (without := self._found(f"without {phrase}")) - found:
                found |= without - self._found(phrase)
        return found

    def _found(self, prompt: str) -> set[str]:
        """The lists that have a phrase of any reading of the prompt, harmless phrases left out."""
        texts = [self._harmless.masked(reading) for reading in readings(prompt, self._vocabulary)]
        return {name for name, rule in self._rules.items() if any(map(rule.are_in, texts))}


@cache
def read_policy(file: Path | None, *, photos_of_minors: bool = False) -> Policy:
    """The policy with the operator's file, read once in each process. Raises `SettingsInvalid`."""
    return Policy(read_lists(file), photos_of_minors=photos_of_minors)


def _vocabulary(lists: Lists) -> Vocabulary:
    literals = [
        literal
        for name, phrases in lists.phrases.items()
        if name != _HARMLESS
        for phrase in phrases
        if (literal := literal_of(phrase)) and literal[0].isascii()
    ]
    words = WordSet.of(literal[0] for literal in literals if len(literal) == 1)
    glued = {"".join(literal): literal for literal in literals if len(literal) > 1 and literal[-1][-1] != "*"}
    glued = {word: literal for word, literal in glued.items() if len(word) >= _SHORTEST_GLUED}
    spelled = sorted({*words.exact, *words.beginnings, *glued}, key=lambda word: (-len(word), word))
    return Vocabulary(
        words=words,
        glued=glued,
        spelled=re.compile("|".join(map(re.escape, spelled))),
        parts=frozenset(
            word for literal in literals if len(literal) > 1 for word in literal if len(word) >= _SHORTEST_PART
        ),
        misspelled=Misspellings.of(words),
        companions=tuple(lists.words["companions"]),
        ordinary=frozenset(lists.words["ordinary"]),
        known=frozenset(
            word
            for phrases in (lists.phrases[_HARMLESS], *lists.words.values())
            for phrase in phrases
            for word in phrase.split()
        ),
        not_disguised=WordSet.of(lists.words["not_disguised"]),
    )
