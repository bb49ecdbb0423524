"""Texts as the content policy compares them: one spelling for the many ways to write the same letters.

`fold` decides which letters are equal; what evades a word by other means than letters is in `readings`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice, product

# Letters of other alphabets that are drawn like Latin ones, small capitals, signs that stand for a letter.
_LOOKALIKES = {
    **{
        "a": "аαɑᴀ",
        "b": "вβʙƅ",
        "c": "сᴄ¢",
        "d": "ԁđᴅ",
        "e": "еεəɛᴇ€",
        "f": "ꜰƒ",
        "g": "ɡɢ",
        "h": "һнħʜ",
        "i": "іιıɪɩ",
    },
    **{
        "j": "јᴊ",
        "k": "кκᴋӄ",
        "l": "ӏłʟ",
        "m": "мᴍ",
        "n": "ηᴎɴпո",
        "o": "оοøɔᴏσօ",
        "p": "рρᴘ",
        "q": "ԛ",
        "r": "ʀгᴦ",
        "s": "ѕꜱ",
    },
    **{"t": "тτŧᴛ", "u": "υʋᴜս", "v": "νѵᴠ", "w": "ωԝᴡш", "x": "хχҳ", "y": "уүγʏ", "z": "ᴢ"},
}
# Letters that are read as others than those that they are drawn like, or that are drawn like two.
_ALSO = {
    "у": "u",
    "υ": "uy",
    "и": "uni",
    "н": "n",
    "р": "r",
    "ρ": "r",
    "г": "g",
    "п": "p",
    "в": "v",
    "с": "s",
    "х": "h",
}
_ALSO |= {
    "ν": "n",
    "η": "h",
    "γ": "g",
    "σ": "s",
    "я": "r",
    "л": "l",
    "д": "da",
    "з": "ez",
    "ц": "u",
    "ф": "f",
    "ш": "w",
}
_MOST_SPELLINGS = 64
_LATIN = {ord(sign): letter for letter, signs in _LOOKALIKES.items() for sign in signs}
_LATIN |= {ord("æ"): "ae", ord("œ"): "oe"}
_APOSTROPHES = re.compile("['`\u2018\u2019\u02bc\u2032\uff07]")
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")
_MARKS_OF_LATIN = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]")
_WORD = re.compile(r"[a-z]+|[0-9]+|[^\x00-\x7f\s]+")
_LETTERS_IN_BOXES = ((0x1F150, 0x1F169), (0x1F170, 0x1F189), (0x1F1E6, 0x1F1FF))


def fold(text: str) -> str:
    """The text in lower case, without format characters and marks on Latin letters, with look-alikes as Latin letters.

    Signs beyond ASCII become full stops, spaces beyond ASCII become spaces. Letters of other scripts stay.

    >>> fold("Ｎüd\u200bе"), fold("Child’s"), fold("裸·体")
    ('nude', 'childs', '裸.体')
    """
    if text.isascii():
        return _APOSTROPHES.sub("", text.lower())
    characters: list[str] = []
    for character in unicodedata.normalize("NFKD", _APOSTROPHES.sub("", _plain(text))).translate(_LATIN):
        category = unicodedata.category(character)
        if category == "Cf" or character in _INVISIBLE:
            continue
        if category[0] == "M" and (_MARKS_OF_LATIN.match(character) or (characters and characters[-1].isascii())):
            continue
        characters.append(_simple(character, category))
    return "".join(characters)


def spellings_of(word: str) -> Iterator[str]:
    """The Latin spellings of a word in Latin letters and letters of other alphabets that stand for more than one.

    >>> [*spellings_of("nуde")]
    ['nуde', 'nude']
    """
    plain = _plain(word)
    if any("a" <= letter <= "z" for letter in plain) and not _ALSO.keys().isdisjoint(plain):
        yield from map("".join, islice(product(*(letter + _ALSO.get(letter, "") for letter in plain)), _MOST_SPELLINGS))


def words_of(text: str) -> list[str]:
    """The words of a folded text; digits, Latin letters and letters of other scripts are words of their own.

    >>> words_of("14yo, t-shirt")
    ['14', 'yo', 't', 'shirt']
    """
    return _WORD.findall(text)


def _plain(text: str) -> str:
    """NFKC and case first: what follows is then the same for every form of a text."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _simple(character: str, category: str) -> str:
    if character.isascii():
        return character
    for first, last in _LETTERS_IN_BOXES:
        if first <= ord(character) <= last:
            return chr(ord("a") + ord(character) - first)
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category[0] == "Z" or character == "\u2800":
        return " "
    return "." if category[0] in "PSC" else character
