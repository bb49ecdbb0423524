"""What the clothing of an avatar consists of: which garments, how they are cut, and their colours and details."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from posegen.backends.mannequin import details
from posegen.backends.mannequin.garments import Skirt, Top, Trousers
from posegen.backends.mannequin.light import Colour
from posegen.backends.mannequin.looks import Look, Paint, Palette, blend, linear, tint
from posegen.backends.mannequin.parts import Surface
from posegen.backends.mannequin.shoes import Shoe
from posegen.poses.avatar import Avatar


@dataclass(frozen=True)
class Outfit:
    """The garments of one value of the attribute `clothing`. `under`: what shows in the neckline of a jacket;
    `coat`: the part of a coat below the waist; `collar`, `hood`: whether the top has one; `legs`: the look of legs that
    are not covered.
    """

    top: Top
    lower: Trousers | Skirt
    shoes: Shoe
    under: Top | None = None
    coat: Skirt | None = None
    collar: bool = False
    hood: bool = False
    legs: int = Surface.SKIN


@dataclass(frozen=True)
class Colours:
    """A palette together with the colours that clothes must know of. `scale`, `torso`: of the body's build."""

    palette: Palette
    skin: Colour
    style: str
    masculine: bool
    scale: float
    torso: float


@dataclass(frozen=True)
class _Wear:
    """An outfit and the looks that it gives to the surfaces of clothes."""

    outfit: Outfit
    looks: Callable[[Colours], dict[int, Look]] = field(repr=False)


_SNEAKER = Shoe()
_LOAFER = Shoe(sole=0.015, welt=0.003, low=0.016, slim=0.95)
_FLAT = Shoe(sole=0.009, welt=0.001, low=0.030, slim=0.90)
_BOOT = Shoe(sole=0.020, welt=0.003, shaft=1.72, slim=0.96)
_UNDER = Top(
    hem=0.10, ease=(0.001, 0.003, 0.004, 0.004), neck=(0.540, 0.515), sleeve=None, folds=0.0, collar=0.008, drape=1.0
)
_BROWN = linear(104, 68, 46)
_BLACK = linear(44, 42, 44)
_WHITE = linear(246, 245, 242)


def _shoe_looks(colours: Colours, kind: str) -> dict[int, Look]:
    palette = colours.palette
    dark = _BROWN if colours.style in ("classic", "earthy") else _BLACK
    soles = {"sneaker": Look(_WHITE), "flat": Look(linear(70, 58, 50))}
    uppers = {
        "sneaker": Look(palette.shoes, paint=details.sneaker(palette.accent, tint(_WHITE, 0.96))),
        "leather": Look(dark, gloss=0.14, glint=0.14, paint=details.dress_shoe()),
        "flat": Look(
            blend(palette.accent, _BLACK, 0.35), gloss=0.10, glint=0.06, paint=details.ballerina(colours.skin)
        ),
        "boot": Look(dark, gloss=0.12, glint=0.10),
    }
    return {Surface.SHOE: uppers[kind], Surface.SOLE: soles.get(kind, Look(linear(46, 40, 38)))}


def _top(
    colours: Colours, colour: Colour, *paint: Paint | None, trim: Colour | None = None, knit: bool = False
) -> dict[int, Look]:
    edge = trim or tint(colour, 0.90)

    def scaled(*layers: Paint | None) -> Paint | None:
        return details.scaled(colours.scale, colours.torso, *layers)

    return {
        Surface.TOP: Look(colour, sheen=0.16 if knit else 0.10, paint=scaled(*paint)),
        Surface.TOP_TRIM: Look(edge, sheen=0.16 if knit else 0.10, paint=scaled(details.rib() if knit else None)),
        Surface.LINING: Look(tint(colour, 0.45)),
    }


def _lower(
    colours: Colours, colour: Colour, *paint: Paint | None, trim: Colour | None = None, band: Paint | None = None
) -> dict[int, Look]:
    def scaled(*layers: Paint | None) -> Paint | None:
        return details.scaled(colours.scale, colours.torso, *layers)

    return {
        Surface.BOTTOM: Look(colour, paint=scaled(*paint)),
        Surface.BOTTOM_TRIM: Look(trim or tint(colour, 0.92), paint=scaled(band)),
    }


def _skirt(colour: Colour, paint: Paint | None = None) -> dict[int, Look]:
    return {Surface.SKIRT: Look(colour, paint=paint), Surface.SKIRT_LINING: Look(tint(colour, 0.5))}


def _jeans(colours: Colours) -> dict[int, Look]:
    denim = colours.palette.denim
    thread = blend(denim, linear(226, 178, 112), 0.65)
    seams = details.jeans(thread, 0.105)
    return _lower(colours, denim, seams, details.weave(0.10), band=seams)


def _chinos(colours: Colours, colour: Colour | None = None) -> dict[int, Look]:
    colour = colour or colours.palette.bottom
    leather = _BROWN if colours.style in ("classic", "earthy") else _BLACK
    band = details.belt(leather, linear(200, 180, 130), 0.105)
    return _lower(colours, colour, details.tailored(0.105), details.weave(0.03), band=band)


def _t_shirt(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    prints = {
        "street": details.emblem(palette.accent, _WHITE),
        "vivid": details.emblem(palette.accent, linear(252, 244, 220)),
        "monochrome": details.stripes(linear(70, 70, 72)),
        "earthy": details.emblem(linear(240, 214, 170), linear(96, 66, 48)),
    }
    seams = details.hem_line((0.0,))
    top = _top(colours, palette.top, prints.get(colours.style), seams, details.weave(0.02))
    return top | _jeans(colours) | _shoe_looks(colours, "sneaker")


def _shirt(colours: Colours) -> dict[int, Look]:
    shirts = {"classic": linear(170, 198, 228), "minimal": linear(240, 238, 234), "monochrome": linear(234, 234, 234)}
    colour = shirts.get(colours.style, blend(colours.palette.top, _WHITE, 0.35))
    front = details.buttons(tint(_WHITE, 0.92), 0.13, 0.50, 0.085)
    top = _top(colours, colour, front, details.patch((0.075, 0.345), (0.072, 0.080), both=False), details.weave(0.02))
    return top | _chinos(colours) | _shoe_looks(colours, "leather")


def _hoodie(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    colour = linear(176, 178, 184) if colours.style in ("classic", "minimal") else palette.top
    strings = details.hood_strings(tint(_WHITE, 0.95))
    top = _top(colours, colour, strings, details.weave(0.05), knit=True)
    joggers = tint(blend(palette.bottom, linear(60, 62, 68), 0.6), 0.9)
    lower = _lower(colours, joggers, details.side_stripe(palette.accent), details.weave(0.03), band=details.rib())
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
        details.lapels(0.165, 0.215, 0.060, 0.415),
        details.closing(0.085, 0.155, 2, tint(palette.suit, 0.35)),
        details.flaps(0.005, 0.105),
        details.hem_line((-0.100,), 0.45),
        details.vent(0.02),
        details.patch((0.092, 0.345), (0.070, 0.010), 0.45, both=False),
    )
    top = _top(colours, palette.suit, *front, trim=palette.suit)
    tie = palette.accent if colours.masculine else None
    shirt = details.scaled(colours.scale, colours.torso, details.shirt_front(tie, colours.skin))
    under = {Surface.UNDERSHIRT: Look(_WHITE, paint=shirt)}
    lower = _lower(colours, tint(palette.suit, 0.80), details.tailored(0.105))
    return top | under | lower | _shoe_looks(colours, "leather")


def _sportswear(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    bright = palette.accent if colours.style not in ("minimal", "monochrome") else tint(palette.top, 0.9)
    tank = details.armholes(colours.skin, tint(bright, 0.6))
    top = _top(colours, bright, tank, trim=tint(bright, 0.6))
    dark = blend(linear(46, 48, 56), palette.bottom, 0.18)
    lower = _lower(colours, dark, details.side_stripe(bright), band=None, trim=tint(dark, 1.3))
    return top | lower | _shoe_looks(colours, "sneaker")


def _blouse(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    colour = blend(palette.top, _WHITE, 0.30)
    top = _top(colours, colour, details.buttons(tint(colour, 0.75), 0.13, 0.40, 0.065, 0.012))
    skirt = _skirt(blend(palette.dress, palette.bottom, 0.35), details.weave(0.02))
    return top | skirt | _shoe_looks(colours, "flat")


def _dress_print(colours: Colours) -> Paint | None:
    palette = colours.palette
    if colours.style in ("minimal", "monochrome", "street"):
        return None
    return details.dots(blend(palette.accent, linear(255, 248, 232), 0.72), 0.056, 0.0105)


def _summer_dress(colours: Colours) -> dict[int, Look]:
    colour = colours.palette.dress
    pattern = _dress_print(colours)
    top = _top(colours, colour, pattern, details.straps(colours.skin))
    scaled = details.scaled(colours.scale, 1.0, pattern, details.hem_line((0.122,), 0.4))
    return top | _skirt(colour, scaled) | _shoe_looks(colours, "flat")


def _long_dress(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    colour = blend(palette.dress, palette.suit, 0.25)
    border = blend(palette.accent, linear(236, 214, 164), 0.6)
    top = _top(
        colours, colour, details.hem_line((0.122,), 0.4), details.buttons(border, 0.30, 0.50, 0.040, 0.020), trim=border
    )
    return top | _skirt(colour) | _shoe_looks(colours, "flat")


def _coat(colours: Colours) -> dict[int, Look]:
    palette = colours.palette
    coats = {"classic": linear(196, 160, 114), "minimal": linear(208, 196, 180), "street": linear(74, 76, 66)}
    colour = coats.get(colours.style, blend(palette.suit, palette.accent, 0.25))
    front = (
        details.lapels(0.22, 0.24, 0.075, 0.43),
        details.closing(-0.30, 0.19, 5, tint(colour, 0.35), aside=0.048),
        details.flaps(-0.06, 0.12, 0.11),
        details.weave(0.03),
    )
    top = _top(colours, colour, *front, trim=colour)
    knit = details.scaled(colours.scale, colours.torso, details.rib(0.014, 0.12))
    under = {Surface.UNDERSHIRT: Look(blend(palette.top, _WHITE, 0.3), paint=knit)}
    return top | under | _lower(colours, tint(palette.denim, 0.7)) | _shoe_looks(colours, "boot")


_SLIM = Trousers(ease=(0.006, 0.007, 0.010, 0.013))
_STRAIGHT = Trousers(ease=(0.006, 0.009, 0.014, 0.019), folds=0.003)
_SLEEVES = Top(sleeve=1.94, cuff=0.13, sleeve_ease=(0.006, 0.012, 0.013))

WARDROBE: dict[str, _Wear] = {
    "t_shirt_and_jeans": _Wear(Outfit(Top(), _SLIM, _SNEAKER), _t_shirt),
    "shirt_and_chinos": _Wear(
        Outfit(
            Top(
                hem=0.090, ease=(0.003, 0.010, 0.012, 0.000), sleeve=1.94, cuff=0.13, sleeve_ease=(0.006, 0.012, 0.013)
            ),
            Trousers(ease=(0.007, 0.009, 0.012, 0.016)),
            _LOAFER,
            collar=True,
        ),
        _shirt,
    ),
    "hoodie_and_joggers": _Wear(
        Outfit(
            Top(
                hem=-0.005,
                ease=(0.008, 0.020, 0.034, 0.026),
                neck=(0.545, 0.505),
                collar=0.016,
                sleeve=1.96,
                cuff=0.14,
                sleeve_ease=(0.010, 0.019, 0.022),
                folds=0.007,
                band=0.040,
            ),
            Trousers(ease=(0.010, 0.016, 0.018, 0.020), cuff=0.09, folds=0.006),
            _SNEAKER,
            hood=True,
        ),
        _hoodie,
    ),
    "sweater_and_trousers": _Wear(
        Outfit(
            Top(
                hem=-0.005,
                ease=(0.006, 0.014, 0.024, 0.021),
                neck=(0.566, 0.552),
                collar=0.030,
                sleeve=1.96,
                cuff=0.14,
                sleeve_ease=(0.009, 0.014, 0.016),
                folds=0.005,
                band=0.038,
            ),
            _STRAIGHT,
            _LOAFER,
        ),
        _sweater,
    ),
    "suit": _Wear(
        Outfit(
            Top(
                hem=0.060,
                ease=(0.015, 0.018, 0.018, 0.018),
                neck=(0.530, 0.170),
                pointed=True,
                opening=0.215,
                collar=0.0,
                sleeve=1.93,
                sleeve_ease=(0.010, 0.013, 0.014),
                folds=0.0015,
                drape=1.0,
            ),
            Trousers(ease=(0.008, 0.012, 0.015, 0.019), folds=0.0025, length=2.02),
            _LOAFER,
            under=_UNDER,
            coat=Skirt(waist=0.10, length=0.24, ease=0.021, flare=0.006, pleats=3, folds=0.001),
            collar=True,
        ),
        _suit,
    ),
    "sportswear": _Wear(
        Outfit(
            Top(
                hem=0.0,
                ease=(0.002, 0.003, 0.006, 0.007),
                neck=(0.518, 0.438),
                opening=0.085,
                collar=0.008,
                sleeve=None,
                folds=0.001,
                drape=0.5,
            ),
            Trousers(ease=(0.002, 0.002, 0.002, 0.002), folds=0.001, length=1.86),
            _SNEAKER,
        ),
        _sportswear,
    ),
    "blouse_and_skirt": _Wear(
        Outfit(
            Top(
                hem=0.095,
                ease=(0.003, 0.010, 0.014, 0.000),
                neck=(0.532, 0.440),
                pointed=True,
                opening=0.62,
                collar=0.010,
                sleeve=1.93,
                cuff=0.12,
                sleeve_ease=(0.009, 0.017, 0.022),
                folds=0.004,
            ),
            Skirt(length=0.92, flare=0.055, pleats=10, folds=0.007),
            _FLAT,
        ),
        _blouse,
    ),
    "summer_dress": _Wear(
        Outfit(
            Top(
                hem=0.095,
                ease=(0.001, 0.002, 0.004, 0.006),
                neck=(0.512, 0.470),
                opening=0.11,
                collar=0.0,
                sleeve=None,
                folds=0.0,
                drape=0.35,
            ),
            Skirt(waist=0.128, length=0.86, ease=0.010, flare=0.11, pleats=11, folds=0.014),
            _FLAT,
        ),
        _summer_dress,
    ),
    "long_dress": _Wear(
        Outfit(
            Top(
                hem=0.095,
                ease=(0.004, 0.009, 0.013, 0.010),
                neck=(0.540, 0.512),
                sleeve=1.96,
                sleeve_ease=(0.008, 0.016, 0.030),
                folds=0.004,
            ),
            Skirt(waist=0.128, length=1.92, ease=0.014, flare=0.085, pleats=9, folds=0.013),
            _FLAT,
        ),
        _long_dress,
    ),
    "long_coat": _Wear(
        Outfit(
            Top(
                hem=0.06,
                ease=(0.012, 0.022, 0.024, 0.024),
                neck=(0.530, 0.215),
                pointed=True,
                opening=0.24,
                collar=0.0,
                sleeve=1.96,
                sleeve_ease=(0.013, 0.018, 0.022),
                folds=0.003,
                drape=1.0,
            ),
            _SLIM,
            _BOOT,
            under=Top(
                hem=0.10,
                ease=(0.005, 0.006, 0.006, 0.006),
                neck=(0.566, 0.552),
                collar=0.03,
                sleeve=None,
                folds=0.0,
                drape=1.0,
            ),
            coat=Skirt(waist=0.10, length=1.12, ease=0.026, flare=0.045, pleats=5, folds=0.006),
            collar=False,
        ),
        _coat,
    ),
}


def outfit(avatar: Avatar) -> Outfit:
    """What the avatar wears."""
    return WARDROBE[avatar.clothing].outfit


def clothing_looks(avatar: Avatar, colours: Colours) -> dict[int, Look]:
    """The looks of all surfaces of the avatar's clothes."""
    return WARDROBE[avatar.clothing].looks(colours)
