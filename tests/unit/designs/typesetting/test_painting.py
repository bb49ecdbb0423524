"""Drawing text: in its colour, in its place, at any scale, and emoji in their own colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from posegen.designs.typesetting.fonts import FONTS
from posegen.designs.typesetting.layout import set_in_box
from posegen.designs.typesetting.painting import Transform, paint_text
from posegen.images.pixels import Pixels

BOLD = FONTS["noto-sans-bold"]
GROUND, INK = (250, 240, 220), (20, 40, 160)


def painted(text: str, side: int = 200, *, scale: float = 1.0, opacity: float = 1.0) -> Pixels:
    pixels = np.full((side, side, 3), GROUND, np.uint8)
    laid_out = set_in_box(text, BOLD, 200, 200)
    paint_text(pixels, laid_out.glyphs, laid_out.size, Transform.scaled(scale), INK, opacity=opacity)
    return pixels


def touched(pixels: Pixels) -> np.ndarray:
    return (pixels != GROUND).any(axis=-1)


def test_letters_have_the_ink_and_the_rest_keeps_the_ground() -> None:
    pixels = painted("I")
    shares = touched(pixels)

    assert 0.05 < shares.mean() < 0.6
    assert (pixels[100, 100] == INK).all()
    assert (pixels[:, :20][~shares[:, :20]] == GROUND).all()


def test_what_is_painted_is_just_what_the_layout_says() -> None:
    rows, columns = np.nonzero(touched(painted("Hg")))
    left, top, right, bottom = set_in_box("Hg", BOLD, 200, 200).ink

    assert columns.min() == pytest.approx(left, abs=1.01)
    assert columns.max() + 1 == pytest.approx(right, abs=1.01)
    assert rows.min() == pytest.approx(top, abs=1.01)
    assert rows.max() + 1 == pytest.approx(bottom, abs=1.01)


@pytest.mark.parametrize("text", ["Hä", "ไป", "中", "بسم", "🎂"])
def test_a_larger_picture_is_the_same_drawn_finer(text: str) -> None:
    small = painted(text).astype(float)
    large = Image.fromarray(painted(text, 800, scale=4.0)).resize((200, 200), Image.Resampling.BOX)

    assert np.abs(np.asarray(large, float) - small).mean() < 0.8


def test_emoji_have_their_own_colours() -> None:
    heart = painted("❤️")[touched(painted("❤️"))].astype(int)

    assert (heart[:, 0] > heart[:, 2] + 60).mean() > 0.8


def test_half_opaque_ink_lets_half_of_the_ground_through() -> None:
    assert np.abs(painted("I", opacity=0.5)[100, 100].astype(float) - (np.array(GROUND) + INK) / 2).max() <= 1


def test_letters_that_overlap_show_no_seam() -> None:
    overlapping = painted("x\u0336x\u0336", opacity=0.5)
    darkest = overlapping.reshape(-1, 3).min(axis=0)

    assert np.abs(darkest - (np.array(GROUND) + INK) / 2).max() <= 1


def test_what_lies_beyond_the_picture_is_cut_off() -> None:
    pixels = np.full((60, 60, 3), GROUND, np.uint8)
    laid_out = set_in_box("WWW 🎂", BOLD, 200, 200)

    paint_text(pixels, laid_out.glyphs, laid_out.size, Transform.turned(1.0, 30, 30, 30), INK)
    paint_text(pixels, laid_out.glyphs, laid_out.size, Transform.scaled(1.0, 500, 500), INK)

    assert pixels.shape == (60, 60, 3)
    assert touched(pixels).any()


def test_turned_text_rises_to_the_right() -> None:
    pixels = np.full((300, 300, 3), GROUND, np.uint8)
    laid_out = set_in_box("————", BOLD, 200, 40)
    paint_text(pixels, laid_out.glyphs, laid_out.size, Transform.turned(1.0, 30, 50, 200), INK)
    rows, columns = np.nonzero(touched(pixels))

    assert np.polyfit(columns, rows, 1)[0] == pytest.approx(-np.tan(np.radians(30)), abs=0.05)


def test_the_same_text_gives_the_same_pixels() -> None:
    assert (painted("Same 🎂 中") == painted("Same 🎂 中")).all()
