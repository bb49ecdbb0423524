"""Colours and materials: what skin, hair, clothes and style of an avatar look like under light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from posegen.figure.face import Complexion
from posegen.figure.geometry import Floats
from posegen.figure.light import Colour
from posegen.poses.avatar import Avatar

Paint = Callable[[Floats, Floats, Floats, Floats], None]
"""Changes linear colours (3, N) in place, given the places x, y, z at rest of the N points, metres."""


@dataclass(frozen=True)
class Look:
    """A material. `colour`: linear; `wrap`: how far light reaches around, for red, green and blue; `gloss` and `glint`:
    broad and sharp highlights; `sheen`: brightness of the grazing edge, as of cloth.
    """

    colour: Colour
    wrap: Colour = (0.12, 0.12, 0.12)
    gloss: float = 0.03
    glint: float = 0.0
    sheen: float = 0.10
    paint: Paint | None = None


def linear(red: float, green: float, blue: float) -> Colour:
    """A colour of the screen, 0 to 255, as the amount of light; the inverse of `shading.to_screen`."""
    return ((red / 255) ** 2, (green / 255) ** 2, (blue / 255) ** 2)


def tint(colour: Colour, factor: float) -> Colour:
    """The colour, darker or lighter."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """Between two colours; `share` of the other."""
    return tuple(a + (b - a) * share for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


SKIN = {
    "porcelain": linear(248, 222, 208),
    "fair": linear(242, 206, 184),
    "beige": linear(229, 185, 156),
    "olive": linear(206, 164, 126),
    "tan": linear(190, 140, 104),
    "brown": linear(150, 102, 74),
    "deep": linear(112, 73, 54),
    "ebony": linear(80, 53, 43),
}
_HAIR = {
    "black": linear(38, 32, 32),
    "brown": linear(88, 58, 40),
    "blonde": linear(206, 168, 108),
    "auburn": linear(134, 62, 36),
    "shaved": linear(46, 38, 36),
    "hijab": linear(48, 38, 34),
}
_GREY = linear(196, 194, 192)


@dataclass(frozen=True)
class Palette:
    """The colours of a style, linear: of tops, trousers, denim, dresses, suits, shoes, and what sets an accent."""

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


def hair_colour(avatar: Avatar) -> Colour:
    """Linear; it greys with age."""
    colour = _HAIR[avatar.hair.rsplit("_", 1)[-1]]
    return blend(colour, _GREY, {"middle_aged": 0.10, "senior": 0.72}.get(avatar.age_group, 0.0))


def complexion(avatar: Avatar) -> Complexion:
    """The face of an avatar, as far as it is painted."""
    skin = SKIN[avatar.skin]
    light = min(skin[0] / 0.6, 1.0)
    feminine = {"feminine": 1.0, "androgynous": 0.5, "masculine": 0.0}[avatar.gender_expression]
    natural = blend(tint(skin, 0.60), linear(176, 88, 84), 0.30 + 0.12 * light)
    made_up = blend(tint(skin, 0.55), linear(196, 62, 70), 0.55)
    grown = 0.0 if avatar.age_group in ("child", "teen") else 1.0
    return Complexion(
        skin=skin,
        lips=blend(natural, made_up, 0.8 * feminine * grown),
        blush=blend(skin, linear(232, 110, 92), 0.34 * light + 0.10),
        hair=blend(hair_colour(avatar), linear(48, 38, 34), 0.45),
        iris=_iris(avatar),
        lashes=0.35 + 0.75 * feminine,
        brow=1.22 - 0.30 * feminine,
        stubble=(1 - feminine) * grown * (0.6 if avatar.gender_expression == "masculine" else 0.0),
        lines={"middle_aged": 0.35, "senior": 1.0}.get(avatar.age_group, 0.0),
    )


def _iris(avatar: Avatar) -> Colour:
    if avatar.skin in ("porcelain", "fair", "beige"):
        return {
            "blonde": linear(92, 132, 168),
            "auburn": linear(96, 134, 92),
            "brown": linear(126, 88, 52),
        }.get(avatar.hair.rsplit("_", 1)[-1], linear(92, 60, 38))
    return linear(84, 52, 34)


def skin_look(colour: Colour) -> Look:
    """Light goes some way into skin, red the farthest."""
    light = min(colour[0] / 0.6, 1.0)
    wrap = (0.30, 0.16 + 0.04 * light, 0.12)
    return Look(colour, wrap=wrap, gloss=0.045 + 0.03 * (1 - light), glint=0.02 + 0.05 * (1 - light), sheen=0.06)


def hair_look(colour: Colour) -> Look:
    light = min(max(colour) / 0.4, 1.0)  # dark hair would seem grey under the highlight of fair hair
    return Look(colour, gloss=0.035 + 0.075 * light, glint=0.015 + 0.04 * light, sheen=0.04 + 0.05 * light)


def cloth(colour: Colour, **changes: object) -> Look:
    """Woven cloth of this colour."""
    return replace(Look(colour), **changes)  # type: ignore[arg-type]
