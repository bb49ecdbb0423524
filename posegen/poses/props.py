"""Placing props on a posed skeleton. `prop_kinds` lists them.

A prop fills a box (`PlacedProp`): x is its width, y its height, z its front. A hand is at `palm_centre`, its
fingers point along its -y, its thumb along its +z (see `skeleton`). How an anchor places the box:

    left_hand, right_hand   by the kind's `Hold`
        GRIP    y along the thumb, z out of the palm's back: cup, umbrella, microphone, dumbbell; `grip` is the height
                in the box, as a fraction from its middle (-0.5 = bottom), that the hand closes around
        SCREEN  y along the fingers, z out of the palm: phone, book
        PALM    y out of the palm, the bottom lies on the hand: box, ball
        HANG    upright, facing as the figure does, its top in the hand: shopping_bag
        STAND   its top in the hand, its bottom on the ground, however far `turn` leans it: suitcase
    both_hands   middle between the palms, x from the right palm to the left one, y as upright as that allows; what is
                 `stretched` is as wide as the palms are apart
    seat         under the pelvis, facing as the figure does; as high as the figure sits
    table        upright, its top under the lower palm
    floor        flat on the ground under the figure; z runs from its feet to its head as far as that is level
    left_foot, right_foot   on the ground before the toes, or against them when the foot is in the air
    back, left_side, right_side   a wall that touches the figure there

`PropUse.turn` (yaw, pitch, roll) then turns the box about its own middle, and `PropUse.offset` moves it along the box's
axes, in metres.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from posegen.poses.body import outline_points, pelvis_underside, sole_points
from posegen.poses.hands import palm_centre, palm_normal
from posegen.poses.posed_skeleton import PlacedProp, PosedSkeleton
from posegen.poses.prop_kinds import HANDS, PROPS, Hold, Prop
from posegen.poses.skeleton import Floats, heading, turn
from posegen.poses.specification import PoseSpecification, PropUse

BACKREST = 0.42  # metres of a chair above its seat


def place_props(specification: PoseSpecification, skeleton: PosedSkeleton) -> tuple[PlacedProp, ...]:
    """Every prop of the specification on the posed skeleton, in its order."""
    return tuple(_adjust(_place(use, specification, skeleton), use) for use in specification.props)


def _place(use: PropUse, specification: PoseSpecification, skeleton: PosedSkeleton) -> PlacedProp:
    prop = PROPS[use.kind]
    size = np.array(use.size or prop.size)
    facing = turn(1, specification.root[0])
    if use.at in HANDS and prop.hold is Hold.STAND:
        return _standing(prop, size, use.at.removesuffix("_hand"), facing @ heading(*use.turn), skeleton)
    if use.at in HANDS:
        return _in_hand(prop, size, use.at.removesuffix("_hand"), facing, skeleton)
    place: dict[str, Callable[[Prop, Floats, Floats, PosedSkeleton], PlacedProp]] = {
        "both_hands": _between_hands,
        "seat": _under_pelvis,
        "table": _under_hands,
        "floor": _on_floor,
    }
    if use.at in place:
        return place[use.at](prop, size, facing, skeleton)
    if use.at.endswith("_foot"):
        return _at_foot(prop, size, use.at.removesuffix("_foot"), skeleton)
    return _wall(prop, size, use.at, facing, skeleton)


def _adjust(placed: PlacedProp, use: PropUse) -> PlacedProp:
    leant = PROPS[use.kind].hold is Hold.STAND and use.at in HANDS
    orientation = placed.orientation if leant else placed.orientation @ heading(*use.turn)
    position = placed.position + orientation @ np.array(use.offset)
    return PlacedProp(placed.kind, position, orientation, placed.size, placed.seat)


def _palm(skeleton: PosedSkeleton, side: str) -> Floats:
    return skeleton.point(f"{side}_wrist", palm_centre(side, skeleton.build))


def _in_hand(prop: Prop, size: Floats, side: str, facing: Floats, skeleton: PosedSkeleton) -> PlacedProp:
    hand = skeleton.orientation(f"{side}_wrist")
    palm, normal = _palm(skeleton, side), hand @ palm_normal(side)
    thumb, fingers = hand[:, 2], -hand[:, 1]
    if prop.hold is Hold.GRIP:
        held = palm + normal * 0.018 * skeleton.build.scale
        return PlacedProp(prop.kind, held - thumb * prop.grip * size[1], _frame(thumb, -normal), size)
    if prop.hold is Hold.SCREEN:
        return PlacedProp(prop.kind, palm + normal * size[2] / 2 + fingers * 0.03, _frame(fingers, normal), size)
    if prop.hold is Hold.PALM:
        return PlacedProp(prop.kind, palm + normal * size[1] / 2, _frame(normal, facing[:, 2]), size)
    hook = palm + fingers * 0.03 * skeleton.build.scale
    return PlacedProp(prop.kind, hook - facing[:, 1] * size[1] / 2, facing, size)


def _standing(prop: Prop, size: Floats, side: str, frame: Floats, skeleton: PosedSkeleton) -> PlacedProp:
    held = _palm(skeleton, side)
    rim = abs(frame[1, 0]) * size[0] / 2 + abs(frame[1, 2]) * size[2] / 2
    length = max((held[1] - rim) / max(frame[1, 1], 0.3), 0.1)
    return PlacedProp(prop.kind, held - frame[:, 1] * length / 2, frame, np.array([size[0], length, size[2]]))


def _between_hands(prop: Prop, size: Floats, facing: Floats, skeleton: PosedSkeleton) -> PlacedProp:
    left, right = _palm(skeleton, "left"), _palm(skeleton, "right")
    across = left - right
    if prop.stretched:
        size = np.array([max(float(np.linalg.norm(across)), 0.02), size[1], size[2]])
    upright = facing[:, 1] if abs(across[1]) < 0.9 * np.linalg.norm(across) else facing[:, 2]
    frame = _frame(upright, facing[:, 2], across)
    return PlacedProp(prop.kind, (left + right) / 2, frame, size)


def _under_pelvis(prop: Prop, size: Floats, facing: Floats, skeleton: PosedSkeleton) -> PlacedProp:
    seat = max(pelvis_underside(skeleton), 0.1)
    height = seat + (BACKREST if prop.kind == "chair" else 0.0)
    x, _, z = skeleton.position("pelvis")
    position = np.array([x, height / 2, z]) + facing[:, 2] * 0.05
    return PlacedProp(prop.kind, position, facing, np.array([size[0], height, size[2]]), seat)


def _under_hands(prop: Prop, size: Floats, facing: Floats, skeleton: PosedSkeleton) -> PlacedProp:
    palms = [_palm(skeleton, side) for side in ("left", "right")]
    top = max(min(palm[1] for palm in palms) - 0.012 * skeleton.build.scale, 0.1)
    middle = (palms[0] + palms[1]) / 2
    position = np.array([middle[0], top / 2, middle[2]])
    return PlacedProp(prop.kind, position, facing, np.array([size[0], top, size[2]]))


def _on_floor(prop: Prop, size: Floats, facing: Floats, skeleton: PosedSkeleton) -> PlacedProp:
    along = skeleton.position("head") - skeleton.position("pelvis")
    along[1] = 0.0
    length = float(np.linalg.norm(along))
    forward = along / length if length > 0.25 * skeleton.build.scale else facing[:, 2]
    frame = _frame(np.array([0.0, 1.0, 0.0]), forward)
    outline = outline_points(skeleton)
    middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
    height = -size[1] / 2 if prop.kind == "mat" else size[1] / 2
    return PlacedProp(prop.kind, np.array([middle[0], height, middle[2]]), frame, size)


def _at_foot(prop: Prop, size: Floats, side: str, skeleton: PosedSkeleton) -> PlacedProp:
    toes = skeleton.orientation(f"{side}_toes")
    tip = sole_points(skeleton, side)[-1] + toes[:, 1] * 0.03 * skeleton.build.scale
    position = tip + toes[:, 2] * size[2] / 2
    position[1] = max(position[1], size[1] / 2)
    return PlacedProp(prop.kind, position, np.eye(3), size)


def _wall(prop: Prop, size: Floats, at: str, facing: Floats, skeleton: PosedSkeleton) -> PlacedProp:
    outwards = {"back": -facing[:, 2], "left_side": facing[:, 0], "right_side": -facing[:, 0]}[at]
    touch = float((outline_points(skeleton) @ outwards).max())
    position = outwards * (touch + size[2] / 2)
    position[1] = size[1] / 2
    return PlacedProp(prop.kind, position, _frame(np.array([0.0, 1.0, 0.0]), -outwards), size)


def _frame(up: Floats, front: Floats, across: Floats | None = None) -> Floats:
    """(3, 3) with y along `up` and z towards `front`; with `across` given, x is exactly that and y only near `up`."""
    if across is not None:
        x = across / np.linalg.norm(across)
        z = np.cross(x, up)
        z /= np.linalg.norm(z)
        return np.stack([x, np.cross(z, x), z], axis=1)
    y = up / np.linalg.norm(up)
    x = np.cross(y, front)
    if np.linalg.norm(x) < 1e-6:
        x = np.cross(y, np.array([0.0, 0.0, 1.0]) if abs(y[2]) < 0.9 else np.array([0.0, 1.0, 0.0]))
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)
