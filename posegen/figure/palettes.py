"""The colours of each avatar style."""

from __future__ import annotations

from dataclasses import dataclass

from posegen.figure.rendering.light import Colour
from posegen.figure.rendering.looks import linear


@dataclass(frozen=True)
class Palette:
    """The linear colours of a style. `accent`: of prints, trims and props."""

    top: Colour
    bottom: Colour
    denim: Colour
    dress: Colour
    suit: Colour
    shoes: Colour
    accent: Colour


PALETTES = {
    "minimal": Palette(
        linear(226, 221, 212), linear(124, 118, 110), linear(96, 110, 130), linear(202, 190, 174),
        linear(118, 114, 110), linear(240, 238, 234), linear(160, 148, 134),
    ),
    "classic": Palette(
        linear(240, 238, 233), linear(186, 160, 122), linear(62, 86, 124), linear(150, 38, 56),
        linear(40, 50, 76), linear(244, 243, 240), linear(152, 42, 50),
    ),
    "street": Palette(
        linear(50, 50, 54), linear(92, 94, 74), linear(104, 116, 134), linear(44, 44, 50),
        linear(70, 70, 76), linear(238, 238, 236), linear(240, 112, 44),
    ),
    "vivid": Palette(
        linear(244, 190, 48), linear(30, 122, 124), linear(44, 88, 164), linear(222, 50, 106),
        linear(34, 88, 156), linear(240, 78, 66), linear(232, 68, 92),
    ),
    "pastel": Palette(
        linear(248, 202, 206), linear(210, 198, 226), linear(160, 188, 214), linear(184, 214, 204),
        linear(168, 186, 212), linear(250, 245, 238), linear(252, 228, 170),
    ),
    "earthy": Palette(
        linear(184, 112, 74), linear(124, 106, 76), linear(94, 98, 106), linear(136, 92, 62),
        linear(118, 94, 74), linear(122, 80, 54), linear(202, 152, 72),
    ),
    "monochrome": Palette(
        linear(228, 228, 228), linear(58, 58, 60), linear(62, 62, 66), linear(56, 56, 58),
        linear(46, 46, 48), linear(40, 40, 42), linear(132, 132, 134),
    ),
}  # fmt: skip
