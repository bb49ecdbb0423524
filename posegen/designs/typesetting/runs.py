"""From a paragraph of text to glyphs: which font draws what, in which direction, and what HarfBuzz makes of it.

All lengths are in ems: fractions of the text size. Lines are broken in `line_breaking`, sizes chosen in `layout`.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import uharfbuzz

from posegen.designs.typesetting.bidi import embed, visual_order
from posegen.designs.typesetting.fonts import FONTS, DesignFont
from posegen.designs.typesetting.soft_hyphens import HYPHENS, SOFT_HYPHEN, SoftHyphen, soft_hyphens
from posegen.designs.typesetting.typefaces import (
    IDEOGRAPHS,
    Typeface,
    covers,
    is_ignorable,
    open_typeface,
    typeface_for,
    typefaces_of,
)
from posegen.graphemes import grapheme_clusters

REPLACEMENT = "\ufffd"
"""What stands where no font has a character: a question mark in a lozenge."""

# HarfBuzz makes these of a font's own space, each in its width, so that a font need not have them.
_SPACES = frozenset((" ", "\xa0", *map(chr, range(0x2000, 0x200B)), "\u202f", "\u205f", "\u3000"))
FILLERS = "\u115f\u1160\u3164\uffa0"
"""They stand for absent Korean letters, and look like boxes where they stand alone."""
_KANA, _HANGUL = range(0x3040, 0x3100), range(0xAC00, 0xD7A4)


@dataclass(frozen=True)
class Glyph:
    """One glyph of a run, from left to right. `character`: index of the first character that it stands for.

    `x`, `y`: where its origin lies, `y` upwards from the baseline; `advance`: how far it moves the pen. The ink reaches
    from `left` to `right` of the origin and from `bottom` to `top` of the baseline.
    """

    typeface: Typeface
    index: int
    character: int
    x: float
    y: float
    advance: float
    left: float
    right: float
    bottom: float
    top: float


@dataclass(frozen=True)
class Run:
    """Characters `start` to `end` of a paragraph, in one typeface, script and direction."""

    start: int
    end: int
    typeface: Typeface
    script: str
    level: int


@dataclass(frozen=True)
class Hyphen:
    """`character`: the one that the run's typeface has; `run`: in the place of the soft hyphen."""

    character: str
    run: Run


@dataclass(frozen=True)
class Paragraph:
    """A paragraph that can be broken into lines. `clusters`: where each grapheme cluster starts, and the end.

    `hyphens`: the hyphen that a line shows when it ends at this character, in a run of its own.
    """

    text: str
    clusters: tuple[int, ...]
    runs: tuple[Run, ...]
    language: str
    soft_hyphens: tuple[SoftHyphen, ...]
    hyphens: Mapping[int, Hyphen]

    def glyphs(self, start: int, end: int) -> list[Glyph]:
        """The characters `start` to `end` in a row, from left to right; letters join beyond its ends."""
        return self._set(self._parts(start, end))

    def line(self, start: int, end: int) -> list[Glyph]:
        """The characters `start` to `end` as one line, with a hyphen where it ends at a soft hyphen."""
        return self._set([*self._parts(start, end), *self._hyphen(end)])

    def hyphen_width(self, end: int) -> float:
        """What the hyphen takes of a line that ends there: 0 where it shows none."""
        return sum(glyph.advance for glyph in self._set(self._hyphen(end)))

    def _parts(self, start: int, end: int) -> list[tuple[str, Run]]:
        parts = [replace(run, start=max(run.start, start), end=min(run.end, end)) for run in self.runs]
        return [(self.text, part) for part in parts if part.start < part.end]

    def _hyphen(self, end: int) -> list[tuple[str, Run]]:
        hyphen = self.hyphens.get(end)
        # A run of its own: letters before it keep the form that joins those of the next line.
        return [] if hyphen is None else [(self.text[: end - 1] + hyphen.character, hyphen.run)]

    def _set(self, parts: Sequence[tuple[str, Run]]) -> list[Glyph]:
        found: list[Glyph] = []
        pen = 0.0
        for part in visual_order([run.level for _, run in parts]):
            for glyph in _shaped(*parts[part], self.language, pen):
                found.append(glyph)
                pen += glyph.advance
        return found


def replace_missing(text: str, font: DesignFont) -> tuple[str, list[str]]:
    """The text as it can be drawn, and the grapheme clusters that no font has: `REPLACEMENT` stands for each.

    Of a letter whose marks alone are missing, the letter stays. White space that no font has becomes a space.
    """
    missing: list[str] = []
    while True:
        kept = "".join(_drawable(cluster, font, missing) for cluster in grapheme_clusters(text))
        # What is left can be one cluster with what was another: a sign that is written around the next one.
        if kept == text:
            return text, missing
        text = kept


def _drawable(cluster: str, font: DesignFont, missing: list[str]) -> str:
    if cluster in _SPACES or cluster == "\n":
        return cluster
    if cluster.isspace() or all(character in FILLERS for character in cluster):
        return " "
    if typeface_for(cluster, font) is not None:
        return cluster
    if len(cluster) > 1 and _is_prefix(cluster[0]):
        missing.append(cluster[0])
        return REPLACEMENT + cluster[1:]
    missing.append(cluster)
    return cluster[0] if len(cluster) > 1 and typeface_for(cluster[0], font) is not None else REPLACEMENT


def _is_prefix(character: str) -> bool:
    """Whether the character is one cluster with whatever follows it, as Arabic's sign of a number is."""
    return len(grapheme_clusters(f"{character}x")) == 1


def read_paragraph(text: str, font: DesignFont) -> Paragraph:
    """A paragraph without line breaks, of characters that `replace_missing` has let pass."""
    clusters = grapheme_clusters(text)
    starts = [0]
    for cluster in clusters:
        starts.append(starts[-1] + len(cluster))
    typefaces = _typefaces(clusters, font)
    scripts = _scripts(clusters)
    levels = embed(text).levels
    runs: list[Run] = []
    for (start, end), typeface, script in zip(pairwise(starts), typefaces, scripts, strict=True):
        level = levels[start]
        if runs and (runs[-1].typeface, runs[-1].script, runs[-1].level) == (typeface, script, level):
            runs[-1] = replace(runs[-1], end=end)
        else:
            runs.append(Run(start, end, typeface, script, level))
    soft = tuple(soft_hyphens(text))
    hyphens = {each.end: _hyphen(each, runs, font) for each in soft if each.shows}
    return Paragraph(text, tuple(starts), tuple(runs), _language_of(text), soft, hyphens)


def _hyphen(soft: SoftHyphen, runs: Sequence[Run], font: DesignFont) -> Hyphen:
    """In the typeface and direction of what stands before it, or in the first typeface that has a hyphen."""
    before = next(run for run in runs if run.start < soft.start <= run.end)
    character, typeface = next(
        (hyphen, typeface)
        for typeface in (before.typeface, *typefaces_of(font))
        for hyphen in HYPHENS
        if covers(typeface, hyphen)
    )
    return Hyphen(character, Run(soft.end - 1, soft.end, typeface, before.script, before.level))


def lacking_letters(text: str, font: DesignFont) -> list[str]:
    """The letters that the font itself lacks and its fallback has: Ế in most display fonts, for example."""
    own, fallback = Typeface(font.file), Typeface(FONTS[font.fallback].file)
    return [
        cluster
        for cluster in dict.fromkeys(grapheme_clusters(text))
        if unicodedata.category(cluster[0])[0] == "L" and not covers(own, cluster) and covers(fallback, cluster)
    ]


def _language_of(text: str) -> str:
    """Among those that share ideographs; what is written in none of them counts as Chinese, which does no harm."""
    if any(ord(character) in _KANA for character in text):
        return "ja"
    return "ko" if any(ord(character) in _HANGUL for character in text) else "zh-Hans"


def _typefaces(clusters: Sequence[str], font: DesignFont) -> list[Typeface]:
    """One for each cluster; marks that are not drawn have that of what stands before them and end no run.

    That of `font` for what no font has: a space, or what `replace_missing` would not have let pass.
    """
    found: list[Typeface] = []
    for cluster in clusters:
        is_drawn = not all(is_ignorable(ord(character)) for character in cluster)
        typeface = typeface_for(cluster, font) if is_drawn or not found else found[-1]
        found.append(typeface or Typeface(font.file))
    return found


def _scripts(clusters: Sequence[str]) -> list[str]:
    """One for each cluster; signs and spaces have that of what stands before them, at the start of what follows."""
    own = [_script_of(cluster) for cluster in clusters]
    current = next((script for script in own if script), "Latn")
    scripts = []
    for script in own:
        current = script or current
        scripts.append(current)
    return scripts


@cache
def _script_of(cluster: str) -> str | None:
    if all(unicodedata.category(character)[0] in "ZNPSC" for character in cluster):
        return None
    buffer = uharfbuzz.Buffer()
    buffer.add_str(cluster)
    buffer.guess_segment_properties()
    script: str | None = buffer.script
    return script


def _shaped(text: str, run: Run, language: str, pen: float) -> Iterator[Glyph]:
    # Without soft hyphens, which would end ligatures and conjuncts where no line ends.
    kept = [place for place, character in enumerate(text) if character != SOFT_HYPHEN]
    start, end = bisect_left(kept, run.start), bisect_left(kept, run.end)
    if start == end:
        return
    font = open_typeface(run.typeface)
    buffer = uharfbuzz.Buffer()
    buffer.add_str("".join(text[place] for place in kept), start, end - start)
    buffer.direction = "rtl" if run.level % 2 else "ltr"
    buffer.script = run.script
    # Never the machine's: the same text has to give the same picture everywhere.
    buffer.language = language if run.typeface.file == IDEOGRAPHS else "und"
    uharfbuzz.shape(font, buffer)
    em = font.face.upem
    for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        ink = font.get_glyph_extents(info.codepoint)
        left, top, width, height = (
            (0, 0, 0, 0) if ink is None else (ink.x_bearing, ink.y_bearing, ink.width, ink.height)
        )
        yield Glyph(
            typeface=run.typeface,
            index=info.codepoint,
            character=kept[info.cluster],
            x=pen + position.x_offset / em,
            y=position.y_offset / em,
            advance=position.x_advance / em,
            left=left / em,
            right=(left + width) / em,
            bottom=(position.y_offset + top + height) / em,
            top=(position.y_offset + top) / em,
        )
        pen += position.x_advance / em
