"""The colours of an avatar's skin, hair and face."""

from __future__ import annotations

from posegen.figure.body.face import Complexion
from posegen.figure.rendering.light import Colour
from posegen.figure.rendering.looks import Look, blend, linear, tint
from posegen.poses.avatar import Avatar

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


def hair_colour(avatar: Avatar) -> Colour:
    """Linear colour of the hair, greyer with age."""
    colour = _HAIR[avatar.hair.rsplit("_", 1)[-1]]
    return blend(colour, _GREY, {"middle_aged": 0.10, "senior": 0.72}.get(avatar.age_group, 0.0))


def complexion(avatar: Avatar) -> Complexion:
    """The colours that are painted on an avatar's face."""
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
    """A look of skin. Light scatters within skin, red light the farthest, so red wraps around shapes the most."""
    light = min(colour[0] / 0.6, 1.0)
    wrap = (0.30, 0.16 + 0.04 * light, 0.12)
    return Look(colour, wrap=wrap, gloss=0.045 + 0.03 * (1 - light), glint=0.02 + 0.05 * (1 - light), sheen=0.06)


def hair_look(colour: Colour) -> Look:
    light = min(max(colour) / 0.4, 1.0)  # the highlight of fair hair would make dark hair look grey
    return Look(colour, gloss=0.035 + 0.075 * light, glint=0.015 + 0.04 * light, sheen=0.04 + 0.05 * light)
