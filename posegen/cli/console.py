"""How the command speaks: sentences and tables for people on a console, one JSON document for scripts.

Texts are shown as they are: markup in a customer's words stays letters, and what would control a terminal is escaped.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from posegen.cli.layout import lay_out
from posegen.cli.streams import QuietPipe, is_utf8

# What customers write is shown as it is: `:smile:` stays five letters between colons.
out = QuietPipe(highlight=False, emoji=False, markup=False)
err = QuietPipe(stderr=True, highlight=False, emoji=False, markup=False)

# Letters of many scripts and emoji are joined by these two.
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
GOOD = Text("good", style="green")
BAD = Text("bad", style="bold red")


def complain(message: str) -> None:
    """Say on standard error what went wrong and what to do."""
    err.print(Text.assemble(("error:", "bold red"), " ", visible(message, keep="\n")), soft_wrap=True)


def say(message: str, *, style: str = "") -> None:
    """A line on standard output as it is: a path or URL in it stays in one piece, so that it can be copied."""
    out.print(Text(visible(message, keep="\n"), style=style), soft_wrap=True)


def note(message: str) -> None:
    """A line on standard error that is no error."""
    err.print(Text(visible(message, keep="\n")), soft_wrap=True)


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    right: Collection[str] = (),
    title: str | None = None,
) -> None:
    """Rows on standard output: a table, or blocks of "name: value" lines where it does not fit.

    Args:
        headings: one for each column; a column in which texts are long comes last, where it is wrapped.
        rows: one cell for each heading; a `Text` brings its style along.
        right: the headings of columns that are aligned to the right.
        title: a line above the table.
    """
    cells = [[cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row] for row in rows]
    if title is not None:
        say(title)
    if cells:
        for line in lay_out(headings, cells, right=right, room=out.room):
            out.print(line, soft_wrap=True)


def print_json(document: Any, *, indent: int | None = 2) -> None:
    """One JSON document on standard output; ids and times are written as text. `indent`: None for a single line."""
    text = json.dumps(document, indent=indent, default=str, ensure_ascii=not is_utf8(sys.stdout))
    # Outside of its strings, JSON has no character that is not ASCII.
    escaped = "".join(json.dumps(each)[1:-1] if not each.isascii() and _is_invisible(each) else each for each in text)
    print(escaped, flush=True)


def print_shell(line: str) -> None:
    """A line for a shell on standard output: the very bytes, whatever the encoding of the output is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(f"{line}\n"))
    sys.stdout.flush()


def utc(moment: datetime, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A moment as the tables show it, whatever time zone it comes in."""
    return moment.astimezone(UTC).strftime(pattern)


def visible(text: str, *, keep: str = "") -> str:
    r"""The text with escapes for what would control a terminal, change its direction, or is no text.

    `keep`: characters that stay, such as a line break.

    >>> visible("red\x1b[31m Gr\udcf6\udcdfe")
    'red\\x1b[31m Gr\\xf6\\xdfe'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(each) if _is_invisible(each) and each not in keep else each for each in text)


def _is_invisible(letter: str) -> bool:
    return unicodedata.category(letter) in _INVISIBLE and letter not in _JOINERS


def _escaped(letter: str) -> str:
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a name or argument that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if number < 0xD800:
        return letter.encode("unicode_escape").decode()
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
