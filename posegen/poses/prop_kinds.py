"""The kinds of props: their sizes, their places, and how a hand holds them. `props` places them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from posegen.poses.skeleton import Vector

HANDS = ("left_hand", "right_hand")


class Hold(StrEnum):
    """How a hand holds a prop; `props` says how each places the box."""

    GRIP = "grip"
    SCREEN = "screen"
    PALM = "palm"
    HANG = "hang"
    STAND = "stand"


@dataclass(frozen=True)
class Prop:
    """A kind of prop. `size`: metres; `anchors`: where it may be used; the others: see `props`."""

    kind: str
    size: Vector
    anchors: tuple[str, ...]
    hold: Hold | None = None
    grip: float = 0.0
    stretched: bool = False


PROPS: dict[str, Prop] = {
    prop.kind: prop
    for prop in (
        Prop("box", (0.34, 0.26, 0.26), (*HANDS, "both_hands", "floor"), Hold.PALM, stretched=True),
        Prop("phone", (0.075, 0.155, 0.009), (*HANDS, "both_hands"), Hold.SCREEN),
        Prop("cup", (0.085, 0.11, 0.085), HANDS, Hold.GRIP),
        Prop("shopping_bag", (0.32, 0.42, 0.13), HANDS, Hold.HANG),
        Prop("suitcase", (0.40, 1.0, 0.24), HANDS, Hold.STAND),
        Prop("umbrella", (1.05, 0.92, 1.05), HANDS, Hold.GRIP, grip=-0.42),
        Prop("microphone", (0.055, 0.22, 0.055), HANDS, Hold.GRIP, grip=-0.12),
        Prop("dumbbell", (0.13, 0.32, 0.13), HANDS, Hold.GRIP),
        Prop("barbell", (1.5, 0.36, 0.36), ("both_hands",)),
        Prop("book", (0.32, 0.24, 0.03), (*HANDS, "both_hands"), Hold.SCREEN),
        Prop("bouquet", (0.26, 0.42, 0.26), (*HANDS, "both_hands"), Hold.GRIP, grip=-0.32),
        Prop("ball", (0.23, 0.23, 0.23), (*HANDS, "both_hands", "left_foot", "right_foot", "floor"), Hold.PALM),
        Prop("chair", (0.46, 0.88, 0.46), ("seat",)),
        Prop("stool", (0.36, 0.7, 0.36), ("seat",)),
        Prop("table", (1.1, 0.8, 0.55), ("table",)),
        Prop("mat", (0.66, 0.012, 1.8), ("floor",)),
        Prop("wall", (8.0, 5.0, 0.1), ("back", "left_side", "right_side")),
    )
}
# Scenery is no part of what must fit into the picture.
SCENERY = ("wall",)
