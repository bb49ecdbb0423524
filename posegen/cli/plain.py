"""Text from outside on a terminal: letters are shown, and what would tell the terminal what to do is not."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Control characters, halves of surrogate pairs, separators of lines and paragraphs; and what turns the reading order,
# so that a line says something else than its letters.
_REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_plain(letter: str) -> bool:
    """Whether a character does no more than to be seen.

    >>> [is_plain(letter) for letter in ("a", "\\n", "\\u200d", "\\x1b", "\\u202e")]
    [True, True, True, False, False]
    """
    return letter == "\n" or (unicodedata.category(letter) not in _REFUSED_CATEGORIES and letter not in _TURNS)


def plain(text: str) -> str:
    """The text with a replacement character, as wide as a letter, for each character that is not plain.

    >>> plain("red \\x1b[31m alert")
    'red \\ufffd[31m alert'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if is_plain(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def plain_json(document: str) -> str:
    """A JSON document that says the same without a character that is not plain: they only occur in its texts.

    >>> plain_json('{"name": "\\u202e"}')
    '{"name": "\\\\u202e"}'
    """
    if document.isascii() and document.replace("\n", "").isprintable():
        return document
    return "".join(letter if is_plain(letter) else f"\\u{ord(letter):04x}" for letter in document)


class PlainConsole(Console):
    """A console that shows every text plain, whatever it is part of; its own colours and lines are left."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich renders it, with plain text in every segment."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(plain(text), style)
