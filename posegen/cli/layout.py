"""How rows are laid out for people: as a table where it fits, otherwise one block of "name: value" lines for each row.

An id is never cut or broken; only words are wrapped.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len
from rich.text import Text

_GAP = " "
_INDENT = "  "
_LEAST_PROSE = 24
_LEAST_WIDTH = 20


def lay_out(
    headings: Sequence[str], rows: Sequence[Sequence[Text]], *, right: Collection[str], room: int | None
) -> list[Text]:
    """The lines of a table, or of blocks.

    Args:
        headings: one for each column.
        rows: one cell for each heading.
        right: the headings of columns that are aligned to the right.
        room: columns that a line may take; None for any number, as in a pipe.
    """
    widths = [
        max(cell_len(heading), *(cell_len(cell.plain) for cell in cells))
        for heading, cells in zip(headings, zip(*rows, strict=True), strict=True)
    ]
    fixed = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    if room is None or fixed + widths[-1] <= room:
        return _table(headings, rows, widths, right)
    prose = room - fixed
    if prose >= max(_LEAST_PROSE, *(_longest_word(row[-1].plain) for row in rows)):
        return _table(headings, rows, [*widths[:-1], prose], right)
    return _blocks(headings, rows, max(room, _LEAST_WIDTH))


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[Text]], widths: Sequence[int], right: Collection[str]
) -> list[Text]:
    lines = [_line([Text(heading, style="bold") for heading in headings], headings, widths, right)]
    for row in rows:
        first, *further = wrapped(row[-1], widths[-1])
        lines.append(_line([*row[:-1], first], headings, widths, right))
        lines += [_line([*[Text() for _ in headings[:-1]], each], headings, widths, right) for each in further]
    return lines


def _line(cells: Sequence[Text], headings: Sequence[str], widths: Sequence[int], right: Collection[str]) -> Text:
    padded = []
    for cell, heading, width in zip(cells, headings, widths, strict=True):
        space = " " * (width - cell_len(cell.plain))
        padded.append(Text.assemble(space, cell) if heading in right else Text.assemble(cell, space))
    line = Text(_GAP).join(padded)
    line.rstrip()
    return line


def _blocks(headings: Sequence[str], rows: Sequence[Sequence[Text]], room: int) -> list[Text]:
    lines: list[Text] = []
    for row in rows:
        if lines:
            lines.append(Text())
        for heading, cell in zip(headings, row, strict=True):
            if cell.plain:
                first, *further = wrapped(cell, room - len(_INDENT), first=room - cell_len(heading) - 2)
                lines.append(Text.assemble((f"{heading}: ", "bold"), first))
                lines += [Text.assemble(_INDENT, each) for each in further]
    return lines


def wrapped(text: Text, width: int, *, first: int | None = None) -> list[Text]:
    """The lines of a text, broken between words only. `first`: the width of the first line, where it is another."""
    if cell_len(text.plain) <= (width if first is None else first):
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.plain.split():
        limit = first if first is not None and not lines else width
        if line and cell_len(f"{line} {word}") > limit:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [Text(each, style=text.style) for each in [*lines, line]]


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)
