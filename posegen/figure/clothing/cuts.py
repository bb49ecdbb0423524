"""How garments are cut: the measures of tops, trousers and skirts. `garments` builds their surfaces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Top:
    """The cut of a top. Lengths are metres at a body height of 1.75 m.

    `hem`: height of the lower edge over the pelvis joint; `ease`: distance from the body at neck, chest, waist and
    hem; `neck`: height of the neckline behind and in front; `pointed`: whether the neckline is a V; `opening`: half the
    neckline's width, for a V its growth per metre of height; `collar`: width of the band at the neckline; `sleeve`:
    station on the arm where sleeves end, None for no sleeves; `sleeve_ease`: ease at shoulder, elbow and end; `cuff`:
    length of the cuff in stations; `folds`: depth of folds; `drape`: see `physique.torso`; `band`: height of a ribbed
    hem.
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
"""Height of the waistband, metres at 1.75 m."""


@dataclass(frozen=True)
class Trousers:
    """The cut of trousers. Lengths are metres at a body height of 1.75 m.

    `start`: station on the leg where trouser legs begin, above 0 for trousers without a seat under a coat; `length`:
    station where they end; `ease`: distance from the leg at hip, thigh, knee and hem; `cuff`: length of the cuff in
    stations; `folds`: depth of folds.
    """

    start: float = -0.2
    length: float = 1.96
    ease: tuple[float, float, float, float] = (0.006, 0.007, 0.010, 0.014)
    cuff: float = 0.0
    folds: float = 0.004


@dataclass(frozen=True)
class Skirt:
    """The cut of a skirt. Lengths are metres at a body height of 1.75 m.

    `waist`: height of the upper edge; `length`: station on the legs where the skirt ends; `ease`: distance from the
    body at the hips; `flare`: additional distance at the end; `pleats`: number of waves around the end; `folds`: their
    depth.
    """

    waist: float = 0.11
    length: float = 0.9
    ease: float = 0.012
    flare: float = 0.08
    pleats: int = 9
    folds: float = 0.010
