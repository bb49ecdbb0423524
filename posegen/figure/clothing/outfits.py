"""The garments of each value of the avatar attribute `clothing`, and their cuts."""

from __future__ import annotations

from dataclasses import dataclass

from posegen.figure.clothing.cuts import Skirt, Top, Trousers
from posegen.figure.clothing.shoes import Shoe


@dataclass(frozen=True)
class Outfit:
    """The garments of one value of the attribute `clothing`. `under`: the top that is visible in the neckline of a
    jacket; `coat`: the part of a jacket or coat below the waist; `collar`, `hood`: whether the top has one.
    """

    top: Top
    lower: Trousers | Skirt
    shoes: Shoe
    under: Top | None = None
    coat: Skirt | None = None
    collar: bool = False
    hood: bool = False


_SNEAKER = Shoe()
_LOAFER = Shoe(sole=0.015, welt=0.003, low=0.016, slim=0.95)
_FLAT = Shoe(sole=0.009, welt=0.001, low=0.030, slim=0.90)
_BOOT = Shoe(sole=0.020, welt=0.003, shaft=1.72, slim=0.96)
_UNDER = Top(
    hem=0.10, ease=(0.001, 0.003, 0.004, 0.004), neck=(0.540, 0.515), sleeve=None, folds=0.0, collar=0.008, drape=1.0
)
_SLIM = Trousers(ease=(0.006, 0.007, 0.010, 0.013))
_STRAIGHT = Trousers(ease=(0.006, 0.009, 0.014, 0.019), folds=0.003)

OUTFITS: dict[str, Outfit] = {
    "t_shirt_and_jeans": Outfit(Top(), _SLIM, _SNEAKER),
    "shirt_and_chinos": Outfit(
        Top(hem=0.090, ease=(0.003, 0.010, 0.012, 0.000), sleeve=1.94, cuff=0.13, sleeve_ease=(0.006, 0.012, 0.013)),
        Trousers(ease=(0.007, 0.009, 0.012, 0.016)),
        _LOAFER,
        collar=True,
    ),
    "hoodie_and_joggers": Outfit(
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
    "sweater_and_trousers": Outfit(
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
    "suit": Outfit(
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
    "sportswear": Outfit(
        Top(
            hem=0.0,
            ease=(0.002, 0.003, 0.007, 0.013),
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
    "blouse_and_skirt": Outfit(
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
    "summer_dress": Outfit(
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
    "long_dress": Outfit(
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
    "long_coat": Outfit(
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
        Trousers(start=0.45),
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
}
