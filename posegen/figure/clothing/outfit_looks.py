"""Colours and details of each outfit in each style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from posegen.figure.clothing import details, shoe_details, tailoring
from posegen.figure.palettes import Palette
from posegen.figure.parts import Surface
from posegen.figure.rendering.light import Colour
from posegen.figure.rendering.looks import Look, Paint, blend, linear, tint
from posegen.poses.avatar import Avatar


@dataclass(frozen=True)
class Colours:
    """What the looks of clothes depend on. `scale`, `torso`: of the body's build."""

    palette: Palette
    skin: Colour
    style: str
    masculine: bool
    scale: float
    torso: float

    def scaled(self, *layers: Paint | None) -> Paint | None:
        """One paint that applies several in turn, in the body's size."""
        return details.scaled(self.scale, self.torso, *layers)


_BROWN = linear(104, 68, 46)
_BLACK = linear(44, 42, 44)
_WHITE = linear(246, 245, 242)


def _shoe_looks(colours: Colours, kind: str) -> dict[int, Look]:
    palette = colours.palette
    dark = _BROWN if colours.style in ("classic", "earthy") else _BLACK
    soles = {"sneaker": Look(_WHITE), "flat": Look(linear(70, 58, 50))}
    uppers = {
        "sneaker": Look(palette.shoes, paint=shoe_details.sneaker(palette.accent, tint(_WHITE, 0.96))),
        "leather": Look(dark, gloss=0.14, glint=0.14, paint=shoe_details.dress_shoe()),
        "flat": Look(
            blend(palette.accent, _BLACK, 0.35), gloss=0.10, glint=0.06, paint=shoe_details.ballerina(colours.skin)
        ),
        "boot": Look(dark, gloss=0.12, glint=0.10),
    }
    return {Surface.SHOE: uppers[kind], Surface.SOLE: soles.get(kind, Look(linear(46, 40, 38)))}


def _top(
    colours: Colours, colour: Colour, *paint: Paint | None, trim: Colour | None = None, knit: bool = False
) -> dict[int, Look]:
    edge = trim or tint(colour, 0.90)
    return {
        Surface.TOP: Look(colour, sheen=0.16 if knit else 0.10, paint=colours.scaled(*paint)),
        Surface.TOP_TRIM: Look(
            edge, sheen=0.16 if knit else 0.10, paint=colours.scaled(details.rib() if knit else None)
        ),
        Surface.LINING: Look(tint(colour, 0.45)),
    }


def _lower(
    colours: Colours, colour: Colour, *paint: Paint | None, trim: Colour | None = None, band: Paint | None = None
) -> dict[int, Look]:
    return {
        Surface.BOTTOM: Look(colour, paint=colours.scaled(*paint)),
        Surface.BOTTOM_TRIM: Look(trim or tint(colour, 0.92), paint=colours.scaled(band)),
    }


def _skirt(colour: Colour, paint: Paint | None = None) -> dict[int, Look]:
    return {Surface.SKIRT: Look(colour, paint=paint), Surface.SKIRT_LINING: Look(tint(colour, 0.5))}


def _jeans(colours: Colours) -> dict[int, Look]:
    denim = colours.palette.denim
    thread = blend(denim, linear(226, 178, 112), 0.65)
    seams = tailoring.denim_seams(thread)
    paint = (tailoring.worn_denim(), seams, tailoring.outer_seams(), details.weave())
    return _lower(colours, denim, *paint, band=seams)


def _chinos(colours: Colours) -> dict[int, Look]:
    leather = _BROWN if colours.style in ("classic", "earthy") else _BLACK
    band = tailoring.belt(leather, linear(200, 180, 130))
    creases = tailoring.pressed_crease(), tailoring.tailored_waist()
    return _lower(colours, colours.palette.bottom, *creases, band=band)


def _t_shirt(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    prints = {
        "street": details.emblem(palette.accent, _WHITE),
        "vivid": details.emblem(palette.accent, linear(252, 244, 220)),
        "monochrome": details.stripes(linear(70, 70, 72)),
        "earthy": details.emblem(linear(240, 214, 170), linear(96, 66, 48)),
    }
    seams = details.hem_line((0.0,))
    top = _top(colours, palette.top, prints.get(colours.style), seams)
    return top | _jeans(colours) | _shoe_looks(colours, "sneaker")


def _shirt(colours: Colours) -> dict[int, Look]:
    shirts = {"classic": linear(170, 198, 228), "minimal": linear(240, 238, 234), "monochrome": linear(234, 234, 234)}
    colour = shirts.get(colours.style, blend(colours.palette.top, _WHITE, 0.35))
    front = tailoring.buttons(tint(_WHITE, 0.92), 0.13, 0.50, 0.085)
    top = _top(colours, colour, front, tailoring.patch((0.075, 0.345), (0.072, 0.080)))
    return top | _chinos(colours) | _shoe_looks(colours, "leather")


def _hoodie(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    colour = linear(176, 178, 184) if colours.style in ("classic", "minimal") else palette.top
    strings = tailoring.hood_strings(tint(_WHITE, 0.95))
    top = _top(colours, colour, strings, knit=True)
    joggers = tint(blend(palette.bottom, linear(60, 62, 68), 0.6), 0.9)
    lower = _lower(colours, joggers, tailoring.side_stripe(palette.accent), band=details.rib())
    return top | lower | _shoe_looks(colours, "sneaker")


def _sweater(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    colour = blend(palette.accent, palette.top, 0.25)
    knit = details.rib(0.016, 0.10)
    bands = (
        details.stripes(tint(palette.top, 0.95), 0.062, 0.32, 0.24) if colours.style in ("classic", "vivid") else None
    )
    top = _top(colours, colour, knit, bands, knit=True)
    return top | _chinos(colours) | _shoe_looks(colours, "leather")


def _suit(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    front = (
        tailoring.lapels(0.165, 0.215, 0.060, 0.415),
        tailoring.closing(0.085, 0.155, 2, tint(palette.suit, 0.35)),
        tailoring.flaps(0.005, 0.105),
        details.hem_line((-0.100,), 0.45),
        tailoring.vent(),
        tailoring.patch((0.092, 0.345), (0.070, 0.010), 0.45),
    )
    top = _top(colours, palette.suit, *front, trim=palette.suit)
    tie = palette.accent if colours.masculine else None
    shirt = colours.scaled(tailoring.shirt_front(tie, colours.skin))
    under = {Surface.UNDERSHIRT: Look(_WHITE, paint=shirt)}
    lower = _lower(colours, tint(palette.suit, 0.80), tailoring.pressed_crease(), tailoring.tailored_waist())
    return top | under | lower | _shoe_looks(colours, "leather")


def _sportswear(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    bright = palette.accent if colours.style not in ("minimal", "monochrome") else tint(palette.top, 0.9)
    tank = tailoring.armholes(colours.skin, tint(bright, 0.6))
    top = _top(colours, bright, tank, trim=tint(bright, 0.6))
    dark = blend(linear(46, 48, 56), palette.bottom, 0.18)
    lower = _lower(colours, dark, tailoring.side_stripe(bright), band=None, trim=tint(dark, 1.3))
    return top | lower | _shoe_looks(colours, "sneaker")


def _blouse(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    colour = blend(palette.top, _WHITE, 0.30)
    top = _top(colours, colour, tailoring.buttons(tint(colour, 0.75), 0.13, 0.40, 0.065, 0.012))
    skirt = _skirt(blend(palette.dress, palette.bottom, 0.35))
    return top | skirt | _shoe_looks(colours, "flat")


def _dress_print(colours: Colours) -> Paint | None:
    palette = colours.palette
    if colours.style in ("minimal", "monochrome", "street"):
        return None
    return details.dots(blend(palette.accent, linear(255, 248, 232), 0.72))


def _summer_dress(colours: Colours) -> dict[int, Look]:
    colour = colours.palette.dress
    pattern = _dress_print(colours)
    top = _top(colours, colour, pattern, tailoring.straps(colours.skin))
    scaled = details.scaled(colours.scale, 1.0, pattern, details.hem_line((0.122,), 0.4))
    return top | _skirt(colour, scaled) | _shoe_looks(colours, "flat")


def _long_dress(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    colour = blend(palette.dress, palette.suit, 0.25)
    border = blend(palette.accent, linear(236, 214, 164), 0.6)
    top = _top(
        colours,
        colour,
        details.hem_line((0.122,), 0.4),
        tailoring.buttons(border, 0.30, 0.50, 0.040, 0.020),
        trim=border,
    )
    return top | _skirt(colour) | _shoe_looks(colours, "flat")


def _coat(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    coats = {"classic": linear(196, 160, 114), "minimal": linear(208, 196, 180), "street": linear(74, 76, 66)}
    colour = coats.get(colours.style, blend(palette.suit, palette.accent, 0.25))
    front = (
        tailoring.lapels(0.22, 0.24, 0.075, 0.43),
        tailoring.closing(-0.30, 0.19, 5, tint(colour, 0.35), aside=0.048),
        tailoring.flaps(-0.06, 0.12, 0.11),
    )
    top = _top(colours, colour, *front, trim=colour)
    knit = colours.scaled(details.rib(0.014, 0.12))
    under = {Surface.UNDERSHIRT: Look(blend(palette.top, _WHITE, 0.3), paint=knit)}
    return top | under | _lower(colours, tint(palette.denim, 0.7)) | _shoe_looks(colours, "boot")


_LOOKS: dict[str, Callable[[Colours], dict[int, Look]]] = {
    "t_shirt_and_jeans": _t_shirt,
    "shirt_and_chinos": _shirt,
    "hoodie_and_joggers": _hoodie,
    "sweater_and_trousers": _sweater,
    "suit": _suit,
    "sportswear": _sportswear,
    "blouse_and_skirt": _blouse,
    "summer_dress": _summer_dress,
    "long_dress": _long_dress,
    "long_coat": _coat,
}


def clothing_looks(avatar: Avatar, colours: Colours) -> dict[int, Look]:
    """The look of each surface of the avatar's clothes, by surface number."""
    return _LOOKS[avatar.clothing](colours)
