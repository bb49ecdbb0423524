"""Numbers for parts in the part mask, for looks of surfaces, and for groups of pieces that blend into each other."""

from __future__ import annotations

from enum import IntEnum


class Part(IntEnum):
    """What a pixel of the part mask shows; 0 is the background."""

    BACKGROUND = 0
    HEAD = 1
    HAIR = 2
    TORSO = 3
    LEFT_ARM = 4
    RIGHT_ARM = 5
    LEFT_HAND = 6
    RIGHT_HAND = 7
    LEFT_LEG = 8
    RIGHT_LEG = 9
    LEFT_FOOT = 10
    RIGHT_FOOT = 11
    SKIRT = 12
    PROP = 13


class Surface(IntEnum):
    """The look of a triangle. `figure_looks` and `scene.materials` define the looks."""

    SKIN = 0
    FACE = 1
    HAIR = 2
    TOP = 3
    TOP_TRIM = 4
    BOTTOM = 5
    BOTTOM_TRIM = 6
    SKIRT = 7
    LINING = 8
    SKIRT_LINING = 9
    SHOE = 10
    SOLE = 11
    SCARF = 12
    UNDERSHIRT = 13
    EAR = 14
    PROP = 32  # and above: the members of `scene.materials.Material`


# Groups of pieces whose creases are smoothed; see `geometry.mesh.Piece`. An even number is a trunk. The odd number
# above it is its branches, which blend into the trunk but not into each other.
SKIN_GROUP, TOP_GROUP, BOTTOM_GROUP, SCARF_GROUP, HAIR_GROUP = 2, 4, 6, 8, 10
