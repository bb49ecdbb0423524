"""Colours as people write them."""

from __future__ import annotations

import pytest
from PIL import ImageColor

from posegen.designs.typesetting.colours import contrast, hex_of, parse_colour
from posegen.errors import UnknownName


@pytest.mark.parametrize(
    ("written", "colour"),
    [
        ("#f80", (255, 136, 0)),
        ("#FF8800", (255, 136, 0)),
        (" navy ", (0, 0, 128)),
        ("PapayaWhip", (255, 239, 213)),
        ("rebeccapurple", (102, 51, 153)),
    ],
)
def test_a_colour_is_read_in_hex_and_by_its_css_name(written: str, colour: tuple[int, int, int]) -> None:
    assert parse_colour(written) == colour


@pytest.mark.parametrize(
    "written", ["", "blueish", "#ff", "#ff88001", "#ggg", "rgb(1,2,3)", "ff8800", "#ff8800ff", "٣"]
)
def test_anything_else_is_refused_with_what_can_be_written(written: str) -> None:
    with pytest.raises(UnknownName, match="known: #rgb, #rrggbb, the names of CSS"):
        parse_colour(written)


def test_a_colour_is_written_as_it_can_be_read() -> None:
    assert parse_colour(hex_of((1, 20, 255))) == (1, 20, 255)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    assert contrast((9, 9, 9), (9, 9, 9)) == 1


def test_a_name_that_pillow_has_looked_up_before_is_the_same_colour() -> None:
    before = parse_colour("papayawhip")
    ImageColor.getrgb("papayawhip")

    assert parse_colour("papayawhip") == before == (255, 239, 213)
