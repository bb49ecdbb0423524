"""The readings of a text: as it is written, and as it is read by people who know how words are disguised.

Digits and signs for letters, letters apart or doubled, words cut in two, written together or misspelled. A reading
changes only what then is a word of the policy, so that harmless words stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from posegen.policy.folding import fold, spellings_of, words_of
from posegen.policy.phrases import WordSet

_SIGNS = {"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s", "+": "t"}
_SIGNS |= dict.fromkeys("<(", "c")
_PAIRS = {"()": "o", "><": "x"}
_AS_I = str.maketrans(_SIGNS | dict.fromkeys("1!|", "i"))
_AS_L = str.maketrans(_SIGNS | dict.fromkeys("1!|", "l"))
# Sizes and model numbers, such as 5L, 3D, A55: with letters for digits they are words that were never meant.
_NUMBER = re.compile(r"[a-z]\d+|\d+[a-z]")
_EDGES = ".,;:!?()[]{}<>\"'+-_/\\|~^&"
# Letters that stand for others by their look or sound: nvde, boobz.
_SOUNDS = str.maketrans("vz", "us")
_HIDDEN = re.compile(r"[a-z]+(?:[*#%]+[a-z]+)+")
_LONGEST_CUT = 3
_LONGEST_SCRAP = 2
_SHORTEST_SPELLED = 3
_SHORTEST_WORD = 3
# Shorter words are one letter away from too many ordinary ones.
_SHORTEST_LEFT_OUT = 6
_SHORTEST_BEGINNING_LEFT_OUT = 7
_SHORTEST_EXCHANGED = 5
_SHORTEST_BEGINNING_EXCHANGED = 6
_SHORTEST_DOUBLED = 6
_LONGEST_MISSPELLED = 40
_SHORTEST_DRAWN_ALIKE = 5
_ALIKE = str.maketrans("il", "li")
# A capital I that is drawn like the l of its word: sIut.
_CAPITAL_I = re.compile(r"(?<=[a-z])I+(?![A-Z])")
_MORE_THAN_TWO = re.compile(r"(.)\1{2,}")
_MORE_THAN_ONE = re.compile(r"(.)\1+")


@dataclass(frozen=True)
class Misspellings:
    """Words by how they are misspelled.

    An inner letter is left out, two neighbours are exchanged, or i stands for l or l for i. `undoubled`: words by their
    letters without doubled ones, because the wrong letter is doubled (todller).
    """

    exact: Mapping[str, str]
    beginnings: Mapping[str, str]
    undoubled: Mapping[str, str]

    @classmethod
    def of(cls, words: WordSet) -> Misspellings:
        return cls(
            _by_misspelling(words.exact, _SHORTEST_LEFT_OUT, _SHORTEST_EXCHANGED),
            _by_misspelling(words.beginnings, _SHORTEST_BEGINNING_LEFT_OUT, _SHORTEST_BEGINNING_EXCHANGED),
            {_MORE_THAN_ONE.sub(r"\1", word): word for word in sorted(words.exact) if len(word) >= _SHORTEST_DOUBLED},
        )

    def meant(self, word: str) -> str | None:
        """The word, or the beginning of a word, that is misspelled here; None for no misspelling."""
        begins = (
            self.beginnings.get(word[:length])
            for length in range(_SHORTEST_DRAWN_ALIKE, min(len(word), _LONGEST_MISSPELLED) + 1)
        )
        return self.exact.get(word) or next(filter(None, begins), None) or self.undoubled.get(_undoubled(word)[1])


@dataclass(frozen=True)
class Vocabulary:
    """The words that readings look for, folded.

    `words`: of the policy; `glued`: its long phrases by how they are written in one word; `spelled`: finds both in a
    run of letters; `parts`: long words of its phrases, which are put right but mean nothing alone; `misspelled`: long
    words of the policy, or their beginnings, by each misspelling; `companions`: written together with one of the words;
    `ordinary`: never a part of one; `known`: of harmless phrases and of lists, no part of one either, unless the other
    part is a scrap of two letters; `not_disguised`: they only look like one that is disguised.
    """

    words: WordSet
    glued: Mapping[str, list[str]]
    spelled: re.Pattern[str]
    parts: frozenset[str]
    misspelled: Misspellings
    companions: tuple[str, ...]
    ordinary: frozenset[str]
    known: frozenset[str]
    not_disguised: WordSet

    def meaning(self, word: str) -> list[str] | None:
        """The words that the policy looks for when it meets this one; None when it is not a word of the policy."""
        if len(word) < _SHORTEST_WORD:
            return None
        return [word] if word in self.words else self.glued.get(word)


def readings(text: str, vocabulary: Vocabulary) -> set[tuple[str, ...]]:
    """Every reading of a text, as folded words; words of scripts without spaces are one word as far as they go."""
    drawn = {text, _CAPITAL_I.sub(lambda found: "l" * len(found[0]), text)}
    if not text.isascii():
        drawn.add(" ".join(_in_latin(chunk, vocabulary) for chunk in text.split()))
    ways: tuple[Callable[[str, Vocabulary], list[str]], ...] = (_as_written, _with_i, _with_l, _without_signs)
    written = {
        tuple(_joined(word for chunk in chunks for word in way(chunk, vocabulary)))
        for chunks in (fold(each).split() for each in drawn)
        for way in ways
    }
    return written | {tuple(_mended(words, vocabulary)) for words in written}


def _in_latin(chunk: str, vocabulary: Vocabulary) -> str:
    """The first spelling whose letters make a word of the policy, or of its lists; the chunk itself when none does."""
    spellings = [*spellings_of(chunk)]
    for words in (vocabulary.words, vocabulary.known):
        for spelling in spellings:
            if any(len(word) >= _SHORTEST_WORD and word in words for word in words_of(fold(spelling))):
                return spelling
    return chunk


def _joined(words: Iterator[str]) -> Iterator[str]:
    other = ""
    for word in words:
        if word.isascii():
            yield from [other, word] if other else [word]
            other = ""
        else:
            other += word
    if other:
        yield other


def _as_written(chunk: str, _: Vocabulary) -> list[str]:
    return words_of(chunk)


def _with_i(chunk: str, vocabulary: Vocabulary) -> list[str]:
    return _with_signs(chunk, _AS_I, vocabulary)


def _with_l(chunk: str, vocabulary: Vocabulary) -> list[str]:
    return _with_signs(chunk, _AS_L, vocabulary)


def _with_signs(chunk: str, signs: dict[int, str], vocabulary: Vocabulary) -> list[str]:
    """Digits and signs as the letters that they look like: n4ked, $ex, p*rn."""
    for pair, letter in _PAIRS.items():
        chunk = chunk.replace(pair, letter)
    bare = chunk.lstrip(_EDGES).rstrip(_EDGES.replace("!", "") if signs is _AS_I else _EDGES)
    if not re.search("[a-z]", bare) or _NUMBER.fullmatch(bare):
        return words_of(chunk)
    return words_of(_HIDDEN.sub(lambda hidden: _uncovered(hidden[0], vocabulary), bare.translate(signs)))


def _uncovered(hidden: str, vocabulary: Vocabulary) -> str:
    """The word of the policy whose letters * or # stand for; the text itself when there is none."""
    letters = re.compile(re.sub("[*#%]", "[a-z]", hidden))
    found = next((word for word in sorted(vocabulary.words.exact) if letters.fullmatch(word)), None)
    if found is not None:
        return found
    for beginning in sorted(vocabulary.words.beginnings):
        rest = hidden[len(beginning) :]
        if len(beginning + rest) == len(hidden) and letters.fullmatch(beginning + rest):
            return beginning + rest
    return hidden


def _without_signs(chunk: str, vocabulary: Vocabulary) -> list[str]:
    """Without digits and signs, where that is a word: n1ude, na.ked."""
    letters = "".join(re.findall("[a-z]", chunk))
    return (vocabulary.meaning(letters) if letters != chunk else None) or words_of(chunk)


def _mended(words: tuple[str, ...], vocabulary: Vocabulary) -> Iterator[str]:
    """Letters apart, words cut, letters doubled and words written together put right."""
    for word in _uncut([*_unspelled(words, vocabulary)], vocabulary):
        yield from _mended_word(word, vocabulary)


def _unspelled(words: tuple[str, ...], vocabulary: Vocabulary) -> Iterator[str]:
    """Runs of single letters as the words that they spell: n u d e."""
    run = ""
    for word in [*words, ""]:
        if len(word) == 1 and "a" <= word <= "z":
            run += word
            continue
        if len(run) >= _SHORTEST_SPELLED:
            yield from vocabulary.spelled.findall(run) or [run]
        else:
            yield from run
        run = ""
        if word:
            yield word


def _uncut(words: list[str], vocabulary: Vocabulary) -> Iterator[str]:
    """Words of two or three pieces in one: nu de."""
    at = 0
    while at < len(words):
        cuts = (words[at : at + pieces] for pieces in range(_LONGEST_CUT, 1, -1))
        pieces = next((cut for cut in cuts if _is_cut(cut, vocabulary)), words[at : at + 1])
        yield "".join(pieces)
        at += len(pieces)


def _is_cut(pieces: list[str], vocabulary: Vocabulary) -> bool:
    return (
        not "".join(pieces).isdigit()  # 14.88 is a price
        and "".join(pieces) in vocabulary.words
        and len("".join(pieces)) >= _SHORTEST_WORD
        and (min(map(len, pieces)) <= _LONGEST_SCRAP or vocabulary.known.isdisjoint(pieces))
        and vocabulary.ordinary.isdisjoint(pieces)
        and not any(piece in vocabulary.words for piece in pieces)
    )


def _mended_word(word: str, vocabulary: Vocabulary) -> list[str]:
    if not word.isascii() or any(
        word in kept for kept in (vocabulary.words, vocabulary.known, vocabulary.not_disguised)
    ):
        return [word]
    for once in (*_undoubled(word), word.translate(_SOUNDS)):
        if meaning := vocabulary.meaning(once):
            return meaning
    for companion in vocabulary.companions:
        if word.endswith(companion) and (meaning := vocabulary.meaning(word.removesuffix(companion))):
            return [*meaning, companion]
        if word.startswith(companion) and (meaning := vocabulary.meaning(word.removeprefix(companion))):
            return [companion, *meaning]
    if (meant := vocabulary.misspelled.meant(word)) is not None:
        return [meant]
    return [next((once for once in _undoubled(word) if once in vocabulary.parts), word)]


def _undoubled(word: str) -> tuple[str, str]:
    return _MORE_THAN_TWO.sub(r"\1\1", word), _MORE_THAN_ONE.sub(r"\1", word)


def _by_misspelling(words: Iterable[str], left_out: int, exchanged: int) -> dict[str, str]:
    return {
        misspelled: word
        for word in sorted(words)
        for misspelled in (
            *_drawn_alike(word),
            *(_exchanged(word) if len(word) >= exchanged else ()),
            *(_left_out(word) if len(word) >= left_out else ()),
        )
    }


def _drawn_alike(word: str) -> Iterator[str]:
    if len(word) >= _SHORTEST_DRAWN_ALIKE:
        for at, letter in enumerate(word):
            if at and letter in "il":
                yield word[:at] + letter.translate(_ALIKE) + word[at + 1 :]


def _exchanged(word: str) -> Iterator[str]:
    for at in range(1, len(word) - 1):
        if word[at] != word[at + 1]:
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _left_out(word: str) -> Iterator[str]:
    for at in range(1, len(word) - 1):
        yield word[:at] + word[at + 1 :]
