"""How garments are cut: the measures of tops, trousers and skirts. What they make of a body lies in `garments`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Top:
    """Metres at 1.75 m. `hem`: height of its lower edge over the pelvis; `ease`: at neck, chest, waist and hem; `neck`:
    height of the neckline behind and in front; `pointed`: whether that is a V; `opening`: half its width, of a V its
    growth in metres a metre; `collar`: how broad its band is; `sleeve`: station on the arm where sleeves end, None for
    none; `sleeve_ease`: at shoulder, elbow and end; `cuff`: length in stations of what holds the sleeve's end together;
    `folds`: how deep; `drape`: see `physique.torso`; `band`: height of the ribbed hem.
    """

    hem: float = -0.015
    ease: tuple[float, float, float, float] = (0.004, 0.009, 0.022, 0.022)
    neck: tuple[float, float] = (0.534, 0.498)
    pointed: bool = False
    opening: float = 0.080
    collar: float = 0.012
    sleeve: float | None = 0.45
    sleeve_ease: tuple[float, float, float] = (0.008, 0.014, 0.016)
    cuff: float = 0.0
    folds: float = 0.004
    drape: float = 0.8
    band: float = 0.0


TROUSER_WAIST = 0.105
"""Height of the upper edge of trousers, metres at 1.75 m."""

TROUSER_BAND = 0.028
"""Height of their waistband, metres at 1.75 m."""


@dataclass(frozen=True)
class Trousers:
    """`start`: station where the legs begin, above 0 without a seat, for trousers
    under a coat; `length`: station where they end; `ease`: at hip, thigh, knee and hem, metres;
    `cuff`: see `Top`; `folds`: metres.
    """

    start: float = -0.2
    length: float = 1.96
    ease: tuple[float, float, float, float] = (0.006, 0.007, 0.010, 0.014)
    cuff: float = 0.0
    folds: float = 0.004


@dataclass(frozen=True)
class Skirt:
    """`waist`: height of the upper edge; `length`: station on the legs where it ends; `flare`: metres around the legs
    at its end; `ease`: at the hips; `pleats`: how many waves its end has; `folds`: how deep they are, metres.
    """

    waist: float = 0.11
    length: float = 0.9
    ease: float = 0.012
    flare: float = 0.08
    pleats: int = 9
    folds: float = 0.010
