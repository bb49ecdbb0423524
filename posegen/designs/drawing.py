"""How designs look: requests are validated, and drawn as a preview, a thumbnail and a print.

How text is set and painted lives in `typesetting`; storing the files in `making`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from PIL import Image

from posegen.designs.products import Product, product_named
from posegen.designs.typesetting.colours import Colour, contrast, hex_of, parse_colour
from posegen.designs.typesetting.fonts import FONTS, DesignFont, font_named
from posegen.designs.typesetting.layout import SetText, set_in_box, set_on_line
from posegen.designs.typesetting.painting import Transform, paint_text
from posegen.designs.typesetting.runs import FILLERS, lacking_letters, replace_missing
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused, UnknownName
from posegen.graphemes import shorten
from posegen.images.pixels import Pixels

PREVIEW_SIDE = 600
THUMBNAIL_SIDE = 200
PRINT_DPI = 300
LONGEST_TEXT = 500
MOST_LINES = 40
LONGEST_WATERMARK = 60
SMALLEST_SIZE, LARGEST_SIZE = 1.0, 2000.0
"""Points."""

MM_PER_POINT = 25.4 / 72
_MARGIN = 0.08  # of the print's shorter side, kept free all around
_LARGEST_EM = 0.6  # of the print's shorter side: a single letter need not fill everything
_LEGIBLE_POINTS = 6.0
_LEGIBLE_CONTRAST = 2.0
_WATERMARK_EM, _WATERMARK_OPACITY, _WATERMARK_TURN = 0.06, 0.28, 30.0
_NEW_LINES = ("\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029")
_REFUSED_CATEGORIES = {"Cc", "Cs", "Co"}


class Asked(Protocol):
    """A row of `design_requests`, before it is validated. `size`: points."""

    @property
    def text(self) -> str: ...
    @property
    def font(self) -> str: ...
    @property
    def product_type(self) -> str: ...
    @property
    def size(self) -> float | None: ...
    @property
    def text_colour(self) -> str | None: ...
    @property
    def ground_colour(self) -> str | None: ...
    @property
    def watermark(self) -> str | None: ...


@dataclass(frozen=True)
class Design:
    """A validated design request. `size`: points, or None for as large as fits."""

    text: str
    font: DesignFont
    product: Product
    ink: Colour
    ground: Colour
    size: float | None
    watermark: str | None


@dataclass(frozen=True)
class LaidOutDesign:
    """A design whose glyphs have their places, in millimetres from the upper left corner of the finished print.

    `warnings`: a sentence for everything that is not as it was asked for.
    """

    design: Design
    text: SetText
    warnings: tuple[str, ...]

    @property
    def size(self) -> float:
        """The size that the text came out in, in points."""
        return self.text.size / MM_PER_POINT


def judge_design(asked: Asked) -> Design:
    """Validate a design request. Raises `RequestRefused` (invalid_request), naming the value and the fix."""
    text = _clean(asked.text, "text", LONGEST_TEXT)
    lines = text.count("\n") + 1
    if lines > MOST_LINES:
        raise _refused(f"The text has {lines} lines; {MOST_LINES} are the most.")
    if asked.size is not None and not SMALLEST_SIZE <= asked.size <= LARGEST_SIZE:
        raise _refused(f"The size is {asked.size:g} points; {SMALLEST_SIZE:g} to {LARGEST_SIZE:g} can be set.")
    try:
        font, product = font_named(asked.font), product_named(asked.product_type)
        ink = parse_colour(asked.text_colour or product.ink)
        ground = parse_colour(asked.ground_colour or product.ground)
    except UnknownName as unknown:
        raise _refused(str(unknown)) from None
    if ink == ground:
        raise _refused(
            f"Text and ground have the same colour {hex_of(ink)}: nothing could be read. Change one of them."
        )
    watermark = asked.watermark and " ".join(_clean(asked.watermark, "watermark", LONGEST_WATERMARK).split())
    return Design(text, font, product, ink, ground, asked.size, watermark or None)


def lay_out(design: Design) -> LaidOutDesign:
    """Set the text of a design. Raises `RequestRefused` (invalid_request) when nothing of it can be seen."""
    text, missing = replace_missing(design.text, design.font)
    lacking = lacking_letters(text, design.font)
    font = FONTS[design.font.fallback] if lacking else design.font
    product = design.product
    shorter = min(product.width, product.height)
    margin = shorter * _MARGIN
    laid_out = set_in_box(
        text,
        font,
        product.width - 2 * margin,
        product.height - 2 * margin,
        size=None if design.size is None else design.size * MM_PER_POINT,
        largest=shorter * _LARGEST_EM,
    )
    if laid_out.ink[2] <= laid_out.ink[0]:
        raise _refused("Nothing of the text can be seen: it has only spaces and signs without a shape.")
    whole = LaidOutDesign(design, laid_out.moved(margin, margin), ())
    return replace(whole, warnings=tuple(_warnings(whole, font, missing, lacking)))


def draw_preview(laid_out: LaidOutDesign) -> Pixels:
    """600x600: the whole print in the middle of its ground, at one scale, with the watermark over it if it has one."""
    product = laid_out.design.product
    scale = PREVIEW_SIDE / max(product.width, product.height)
    across, down = ((PREVIEW_SIDE - side * scale) / 2 for side in (product.width, product.height))
    pixels = _ground(laid_out.design, PREVIEW_SIDE, PREVIEW_SIDE)
    paint_text(
        pixels, laid_out.text.glyphs, laid_out.text.size, Transform.scaled(scale, across, down), laid_out.design.ink
    )
    if laid_out.design.watermark is not None:
        _paint_watermark(pixels, laid_out.design.watermark, laid_out.design.ground)
    return pixels


def draw_thumbnail(preview: Pixels) -> Pixels:
    """The preview at 200x200."""
    small = Image.fromarray(preview).resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small)


def draw_print(laid_out: LaidOutDesign) -> Pixels:
    """The print with its bleed at 300 dpi, without a watermark. Takes 3 bytes a pixel: 54 MB for a poster."""
    product = laid_out.design.product
    scale = PRINT_DPI / 25.4
    width, height = (round((side + 2 * product.bleed) * scale) for side in (product.width, product.height))
    pixels = _ground(laid_out.design, width, height)
    bleed = product.bleed * scale
    paint_text(
        pixels, laid_out.text.glyphs, laid_out.text.size, Transform.scaled(scale, bleed, bleed), laid_out.design.ink
    )
    return pixels


def _ground(design: Design, width: int, height: int) -> Pixels:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = design.ground
    return pixels


def _paint_watermark(pixels: Pixels, words: str, ground: Colour) -> None:
    """The words again and again along parallels, in black or white, whichever shows on the ground."""
    black, white = (0, 0, 0), (255, 255, 255)
    ink = black if contrast(ground, black) > contrast(ground, white) else white
    side = pixels.shape[0]
    size = side * _WATERMARK_EM
    line = set_on_line(replace_missing(words, FONTS["noto-sans-bold"])[0], FONTS["noto-sans-bold"], side, size)
    step = line.ink[2] + 2 * size
    for row in range(-6, 7):
        for column in range(-4, 5):
            turned = Transform.turned(1.0, _WATERMARK_TURN, side / 2, side / 2)
            x, y = turned.place(column * step + (row % 2) * step / 2, row * 3 * size)
            paint_text(
                pixels, line.glyphs, size, Transform.turned(1.0, _WATERMARK_TURN, x, y), ink, opacity=_WATERMARK_OPACITY
            )


def _warnings(laid_out: LaidOutDesign, font: DesignFont, missing: list[str], lacking: list[str]) -> Iterable[str]:
    design = laid_out.design
    if missing:
        yield f"No font has {_named(missing)}: a question mark in a lozenge stands there instead."
    if lacking:
        yield f"{design.font.title} lacks {_named(lacking)}: the text is set in {font.title}."
    if design.size is not None and laid_out.size < design.size * 0.995:
        yield f"The text does not fit at {design.size:g} points: it is set at {laid_out.size:.1f}."
    if laid_out.text.cut_words:
        yield "A word was too long for a line of its own and is cut."
    if laid_out.size < _LEGIBLE_POINTS:
        yield f"The text is set at {laid_out.size:.1f} points: below {_LEGIBLE_POINTS:g}, print can hardly be read."
    ratio = contrast(design.ink, design.ground)
    if ratio < _LEGIBLE_CONTRAST:
        yield f"{hex_of(design.ink)} on {hex_of(design.ground)} has a contrast of {ratio:.1f}:1 and is hard to read."


def _named(clusters: Iterable[str]) -> str:
    shown = [
        f"{cluster!r} (U+{' U+'.join(f'{ord(character):04X}' for character in cluster)})"
        for cluster in dict.fromkeys(clusters)
    ]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")


def _clean(text: str, what: str, longest: int) -> str:
    """In normal form C, lines ended by line feeds, without space around it. Raises `RequestRefused`."""
    if len(text) > longest:
        raise _refused(f"The {what} has {len(text):,} characters; {longest} are the most.")
    clean = text
    for new_line in _NEW_LINES:
        clean = clean.replace(new_line, "\n")
    for place, character in enumerate(clean):
        if unicodedata.category(character) in _REFUSED_CATEGORIES and character not in "\n\t":
            raise _refused(f"The {what} has the control character U+{ord(character):04X} at {place}: remove it.")
    blank = str.maketrans(dict.fromkeys(f"\t{FILLERS}", " "))
    clean = unicodedata.normalize("NFC", clean.translate(blank)).strip()
    if not clean:
        raise _refused(f"The {what} is empty: write something.")
    return clean


def _refused(detail: str) -> RequestRefused:
    return RequestRefused(ErrorCode.INVALID_REQUEST, shorten(detail, 2000))
