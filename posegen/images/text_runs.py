"""From a paragraph of text to glyphs: which font draws what, in which direction, and what HarfBuzz makes of it.

All lengths are in ems: fractions of the text size. Lines and sizes are `text_layout`'s business.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import uharfbuzz
from icu4py.breakers import CharacterBreaker

from posegen.images.bidi import embed, visual_order
from posegen.images.fonts import FONTS, DesignFont
from posegen.images.typefaces import IDEOGRAPHS, Typeface, covers, open_typeface, typeface_for

REPLACEMENT = "\ufffd"
"""What stands where no font has a character: a question mark in a lozenge."""

_LOCALE = "en"  # grapheme clusters are the same in all of them
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
class Paragraph:
    """A paragraph that can be broken into lines. `clusters`: where each grapheme cluster starts, and the end."""

    text: str
    clusters: tuple[int, ...]
    runs: tuple[Run, ...]
    language: str

    def glyphs(self, start: int, end: int) -> list[Glyph]:
        """The characters `start` to `end` as one line, from left to right; letters join beyond its ends."""
        parts = [(max(run.start, start), min(run.end, end), run) for run in self.runs]
        parts = [part for part in parts if part[0] < part[1]]
        found: list[Glyph] = []
        pen = 0.0
        for part in visual_order([run.level for _, _, run in parts]):
            first, last, run = parts[part]
            for glyph in _shaped(self.text, first, last, run, self.language, pen):
                found.append(glyph)
                pen += glyph.advance
        return found


def grapheme_clusters(text: str) -> list[str]:
    """What readers take for one character: an emoji of several, a letter with its marks."""
    return list(CharacterBreaker(text, _LOCALE))


def replace_missing(text: str, font: DesignFont) -> tuple[str, list[str]]:
    """The text with `REPLACEMENT` for each grapheme cluster that no font can draw, and those clusters.

    Of a letter whose marks alone are missing, the letter stays.
    """
    kept, missing = [], []
    for cluster in grapheme_clusters(text):
        if cluster.isspace() or typeface_for(cluster, font) is not None:
            kept.append(cluster)
            continue
        missing.append(cluster)
        kept.append(cluster[0] if typeface_for(cluster[0], font) is not None else REPLACEMENT)
    return "".join(kept), missing


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
            runs[-1] = Run(runs[-1].start, end, typeface, script, level)
        else:
            runs.append(Run(start, end, typeface, script, level))
    return Paragraph(text, tuple(starts), tuple(runs), _language_of(text))


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
    """One for each cluster, or that of `font` for what `replace_missing` would not have let pass."""
    own = Typeface(font.file)
    return [typeface_for(cluster, font) or own for cluster in clusters]


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


def _shaped(text: str, start: int, end: int, run: Run, language: str, pen: float) -> Iterator[Glyph]:
    font = open_typeface(run.typeface)
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text, start, end - start)
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
            character=info.cluster,
            x=pen + position.x_offset / em,
            y=position.y_offset / em,
            advance=position.x_advance / em,
            left=left / em,
            right=(left + width) / em,
            bottom=(position.y_offset + top + height) / em,
            top=(position.y_offset + top) / em,
        )
        pen += position.x_advance / em
