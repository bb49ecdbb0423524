"""Tables and blocks: what fits is a table, what does not is one block for each row, and an id is whole in both."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from posegen.cli import console
from posegen.cli.layout import lay_out

ID = "75a2d122-5ad5-4dc5-8e8c-2c1f0f0c1b11"
WORDS = st.lists(st.text("abcdefg-学", min_size=1, max_size=40), max_size=20).map(" ".join)


def laid_out(headings, rows, *, right=(), room):
    cells = [[Text(cell) for cell in row] for row in rows]
    return [line.plain for line in lay_out(headings, cells, right=right, room=room)]


def test_what_fits_is_a_table_with_numbers_to_the_right():
    assert laid_out(["store", "bytes"], [["local", "5"], ["r2", "1,204"]], right=["bytes"], room=80) == [
        "store bytes",
        "local     5",
        "r2    1,204",
    ]


def test_long_words_of_the_last_column_are_wrapped_between_words():
    assert laid_out(["pose", "description"], [["a", "one two three four five six seven"]], room=30) == [
        "pose description",
        "a    one two three four five",
        "     six seven",
    ]


def test_what_does_not_fit_is_a_block_for_each_row_without_its_empty_cells():
    rows = [[ID, "done", ""], [ID, "failed", "no such pose"]]

    assert laid_out(["generation", "status", "why"], rows, room=40) == [
        f"generation: {ID}",
        "status: done",
        "",
        f"generation: {ID}",
        "status: failed",
        "why: no such pose",
    ]


def test_an_id_that_the_last_column_cannot_hold_makes_blocks():
    assert laid_out(["store", "object"], [["local", f"lost: {ID}"]], room=40) == [
        "store: local",
        "object: lost:",
        f"  {ID}",
    ]


def test_in_a_pipe_every_row_is_a_line():
    lines = laid_out(["id", "detail"], [[ID, "word " * 500]], room=None)

    assert len(lines) == 2
    assert ID in lines[1]


@given(st.uuids(), WORDS, WORDS, st.integers(1, 200) | st.none())
def test_ids_are_whole_and_nothing_is_lost_at_any_width(an_id: UUID, first: str, last: str, room: int | None):
    lines = laid_out(["id", "who", "detail"], [[str(an_id), first, last]], room=room)

    assert sum(str(an_id) in line for line in lines) == 1
    said = " ".join(lines[1:] if lines[0].startswith("id ") else lines)
    for word in (*first.split(), *last.split()):
        assert word in said


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), st.integers(20, 120))
def test_no_line_is_wider_than_there_is_room_for_unless_a_word_is(rows, room):
    longest = max((cell_len(word) for row in rows for cell in row for word in cell.split()), default=0)
    for line in laid_out(["first", "second"], rows, room=room):
        assert cell_len(line) <= max(room, longest + len("second: "))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [red]x[/red] :smile:", "plain [red]x[/red] :smile:"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("right \u202e left", r"right \u202e left"),
        ("two\nlines\r\0", r"two\nlines\r\x00"),
        ("Gr\udcf6\udcdfe", r"Gr\xf6\xdfe"),
        ("half \ud83d", r"half \ud83d"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("Zoë 学生 👩\u200d🚀", "Zoë 学生 👩\u200d🚀"),
    ],
)
def test_what_controls_a_terminal_is_shown_as_an_escape(text, shown):
    assert console.visible(text) == shown


@given(st.text())
def test_a_text_that_is_shown_is_text_and_controls_nothing(text):
    shown = console.visible(text)

    assert shown.encode().decode() == shown
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", shown)
