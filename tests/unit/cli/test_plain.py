"""What a terminal is shown: letters stay, and nothing from outside tells it what to do."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.table import Table

from posegen.cli.plain import PlainConsole, is_plain, plain, plain_json

HOSTILE = ["\x1b[2J", "\x9b31m", "\x07", "\u202egpj.exe", "\u2066x", "\u2028", "\x7f", "a\rb"]


@given(st.text())
def test_text_stays_as_long_as_it_was_and_is_plain(text: str) -> None:
    shown = plain(text)

    assert len(shown) == len(text)
    assert all(map(is_plain, shown))
    assert all(was == now or not is_plain(was) for was, now in zip(text, shown, strict=True))


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_says_the_same_in_plain_letters(document: object) -> None:
    shown = plain_json(json.dumps(document, indent=2, ensure_ascii=False))

    assert json.loads(shown) == document
    assert all(map(is_plain, shown))


@pytest.mark.parametrize("text", ["Ayu", "العربية", "한국어", "👨‍👩‍👧", "a\u00adb", "e\u0301", "two\nlines", "क्‍ष"])
def test_letters_of_all_writing_systems_are_shown(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("colour", [None, "truecolor"])
def test_a_console_shows_no_text_that_commands_it_in_tables_or_lines(text: str, colour: str | None) -> None:
    written = io.StringIO()
    console = PlainConsole(file=written, width=200, force_terminal=colour is not None, color_system=colour)  # type: ignore[arg-type]
    table = Table("name", title=escape(text))
    table.add_row(escape(text))
    console.print(table)
    console.print(text, markup=False)
    console.print(f"[red]{escape(text)}[/]")

    own = {"\x1b"} if colour else set()
    assert all(is_plain(letter) or letter in own for letter in written.getvalue())
    assert "[2J" not in written.getvalue() or "\x1b[2J" not in written.getvalue()
