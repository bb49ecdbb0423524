"""Setting text into a box: how large it can be, and where every glyph goes.

Fonts and glyphs are chosen in `runs`, lines broken in `line_breaking`, glyphs drawn in `painting`.
Sizes and places are in the unit that the caller measures the box in, `y` downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from posegen.designs.typesetting.fonts import DesignFont
from posegen.designs.typesetting.line_breaking import Atom, BrokenLines, Line, break_lines, read_atoms
from posegen.designs.typesetting.runs import Glyph, Paragraph, read_paragraph
from posegen.graphemes import ELLIPSIS

LEADING = 1.15
"""Ems from one baseline to the next, unless tall letters need more."""
_GAP = 0.1  # ems between the ink of two lines, at least
_HALVINGS = 24
_SMALLEST = 1e-4  # of the box: where the search for a size begins
# Of the box's shorter side: a word is cut only where the whole of it would make the text smaller than this.
_SMALLEST_WHOLE = 0.04


@dataclass(frozen=True)
class PlacedGlyph:
    """A glyph with its origin at `x`, `y`."""

    glyph: Glyph
    x: float
    y: float


@dataclass(frozen=True)
class SetText:
    """Text that lies in its box. `size`: of one em; `lines`: how many; `cut_words`: whether a word had to be cut.

    `ink`: left, top, right and bottom of what is drawn; all of it is within the box.
    """

    size: float
    lines: int
    cut_words: bool
    glyphs: tuple[PlacedGlyph, ...]
    ink: tuple[float, float, float, float]

    def moved(self, across: float, down: float) -> SetText:
        """The same in another place."""
        left, top, right, bottom = self.ink
        glyphs = tuple(replace(each, x=each.x + across, y=each.y + down) for each in self.glyphs)
        ink = (left + across, top + down, right + across, bottom + down)
        return replace(self, glyphs=glyphs, ink=ink)


def set_in_box(
    text: str, font: DesignFont, width: float, height: float, *, size: float | None = None, largest: float = math.inf
) -> SetText:
    """`text` in centred lines, the whole of it in the middle of the box, as large as fits.

    `size`: not larger than this; `largest`: the bound when no size is asked for. Text without any ink gives no glyphs.
    """
    paragraphs = [read_paragraph(line.strip(), font) for line in text.split("\n")]
    atoms = [read_atoms(paragraph) for paragraph in paragraphs]
    bound = largest if size is None else size
    whole = _largest_size(atoms, width, height, bound, cutting=False)
    cutting = whole < min(bound, min(width, height) * _SMALLEST_WHOLE)
    chosen = _largest_size(atoms, width, height, bound, cutting=True) if cutting else whole
    broken = _balanced(atoms, width / chosen, cutting=cutting)
    return _centred(paragraphs, broken, width, height, chosen)


def set_on_line(text: str, font: DesignFont, width: float, size: float) -> SetText:
    """`text` on one line of at most `width`, from the left at a baseline of 0; an ellipsis stands for what is cut."""
    line = " ".join(text.split())
    paragraph = read_paragraph(line, font)
    glyphs = paragraph.glyphs(0, len(line))
    if _advance(glyphs) * size > width:
        ends = [0, *(atom.end for atom in read_atoms(paragraph))]
        fits, too_long = 0, len(ends) - 1
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if _advance(_shortened(line, ends[middle], font)) * size <= width:
                fits = middle
            else:
                too_long = middle
        glyphs = _shortened(line, ends[fits], font)
    placed = tuple(PlacedGlyph(glyph, glyph.x * size, -glyph.y * size) for glyph in glyphs)
    return SetText(size, 1, False, placed, _ink(placed, size))


def _shortened(line: str, end: int, font: DesignFont) -> list[Glyph]:
    short = line[:end].rstrip() + ELLIPSIS
    return read_paragraph(short, font).glyphs(0, len(short))


def _advance(glyphs: Sequence[Glyph]) -> float:
    return sum(glyph.advance for glyph in glyphs)


def _largest_size(atoms: Sequence[list[Atom]], width: float, height: float, bound: float, *, cutting: bool) -> float:
    """The largest size at which everything fits, up to `bound`."""
    high = min(bound, 2 * max(width, height))
    if _fits(atoms, width, height, high, cutting=cutting):
        return high
    low = min(width, height) * _SMALLEST
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if _fits(atoms, width, height, middle, cutting=cutting):
            low = middle
        else:
            high = middle
    return low


def _fits(atoms: Sequence[list[Atom]], width: float, height: float, size: float, *, cutting: bool) -> bool:
    widest = max(
        (atom.width + atom.hyphen for paragraph in atoms for atom in paragraph if not atom.is_blank), default=0
    )
    if widest * size > width:
        return False
    broken = _break_all(atoms, width / size)
    return (cutting or not broken.cut_words) and _height(broken.lines) * size <= height


def _height(lines: Sequence[Line]) -> float:
    """From the top of the first line's ink to the bottom of the last one's, in ems."""
    return lines[0].above + sum(_step(upper, lower) for upper, lower in pairwise(lines)) + lines[-1].below


def _step(upper: Line, lower: Line) -> float:
    return max(LEADING, upper.below + lower.above + _GAP)


def _balanced(atoms: Sequence[list[Atom]], width: float, *, cutting: bool) -> BrokenLines:
    """As few lines as `width` ems allow, each paragraph's about equally long."""
    lines: list[Line] = []
    cut_words = False
    for index, paragraph in enumerate(atoms):
        widest = break_lines(paragraph, width, index)
        low, high, best = 0.0, width, widest
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            tried = break_lines(paragraph, middle, index)
            if len(tried.lines) == len(widest.lines) and (not tried.cut_words or (cutting and widest.cut_words)):
                high, best = middle, tried
            else:
                low = middle
        lines += best.lines
        cut_words |= best.cut_words
    return BrokenLines(lines, cut_words)


def _break_all(atoms: Sequence[list[Atom]], width: float) -> BrokenLines:
    parts = [break_lines(paragraph, width, index) for index, paragraph in enumerate(atoms)]
    return BrokenLines([line for part in parts for line in part.lines], any(part.cut_words for part in parts))


def _centred(paragraphs: Sequence[Paragraph], broken: BrokenLines, width: float, height: float, size: float) -> SetText:
    """Each line in the middle by its advance, all of them by their ink; smaller where ink would leave the box."""
    glyphs: list[PlacedGlyph] = []
    baseline = 0.0
    for index, line in enumerate(broken.lines):
        baseline += _step(broken.lines[index - 1], line) if index else line.above
        shaped = paragraphs[line.paragraph].line(line.start, line.end)
        left = -_advance(shaped) / 2
        glyphs += [PlacedGlyph(glyph, left + glyph.x, baseline - glyph.y) for glyph in shaped]
    left, top, right, bottom = _ink(glyphs, 1.0)
    if right > left and bottom > top:
        size = min(size, width / (right - left), height / (bottom - top))
    across = _shift(left * size, right * size, width)
    down = (height - (top + bottom) * size) / 2
    placed = tuple(replace(each, x=each.x * size + across, y=each.y * size + down) for each in glyphs)
    return SetText(size, len(broken.lines), broken.cut_words, placed, _ink(placed, size))


def _shift(left: float, right: float, width: float) -> float:
    """Half the box, or as much more or less as keeps ink that hangs out at one side within it."""
    return min(max(width / 2, -left), width - right)


def _ink(glyphs: Sequence[PlacedGlyph], size: float) -> tuple[float, float, float, float]:
    inked = [each for each in glyphs if each.glyph.right > each.glyph.left]
    if not inked:
        return 0.0, 0.0, 0.0, 0.0
    return (
        min(each.x + each.glyph.left * size for each in inked),
        min(each.y + (each.glyph.y - each.glyph.top) * size for each in inked),
        max(each.x + each.glyph.right * size for each in inked),
        max(each.y + (each.glyph.y - each.glyph.bottom) * size for each in inked),
    )
