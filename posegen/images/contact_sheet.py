"""Contact sheets: many pictures on one, each with its label, for people to look at."""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from posegen.graphemes import shorten
from posegen.images.framing import Size, place
from posegen.images.headers import read_header
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.resampling import draw_picture
from posegen.images.validation import open_image

_PAPER, _PLATE, _RULE = "#ffffff", "#f1f1ee", "#dcdcd7"
_INK, _SOFT_INK = "#1f2328", "#6b7078"
_LONGEST_TEXT = 300  # characters; far more than fits, and little enough to measure
_SPELLED = str.maketrans(
    {"×": "x", "–": "-", "—": "-", "−": "-", "→": "->", "·": "-", "…": "...", "ß": "ss", "ø": "o", "Ø": "O"}
)


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet. `image`: PNG, JPEG or WebP bytes, pixels, or None for an empty plate.

    `label`: the line below it; `detail`: a second, softer line. Text that does not fit ends in an ellipsis;
    letters outside basic Latin lose their accents or, in another script, become question marks.
    """

    image: bytes | Pixels | None
    label: str = ""
    detail: str = ""


@dataclass(frozen=True)
class _Layout:
    """Lengths in pixels; `plate`: width and height of the field that a picture lies in."""

    width: int
    columns: int
    margin: int
    gap: int
    plate: Size
    line: int
    lines: int
    text_size: int
    heading: int

    @property
    def cell_height(self) -> int:
        return self.plate[1] + (self.line * self.lines + self.line // 2 if self.lines else 0)

    def height(self, tiles: int) -> int:
        rows = max(1, math.ceil(tiles / self.columns))
        return self.heading + 2 * self.margin + rows * self.cell_height + (rows - 1) * self.gap

    def corner(self, index: int) -> tuple[int, int]:
        row, column = divmod(index, self.columns)
        x = self.margin + column * (self.plate[0] + self.gap)
        return x, self.heading + self.margin + row * (self.cell_height + self.gap)


def contact_sheet(
    tiles: Sequence[Tile], *, width: int = 1280, columns: int | None = None, title: str = ""
) -> Image.Image:
    """All `tiles`, row by row, on a sheet that is exactly `width` pixels wide; its height follows.

    Without `columns` the sheet is about as wide as it is high, with tiles that can still be recognised. Pictures
    of one shape get fields of that shape, mixed ones are letterboxed in squares. Raises `ImageInvalid`.
    """
    layout = _lay_out(tiles, width, columns, title)
    sheet = Image.new("RGB", (width, layout.height(len(tiles))), _PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        font = ImageFont.load_default(layout.text_size * 1.6)
        text = _fitted(title, font, width - 2 * layout.margin)
        draw.text((layout.margin, layout.margin), text, _INK, font, anchor="lt")
    for index, tile in enumerate(tiles):
        x, y = layout.corner(index)
        sheet.paste(_plate(tile, layout.plate), (x, y))
        _write(draw, tile, (x, y + layout.plate[1] + layout.line // 2), layout)
    return sheet


def encode_sheet(sheet: Image.Image, kind: Literal["png", "jpeg"] = "png") -> EncodedImage:
    """The sheet as a file: PNG keeps text and flat colours crisp, JPEG is smaller where photographs fill it."""
    encoded = io.BytesIO()
    if kind == "png":
        sheet.save(encoded, "PNG", compress_level=6)
    else:
        sheet.save(encoded, "JPEG", quality=88, subsampling="4:4:4", optimize=True)
    return EncodedImage(encoded.getvalue(), sheet.width, sheet.height, f"image/{kind}")


def _lay_out(tiles: Sequence[Tile], width: int, columns: int | None, title: str) -> _Layout:
    across = columns or _columns(len(tiles), width)
    margin = max(10, width // 56)
    gap = max(8, width // 80)
    plate_width = (width - 2 * margin - (across - 1) * gap) // across
    text_size = min(max(round(plate_width * 0.065), 11), 22)
    lines = max((bool(tile.label) + bool(tile.detail) for tile in tiles), default=0)
    return _Layout(
        width=width,
        columns=across,
        margin=margin,
        gap=gap,
        plate=(plate_width, round(plate_width / _aspect(tiles))),
        line=round(text_size * 1.35),
        lines=lines,
        text_size=text_size,
        heading=round(text_size * 1.6) + margin if title else 0,
    )


def _columns(tiles: int, width: int) -> int:
    widest = max(1, width // 140)  # below this a face in a full figure is lost
    return min(max(1, math.ceil(math.sqrt(tiles))), widest)


def _aspect(tiles: Sequence[Tile]) -> float:
    aspects = [width / height for width, height in (_size(tile.image) for tile in tiles if tile.image is not None)]
    if aspects and max(aspects) / min(aspects) < 1.05:
        return aspects[0]
    return 1.0


def _size(image: bytes | Pixels) -> Size:
    if isinstance(image, bytes):
        header = read_header(image)
        return header.width, header.height
    return image.shape[1], image.shape[0]


def _plate(tile: Tile, size: Size) -> Image.Image:
    plate = Image.new("RGB", size, _PLATE)
    draw = ImageDraw.Draw(plate)
    if tile.image is None:
        middle = size[0] // 2, size[1] // 2
        draw.text(middle, "no picture", _SOFT_INK, ImageFont.load_default(max(11, size[0] * 0.06)), anchor="mm")
    else:
        pixels = open_image(tile.image, at_least=size) if isinstance(tile.image, bytes) else tile.image
        draw_picture(plate, pixels, place((pixels.shape[1], pixels.shape[0]), size, "contain"))
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=_RULE)
    return plate


def _write(draw: ImageDraw.ImageDraw, tile: Tile, corner: tuple[int, int], layout: _Layout) -> None:
    font = ImageFont.load_default(layout.text_size)
    x, y = corner
    for text, ink in ((tile.label, _INK), (tile.detail, _SOFT_INK)):
        if text:
            draw.text((x, y), _fitted(text, font, layout.plate[0]), ink, font, anchor="la")
            y += layout.line


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """One line of at most `width` pixels."""
    line = _drawable(text)
    if font.getlength(line) <= width:
        return line
    fits, too_long = 0, len(line)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if font.getlength(line[:middle].rstrip() + "…") <= width:
            fits = middle
        else:
            too_long = middle
    return line[:fits].rstrip() + "…"


def _drawable(text: str) -> str:
    """`text` on one line, in the characters that Pillow's own font has: an accent is dropped, another script is "?"."""
    letters = unicodedata.normalize("NFKD", shorten(text, _LONGEST_TEXT).translate(_SPELLED))
    known = (c if " " <= c <= "~" else " " if c.isspace() else "?" for c in letters if not unicodedata.combining(c))
    return " ".join("".join(known).split())
