"""Where lines break: what must not be torn, where Unicode lets a line end, and how much a line holds.

Lengths are in ems. The size of the text and the places of its lines are computed in `layout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from icu4py.breakers import LineBreaker

from posegen.designs.typesetting.runs import Glyph, Paragraph
from posegen.designs.typesetting.typefaces import is_ignorable

# Thai, Lao, Khmer and Burmese words are found by ICU's dictionaries in every locale, Japanese phrases in this one.
_LOCALES = {"ja": "ja-u-lw-phrase", "ko": "ko-u-lw-phrase"}
_OTHER_LOCALES = "en"


@dataclass(frozen=True)
class Atom:
    """What no line break may tear: a grapheme cluster, or several that share a glyph. Lengths in ems.

    `above`, `below`: its ink over and under the baseline; `is_blank`: white space, or not drawn at all; `breaks`:
    whether a line may begin with it; `hyphen`: the width of the hyphen that a line shows when it ends with it.
    """

    start: int
    end: int
    width: float
    above: float
    below: float
    is_blank: bool
    breaks: bool
    hyphen: float


@dataclass(frozen=True)
class Line:
    """Characters `start` to `end` of the paragraph with this index, without the blanks at its ends."""

    paragraph: int
    start: int
    end: int
    above: float
    below: float


@dataclass(frozen=True)
class BrokenLines:
    """Lines from top to bottom. `cut_words`: whether a word had to be cut where Unicode lets no line end."""

    lines: list[Line]
    cut_words: bool


def break_lines(atoms: Sequence[Atom], width: float, paragraph: int) -> BrokenLines:
    """The lines of one paragraph, each as full as it gets within `width` ems. Blanks at a line's ends take no room."""
    lines: list[Line] = []
    cut_words = False
    first = 0
    while first < len(atoms) or not lines:
        end, is_cut = _line_end(atoms, first, width)
        lines.append(_line_of(atoms[first:end], paragraph))
        cut_words |= is_cut
        first = end
    return BrokenLines(lines, cut_words)


def _line_end(atoms: Sequence[Atom], first: int, width: float) -> tuple[int, bool]:
    """The atom that the next line begins with, when this one begins with `first`; whether that cuts a word."""
    used = 0.0
    begins = False  # whether the line has anything but blanks yet
    candidate = cut = None
    for place in range(first, len(atoms)):
        atom, hyphen = atoms[place], atoms[place - 1].hyphen
        if begins and (not hyphen or used + hyphen <= width):
            cut = place
            candidate = place if atom.breaks else candidate
        if begins and not atom.is_blank and used + atom.width > width:
            return (cut or place, True) if candidate is None else (candidate, False)
        begins |= not atom.is_blank
        used += atom.width if begins else 0.0
    return len(atoms), False


def _line_of(atoms: Sequence[Atom], paragraph: int) -> Line:
    inked = [index for index, atom in enumerate(atoms) if not atom.is_blank]
    shown = atoms[inked[0] : inked[-1] + 1] if inked else []
    if not shown:
        return Line(paragraph, 0, 0, 0.0, 0.0)
    above, below = max(atom.above for atom in shown), max(atom.below for atom in shown)
    return Line(paragraph, shown[0].start, shown[-1].end, above, below)


def read_atoms(paragraph: Paragraph) -> list[Atom]:
    """The whole paragraph as atoms, in reading order."""
    text = paragraph.text
    if not text:
        return []
    glyphs = _glyphs_of_parts(paragraph)
    starts = _atom_starts(paragraph, {glyph.character for glyph in glyphs})
    owner = _owners(starts, len(text))
    width, above, below = ([0.0] * len(starts) for _ in range(3))
    for glyph in glyphs:
        atom = owner[glyph.character]
        width[atom] += glyph.advance
        above[atom] = max(above[atom], glyph.top)
        below[atom] = max(below[atom], -glyph.bottom)
    opportunities = _break_opportunities(paragraph)
    return [
        Atom(
            start=start,
            end=end,
            width=width[index],
            above=above[index],
            below=below[index],
            is_blank=all(each.isspace() or is_ignorable(ord(each)) for each in text[start:end]),
            breaks=start in opportunities,
            hyphen=paragraph.hyphen_width(end),
        )
        for index, (start, end) in enumerate(pairwise([*starts, len(text)]))
    ]


def _glyphs_of_parts(paragraph: Paragraph) -> list[Glyph]:
    """The glyphs of what stands between soft hyphens, each part by itself: no ligature spans a place to break."""
    places = [0, *(soft.end for soft in paragraph.soft_hyphens if soft.breaks), len(paragraph.text)]
    return [glyph for start, end in pairwise(places) for glyph in paragraph.glyphs(start, end)]


def _atom_starts(paragraph: Paragraph, drawn_from: set[int]) -> list[int]:
    """Where atoms start. A soft hyphen at which a line may end belongs to what stands before it."""
    hyphens = {place for soft in paragraph.soft_hyphens if soft.breaks for place in range(soft.start, soft.end)}
    starts = [start for start in paragraph.clusters[:-1] if start in drawn_from and start not in hyphens]
    return [0, *starts[1:]]


def _owners(starts: Sequence[int], length: int) -> list[int]:
    """The atom that each character belongs to."""
    owners = []
    for index, (start, end) in enumerate(pairwise([*starts, length])):
        owners += [index] * (end - start)
    return owners


def _break_opportunities(paragraph: Paragraph) -> set[int]:
    """Where UAX #14 lets a line begin. Segments are counted here: the library's own offsets are UTF-16's."""
    places, place = set(), 0
    for segment in LineBreaker(paragraph.text, _LOCALES.get(paragraph.language, _OTHER_LOCALES)):
        place += len(segment)
        places.add(place)
    for soft in paragraph.soft_hyphens:
        if not soft.breaks:  # then a line may begin behind it just where it may begin before it
            places = places - {soft.end} | ({soft.end} if soft.start in places else set())
    return places
