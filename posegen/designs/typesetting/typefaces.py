"""Font files: which of them draws a character, in which order they are asked, and how they are opened.

They lie in `fonts_data`, with their licences; `tools/make_fonts.py` makes them. No font of the machine is used.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import uharfbuzz

from posegen.designs.typesetting.fonts import FONTS, DesignFont

FONTS_DATA = Path(__file__).parent / "fonts_data"

COLOUR_EMOJI = "noto-color-emoji"
IDEOGRAPHS = "noto-sans-cjk-sc-regular"
_EMBOLDENING = 0.022  # of the em, on each side: about what Noto Sans Bold adds to Regular
_TEXT_STYLE, _EMOJI_STYLE, _KEYCAP = 0xFE0E, 0xFE0F, 0x20E3
_KEYCAP_BASES = frozenset(map(ord, "0123456789#*"))
# What HarfBuzz draws nothing of, so that a font need not have it: Unicode's default ignorables without its fillers.
_IGNORABLE = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F)),
    *((0x202A, 0x202E), (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF0, 0xFFF8)),
    *((0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
# Fonts draw dashed boxes with letters for them: marks of annotations, and of an object that was not pasted with a text.
_BOXED = frozenset(range(0xFFF9, 0xFFFD))
_SCRIPTS = (
    *("sans-hebrew", "sans-arabic", "sans-syriac", "sans-thaana", "sans-nko", "sans-thai", "sans-lao", "sans-khmer"),
    *("sans-myanmar", "sans-javanese", "sans-balinese", "sans-sundanese", "sans-buginese", "sans-batak"),
    *("sans-tagalog", "sans-devanagari", "sans-bengali", "sans-gujarati", "sans-gurmukhi", "sans-tamil"),
    *("sans-telugu", "sans-kannada", "sans-malayalam", "sans-oriya", "sans-sinhala", "serif-tibetan", "sans-georgian"),
    *("sans-armenian", "sans-ethiopic", "sans-tifinagh", "sans-cherokee", "sans-canadianaboriginal", "sans-mongolian"),
)
# Before the scripts: some of those fonts have punctuation and signs of their own, in other shapes.
_SHARED = (IDEOGRAPHS, "noto-sans-symbols-regular", "noto-sans-symbols2-regular", "noto-sans-math-regular")


@dataclass(frozen=True)
class Typeface:
    """One font file, as it is or made bolder, because no bold one of its kind is at hand."""

    file: str
    emboldened: bool = False


@cache
def typefaces_of(font: DesignFont) -> tuple[Typeface, ...]:
    """In the order in which they are asked for a character: the font, its fallback, ideographs, signs, scripts, emoji.

    Beside a bold font the others are bold, too: by a bold file where there is one, emboldened otherwise.
    """
    files = [font.file, FONTS[font.fallback].file, *_SHARED]
    for script in _SCRIPTS:
        bold_file = f"noto-{script}-bold"
        files.append(bold_file if font.bold and bold_file in _index()["fonts"] else f"noto-{script}-regular")
    files.append(COLOUR_EMOJI)
    return tuple(
        Typeface(file, emboldened=font.bold and file.endswith("-regular") and file != font.file)
        for file in dict.fromkeys(files)
    )


def typeface_for(cluster: str, font: DesignFont) -> Typeface | None:
    """What draws this grapheme cluster when `font` is asked for, or None when no font of ours can."""
    drawn = [ord(character) for character in cluster if not is_ignorable(ord(character))]
    emoji = Typeface(COLOUR_EMOJI)
    if _wants_emoji(cluster) and _covers(emoji, drawn):
        return emoji
    for typeface in typefaces_of(font):
        if _covers(typeface, drawn) and not (typeface == emoji and drawn and drawn[0] in _KEYCAP_BASES):
            return typeface
    return None


def covers(typeface: Typeface, text: str) -> bool:
    """Whether the typeface has every character of the text that is drawn at all."""
    return _covers(typeface, [ord(character) for character in text if not is_ignorable(ord(character))])


def is_ignorable(character: int) -> bool:
    """Whether nothing is drawn of this code point: joiners, marks of direction, variation selectors."""
    return any(first <= character <= last for first, last in _IGNORABLE)


@cache
def open_typeface(typeface: Typeface) -> Any:
    """The typeface as HarfBuzz's `Font`, in units of the font's em. Read once in each process."""
    font = uharfbuzz.Font(_face(typeface.file))
    if typeface.emboldened:
        font.synthetic_bold = (2 * _EMBOLDENING, 2 * _EMBOLDENING, False)
    return font


def _wants_emoji(cluster: str) -> bool:
    """Whether Unicode has this cluster as an emoji: by itself, or because a variation selector says so."""
    characters = [ord(character) for character in cluster]
    if _TEXT_STYLE in characters or (characters[0] in _KEYCAP_BASES and _KEYCAP not in characters):
        return False
    return _EMOJI_STYLE in characters or any(character in _emoji_presentation() for character in characters)


def _covers(typeface: Typeface, characters: Iterable[int]) -> bool:
    coverage = _coverage()[typeface.file]
    return all(character in coverage for character in characters)


@cache
def _face(file: str) -> Any:
    return uharfbuzz.Face(lzma.decompress((FONTS_DATA / f"{file}.xz").read_bytes()))


@cache
def _index() -> dict[str, Any]:
    index: dict[str, Any] = json.loads((FONTS_DATA / "index.json").read_text(encoding="utf-8"))
    return index


@cache
def _coverage() -> dict[str, frozenset[int]]:
    return {file: _code_points(facts["coverage"]) - _BOXED for file, facts in _index()["fonts"].items()}


@cache
def _emoji_presentation() -> frozenset[int]:
    return _code_points(_index()["emoji_presentation"])


def _code_points(ranges: str) -> frozenset[int]:
    """`20-7e,a0` in hex."""
    found: list[int] = []
    for run in ranges.split(","):
        first, _, last = run.partition("-")
        found.extend(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(found)
