"""Drawing set text on pixels: outlines in one colour, emoji in their own. Where the glyphs lie is decided elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import uharfbuzz
from numpy.typing import NDArray

from posegen.designs.typesetting.colours import Colour
from posegen.designs.typesetting.layout import PlacedGlyph
from posegen.designs.typesetting.typefaces import Typeface, open_typeface
from posegen.images.pixels import Pixels

_BAND = 256  # rows that are blended at once: what a print takes in memory beside its own pixels


@dataclass(frozen=True)
class Transform:
    """From the unit of a layout to pixels: `x' = xx*x + xy*y + dx`, `y' = yx*x + yy*y + dy`."""

    xx: float
    yx: float
    xy: float
    yy: float
    dx: float
    dy: float

    @classmethod
    def scaled(cls, scale: float, dx: float = 0.0, dy: float = 0.0) -> Transform:
        """`scale`: pixels for each unit; `dx`, `dy`: where the layout's corner comes to lie, in pixels."""
        return cls(scale, 0.0, 0.0, scale, dx, dy)

    @classmethod
    def turned(cls, scale: float, degrees: float, dx: float, dy: float) -> Transform:
        """Scaled, and turned counterclockwise around the layout's origin, which comes to lie at `dx`, `dy`."""
        cosine, sine = math.cos(math.radians(degrees)) * scale, math.sin(math.radians(degrees)) * scale
        return cls(cosine, -sine, sine, cosine, dx, dy)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point comes to lie, in pixels."""
        return self.xx * x + self.xy * y + self.dx, self.yx * x + self.yy * y + self.dy


def paint_text(
    pixels: Pixels,
    glyphs: Iterable[PlacedGlyph],
    size: float,
    transform: Transform,
    ink: Colour,
    *,
    opacity: float = 1.0,
) -> None:
    """Draw glyphs onto `pixels`, in place; what lies beyond them is cut off. `size`: of one em, in the layout's unit.

    `opacity`: 0 to 1, of the whole text, so that letters that overlap show no seams.
    """
    of_face: dict[Typeface, list[PlacedGlyph]] = {}
    for each in glyphs:
        of_face.setdefault(each.glyph.typeface, []).append(each)
    for typeface, placed in of_face.items():
        if open_typeface(typeface).face.has_color_paint:
            for each in placed:
                _paint_colours(pixels, each, size, transform, ink, opacity)
        else:
            _paint_outlines(pixels, typeface, placed, size, transform, ink, opacity)


def _paint_outlines(
    pixels: Pixels,
    typeface: Typeface,
    placed: Sequence[PlacedGlyph],
    size: float,
    transform: Transform,
    ink: Colour,
    opacity: float,
) -> None:
    area = _area(pixels, placed, size, transform)
    if area is None:
        return
    left, top, width, height = area
    font = open_typeface(typeface)
    draw = uharfbuzz.RasterDraw()
    for each in placed:
        draw.transform = _of_glyph(each, size / font.face.upem, transform)
        draw.draw_glyph(font, each.glyph.index)
    draw.extents = uharfbuzz.RasterExtents(left, top, width, height, 0)
    mask = _bytes_of(draw.render(), width)
    colour = np.array(ink, np.float32)
    for start in range(0, height, _BAND):
        rows = slice(start, min(start + _BAND, height))
        share = mask[rows].astype(np.float32)[..., None] * (opacity / 255)
        under = pixels[top + rows.start : top + rows.stop, left : left + width]
        under[:] = np.rint(under + (colour - under) * share).astype(np.uint8)


def _paint_colours(
    pixels: Pixels, each: PlacedGlyph, size: float, transform: Transform, ink: Colour, opacity: float
) -> None:
    area = _area(pixels, [each], size, transform)
    if area is None:
        return
    left, top, width, height = area
    font = open_typeface(each.glyph.typeface)
    paint = uharfbuzz.RasterPaint()
    paint.foreground = uharfbuzz.Color(*ink, 255)
    paint.transform = _of_glyph(each, size / font.face.upem, transform)
    paint.extents = uharfbuzz.RasterExtents(left, top, width, height, 0)
    paint.paint_glyph(font, each.glyph.index)
    layer = _bytes_of(paint.render(), width * 4).reshape(height, width, 4).astype(np.float32) * opacity
    under = pixels[top : top + height, left : left + width]
    # HarfBuzz gives blue, green, red and alpha, the colours already multiplied with alpha.
    blended = layer[..., 2::-1] + under * (1 - layer[..., 3:] / 255)
    np.clip(np.rint(blended), 0, 255, out=blended)
    under[:] = blended.astype(np.uint8)


def _of_glyph(each: PlacedGlyph, scale: float, outer: Transform) -> tuple[float, float, float, float, float, float]:
    """From the units of the font, `y` upwards, to pixels, `y` downwards."""
    x, y = outer.place(each.x, each.y)
    return outer.xx * scale, outer.yx * scale, -outer.xy * scale, -outer.yy * scale, x, y


def _area(
    pixels: Pixels, placed: Sequence[PlacedGlyph], size: float, transform: Transform
) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of what the glyphs can touch, or None when that lies beyond the pixels."""
    corners = [
        transform.place(each.x + across * size, each.y + (each.glyph.y - up) * size)
        for each in placed
        if each.glyph.right > each.glyph.left
        for across in (each.glyph.left, each.glyph.right)
        for up in (each.glyph.bottom, each.glyph.top)
    ]
    if not corners:
        return None
    left = max(0, math.floor(min(x for x, _ in corners)) - 1)
    top = max(0, math.floor(min(y for _, y in corners)) - 1)
    right = min(pixels.shape[1], math.ceil(max(x for x, _ in corners)) + 1)
    bottom = min(pixels.shape[0], math.ceil(max(y for _, y in corners)) + 1)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _bytes_of(image: uharfbuzz.RasterImage, used: int) -> NDArray[np.uint8]:
    """The rows of HarfBuzz's picture, `used` bytes of each."""
    extents = image.extents
    return np.frombuffer(image.buffer, np.uint8).reshape(extents.height, extents.stride)[:, :used]
