"""Designs: what is refused, what is warned of, and how preview, thumbnail and print come out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from posegen.designs.drawing import (
    LaidOutDesign,
    draw_preview,
    draw_print,
    draw_thumbnail,
    judge_design,
    lay_out,
)
from posegen.designs.products import PRODUCTS
from posegen.designs.typesetting.colours import parse_colour
from posegen.designs.typesetting.fonts import FONTS
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused


@dataclass(frozen=True)
class Request:
    text: str = "Be kind"
    font: str = "noto-sans-bold"
    product_type: str = "sticker"
    size: float | None = None
    text_colour: str | None = "white"
    ground_colour: str | None = "#204060"
    watermark: str | None = None


def laid_out(**asked: object) -> LaidOutDesign:
    return lay_out(judge_design(Request(**asked)))  # type: ignore[arg-type]


def inked(pixels: np.ndarray, ground: str = "#204060") -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is not ground, as fractions of the picture."""
    rows, columns = np.nonzero((pixels != parse_colour(ground)).any(axis=-1))
    height, width = pixels.shape[:2]
    return columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"text": ""}, "The text is empty: write something."),
        ({"text": " \n\t "}, "The text is empty: write something."),
        ({"text": "\u3164\uffa0"}, "The text is empty: write something."),
        ({"text": "x" * 501}, "The text has 501 characters; 500 are the most."),
        ({"text": "\n".join("x" * 41)}, "The text has 41 lines; 40 are the most."),
        ({"text": "ring the bell \x07"}, "The text has the control character U+0007 at 14: remove it."),
        ({"text": "half a pair \ud83d"}, "The text has the control character U+D83D at 12: remove it."),
        ({"text": "private \ue000"}, "The text has the control character U+E000 at 8: remove it."),
        ({"font": "comic-sans"}, "There is no font 'comic-sans'; known: noto-sans, noto-sans-bold, "),
        ({"product_type": "submarine"}, "There is no product type 'submarine'; known: t-shirt, hoodie, "),
        ({"text_colour": "blueish"}, "There is no colour 'blueish'; known: #rgb, #rrggbb, "),
        ({"ground_colour": "#12"}, "There is no colour '#12'; known: #rgb, #rrggbb, "),
        ({"text_colour": "#FFF", "ground_colour": "white"}, "Text and ground have the same colour #ffffff: "),
        ({"size": 0.5}, "The size is 0.5 points; 1 to 2000 can be set."),
        ({"size": float("nan")}, "The size is nan points; 1 to 2000 can be set."),
        ({"watermark": "x" * 61}, "The watermark has 61 characters; 60 are the most."),
        ({"watermark": "a\x00"}, "The watermark has the control character U+0000 at 1: remove it."),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_value_and_the_fix(asked: dict[str, object], reason: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        judge_design(Request(**asked))  # type: ignore[arg-type]

    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert refused.value.detail.startswith(reason)


@pytest.mark.parametrize("text", ["\u200b", "\u2060\u200d", "\ufe0f \u200e"])
def test_a_text_of_which_nothing_can_be_seen_is_refused(text: str) -> None:
    with pytest.raises(RequestRefused, match="Nothing of the text can be seen"):
        laid_out(text=text)


def test_line_ends_of_every_kind_are_one_and_tabs_are_spaces() -> None:
    assert judge_design(Request(" a\r\nb\rc\u2028d\te ")).text == "a\nb\nc\nd e"


def test_a_request_without_colours_has_those_of_its_product() -> None:
    design = judge_design(Request(product_type="mug", text_colour=None, ground_colour=None))

    assert design.ground == parse_colour(PRODUCTS["mug"].ground)
    assert design.ink == parse_colour(PRODUCTS["mug"].ink)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_preview_is_600_by_600_with_the_text_in_the_middle_of_its_ground(product: str) -> None:
    pixels = draw_preview(laid_out(text="HOH\nHOH", product_type=product))
    left, top, right, bottom = inked(pixels)

    assert pixels.shape == (600, 600, 3)
    assert (pixels[0, 0] == parse_colour("#204060")).all()
    assert left + right == pytest.approx(1, abs=0.01)
    assert top + bottom == pytest.approx(1, abs=0.01)
    assert min(left, top) > 0.01


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize(
    "text",
    [
        "Good things take time",
        "مرحبا بالعالم (test) 123",
        "ใจเย็นๆ นะ ทุกอย่างจะดีเอง",
        "天行健，君子以自强不息",
        "👩‍👩‍👧‍👦👍🏽🇮🇩❤️",
        "Very long text. " * 31,
        "W" * 500,
    ],
)
def test_no_text_runs_off_the_edge_in_any_font(font: str, text: str) -> None:
    pixels = draw_preview(laid_out(text=text, font=font, product_type="t-shirt"))
    left, top, right, bottom = inked(pixels)

    assert left >= 0.125 + 0.05  # a T-shirt's print is three quarters as wide as it is high, and has a margin
    assert right <= 0.875 - 0.05
    assert top >= 0.05
    assert bottom <= 0.95


def test_a_thumbnail_is_the_preview_at_200_by_200() -> None:
    preview = draw_preview(laid_out())
    thumbnail = draw_thumbnail(preview)
    reduced = Image.fromarray(preview).resize((200, 200), Image.Resampling.BOX)

    assert thumbnail.shape == (200, 200, 3)
    assert np.abs(thumbnail.astype(float) - np.asarray(reduced, float)).mean() < 1.5


def test_a_print_has_its_real_size_at_300_dpi_with_its_bleed() -> None:
    pixels = draw_print(laid_out(product_type="postcard"))

    assert pixels.shape == (round((105 + 6) / 25.4 * 300), round((148 + 6) / 25.4 * 300), 3)
    assert (pixels[[0, -1], 0] == parse_colour("#204060")).all()


def test_a_print_shows_what_the_preview_shows() -> None:
    design = laid_out(text="Hello 🎂\nไป", product_type="sticker")
    bleed, scale = 2 * 300 / 25.4, 300 / 25.4
    pixels = draw_print(design)
    trimmed = Image.fromarray(pixels).resize(
        (600, 600), Image.Resampling.BOX, box=(bleed, bleed, bleed + 80 * scale, bleed + 80 * scale)
    )

    assert np.abs(np.asarray(trimmed, float) - draw_preview(design).astype(float)).mean() < 0.6


def test_a_size_in_points_is_that_size_on_paper() -> None:
    design = laid_out(text="H", font="noto-sans", size=72)
    _, top, _, bottom = inked(draw_print(design))

    cap_height = 0.714  # of the em, says Noto Sans
    assert design.size == pytest.approx(72)
    assert (bottom - top) * draw_print(design).shape[0] / 300 == pytest.approx(cap_height, abs=0.01)  # inches


def test_a_watermark_lies_over_the_preview_and_never_on_the_print() -> None:
    plain, marked = laid_out(), laid_out(watermark="SAMPLE")
    difference = (draw_preview(plain) != draw_preview(marked)).any(axis=-1)

    assert 0.03 < difference.mean() < 0.4
    for quarter in (difference[:300, :300], difference[:300, 300:], difference[300:, :300], difference[300:, 300:]):
        assert quarter.mean() > 0.02
    assert (draw_print(plain) == draw_print(marked)).all()


@pytest.mark.parametrize(
    ("asked", "warning"),
    [
        ({"text": "a𓀀"}, "No font has '𓀀' (U+13000): a question mark in a lozenge stands there instead."),
        ({"text": "Phở", "font": "lobster"}, "Lobster lacks 'ở' (U+1EDF): the text is set in Noto Serif Bold."),
        ({"text": "far too large", "size": 900}, "The text does not fit at 900 points: it is set at "),
        ({"text": "W" * 200}, "A word was too long for a line of its own and is cut."),
        ({"text": "tiny", "size": 4}, "The text is set at 4.0 points: below 6, print can hardly be read."),
        ({"text_colour": "#214161"}, "#214161 on #204060 has a contrast of 1.0:1 and is hard to read."),
    ],
)
def test_what_is_not_as_it_was_asked_for_is_said(asked: dict[str, object], warning: str) -> None:
    warnings = laid_out(**asked).warnings

    assert any(said.startswith(warning) for said in warnings), warnings


def test_an_ordinary_design_has_no_warning() -> None:
    assert laid_out(text="Good things\ntake time 🌊").warnings == ()


def test_the_same_design_gives_the_same_pixels() -> None:
    first, second = (draw_preview(laid_out(text="Same 🎂 中", watermark="x")) for _ in range(2))
    assert (first == second).all()
