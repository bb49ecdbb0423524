"""The phrases of the content policy, and finding many of them at once in the words of a text.

A phrase is words with spaces between them. `word*` is every word that begins so, `{list}` one of the words of a list,
`{list}?` up to two of them or none, `_` any word but a stop word and one in -ing, `_?` the same or none. Phrases of
scripts without spaces are found anywhere, their words follow each other directly, and `_` is one character. There is no
repetition without a bound and no way back: the time of a search is linear in the text. Which phrases there are is in
`lists`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from posegen.policy.folding import fold, words_of

MASK = "\u25a1"
"""What stands for harmless phrases; no folded text has it."""
_STOP_WORDS = "stops"
_PART = re.compile(r"(?P<list>\{(?P<name>[a-z_]+)\})?(?P<any>_)?(?P<word>[^\s{}_?]+)?(?P<optional>\?)?")
_MOST_OF_A_LIST = 2


def problem_of(phrase: str, words: Mapping[str, Collection[str]]) -> str | None:
    """Why this is no phrase, with the fix; None when it is one."""
    parts = [_PART.fullmatch(part) for part in phrase.split()]
    if not parts:
        return "it is empty: remove it"
    for written, part in zip(phrase.split(), parts, strict=True):
        kinds = 0 if part is None else sum(map(bool, part.group("list", "any", "word")))
        if part is None or kinds != 1 or (part["word"] and part["optional"]):
            return f"{written!r} is no word, {{list}} or _: write words with spaces between them"
        if part["name"] and part["name"] not in words:
            return f"there is no list {part['name']!r} in [words]: add it, or correct the name"
        if part["word"] and not _words_in(part["word"]):
            return f"{written!r} has no letter or digit: write a word"
    first = parts[0]
    if first is None or first["any"] or first["optional"]:
        return "it has to begin with a word or a {list} that is not left out"
    return None


def literal_of(phrase: str) -> list[str] | None:
    """The folded words of a phrase, of which the last may end in *; None when it has lists, `_` or another *."""
    return None if re.search(r"[{_]|\*.", phrase) else _folded(phrase)


@dataclass(frozen=True)
class WordSet:
    """Words, and beginnings of words: `"por*" in pattern` is written without the *."""

    exact: frozenset[str]
    beginnings: frozenset[str] = frozenset()
    lengths: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lengths", tuple(sorted({len(beginning) for beginning in self.beginnings})))

    @classmethod
    def of(cls, words: Iterable[str]) -> WordSet:
        """Folded words, of which those with a * at the end stand for all that begin so."""
        listed = set(words)
        starred = frozenset(word[:-1] for word in listed if word.endswith("*"))
        return cls(frozenset(word for word in listed if not word.endswith("*")), starred)

    def __contains__(self, word: str) -> bool:
        return word in self.exact or any(word[:length] in self.beginnings for length in self.lengths)


@dataclass(frozen=True)
class _Part:
    """A place in a phrase: one of the words, or one of the sequences of words.

    `is_any`: every word but these; `least`, `most`: how often.
    """

    words: WordSet
    sequences: tuple[tuple[WordSet, ...], ...] = ()
    is_any: bool = False
    least: int = 1
    most: int = 1

    def ends(self, words: Sequence[str], at: int) -> set[int]:
        """Where the next part may begin when this one begins at `at`."""
        word = words[at]
        if self.is_any:
            return set() if word in self.words or word.endswith("ing") else {at + 1}
        ends = {at + 1} if word in self.words else set()
        for sequence in self.sequences:
            following = words[at : at + len(sequence)]
            if len(following) == len(sequence) and all(map(WordSet.__contains__, sequence, following)):
                ends.add(at + len(sequence))
        return ends


class PhraseWords:
    """The lists that phrases name, folded once for all that use them."""

    def __init__(self, lists: Mapping[str, Collection[str]]) -> None:
        self.parts = {name: _part_of(words) for name, words in lists.items()}
        self.written = lists


class Phrases:
    """Phrases that are looked for together, by their first word."""

    def __init__(self, phrases: Iterable[str], lists: PhraseWords) -> None:
        self._by_word: dict[str, list[tuple[_Part, ...]]] = defaultdict(list)
        self._by_beginning: dict[str, list[tuple[_Part, ...]]] = defaultdict(list)
        anywhere = []
        for phrase in phrases:
            if _is_without_spaces(phrase, lists.written):
                anywhere.append("".join(_expression(written, lists.written) for written in phrase.split()))
                continue
            parts = tuple(part for written in phrase.split() for part in _parts(written, lists.parts))
            first = parts[0]
            for word in first.words.exact | {word for sequence in first.sequences for word in sequence[0].exact}:
                self._by_word[word].append(parts)
            for beginning in first.words.beginnings:
                self._by_beginning[beginning].append(parts)
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})
        self._anywhere = re.compile("|".join(sorted(anywhere, key=len, reverse=True)) or "(?!)")

    def are_in(self, words: Sequence[str]) -> bool:
        """Whether one of the phrases stands in these words."""
        return any(self._anywhere.search(word) or self._end(words, at) for at, word in enumerate(words))

    def masked(self, words: Sequence[str]) -> list[str]:
        """The words with `MASK` in the place of each phrase."""
        left: list[str] = []
        at = 0
        while at < len(words):
            end = self._end(words, at)
            left.append(MASK if end else self._anywhere.sub(MASK, words[at]))
            at = end or at + 1
        return left

    def _end(self, words: Sequence[str], at: int) -> int:
        """Where the longest phrase ends that begins here; 0 for none."""
        word = words[at]
        candidates = [*self._by_word.get(word, ())]
        for length in self._lengths:
            candidates += self._by_beginning.get(word[:length], ())
        return max((_end_of(parts, words, at) for parts in candidates), default=0)


def _end_of(parts: tuple[_Part, ...], words: Sequence[str], at: int) -> int:
    places = {at}
    for part in parts:
        reached, here = set() if part.least else set(places), places
        for _ in range(part.most):
            here = {end for place in here if place < len(words) for end in part.ends(words, place)}
            reached |= here
        if not reached:
            return 0
        places = reached
    return max(places)


def _parts(written: str, lists: Mapping[str, _Part]) -> list[_Part]:
    found = _PART.fullmatch(written)
    assert found is not None, "phrases are validated when they are read"
    least = 0 if found["optional"] else 1
    if found["any"]:
        stops = lists[_STOP_WORDS].words if _STOP_WORDS in lists else WordSet(frozenset())
        return [_Part(stops, is_any=True, least=least)]
    if found["list"]:
        part = lists[found["name"]]
        return [_Part(part.words, part.sequences, least=least, most=1 if least else _MOST_OF_A_LIST)]
    return [_Part(WordSet.of([word])) for word in _folded(written)]


def _is_without_spaces(phrase: str, lists: Mapping[str, Collection[str]]) -> bool:
    """Whether a phrase begins with a script that does not separate words."""
    found = _PART.fullmatch(phrase.split()[0])
    first = next(iter(lists[found["name"]]), "-") if found and found["list"] else phrase
    return not fold(first)[0].isascii()


def _expression(written: str, lists: Mapping[str, Collection[str]]) -> str:
    """The regular expression of a part of a phrase in a script that does not separate words."""
    found = _PART.fullmatch(written)
    assert found is not None, "phrases are validated when they are read"
    if found["any"]:
        return ".?" if found["optional"] else "."
    if not found["list"]:
        return re.escape("".join(_folded(written)))
    words = sorted(("".join(_folded(word)) for word in lists[found["name"]]), key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, words))}){f'{{0,{_MOST_OF_A_LIST}}}' if found['optional'] else ''}"


def _part_of(words: Iterable[str]) -> _Part:
    folded = [_folded(word) for word in words]
    return _Part(
        WordSet.of(each[0] for each in folded if len(each) == 1),
        tuple(tuple(WordSet.of([word]) for word in each) for each in folded if len(each) > 1),
    )


def _folded(phrase: str) -> list[str]:
    """The words of a phrase as the policy reads them, each with its *."""
    folded: list[str] = []
    for word in phrase.split():
        parts = _words_in(word.rstrip("*")) if word[0] not in "{_" else [word]
        folded += [*parts[:-1], parts[-1] + ("*" if word.endswith("*") else "")] if parts else []
    return folded


def _words_in(written: str) -> list[str]:
    """The folded words of one word of a phrase. Nearly all are plain letters, which need no folding."""
    return [written.lower()] if written.isascii() and written.isalpha() else words_of(fold(written))
