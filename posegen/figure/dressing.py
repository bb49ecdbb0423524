"""A dressed person as posed surfaces: visible skin, head, hair, clothes and shoes."""

from __future__ import annotations

import numpy as np

from posegen.figure.body import hair, hands, head
from posegen.figure.body.limbs import arm_rings, around_joint, bare, leg_rings
from posegen.figure.body.rig import Rig
from posegen.figure.clothing import collars, garments, shoes
from posegen.figure.clothing.cuts import Top, Trousers
from posegen.figure.clothing.outfits import Outfit
from posegen.figure.geometry.mesh import Piece
from posegen.figure.geometry.vectors import Floats
from posegen.figure.parts import SKIN_GROUP, TOP_GROUP, Part, Surface
from posegen.poses.avatar import Avatar
from posegen.poses.skeleton import SIDES
from posegen.poses.specification import PoseSpecification


def person(rig: Rig, avatar: Avatar, outfit: Outfit, specification: PoseSpecification) -> list[Piece]:
    """All surfaces of the person, without props."""
    top, lower = outfit.top, outfit.lower
    inner = outfit.under or top
    pieces = [garments.neck_and_chest(rig, inner.neck[1] - 0.05)]
    pieces += head.head(rig, head.head_surface(rig.body.masculine, rig.body.age), 0)
    pieces += hair.hair(rig, avatar.hair)
    group = SKIN_GROUP if top.sleeve is None else TOP_GROUP
    pieces.append(garments.bodice(rig, top, group=group))
    if outfit.under is not None:
        pieces.append(garments.bodice(rig, outfit.under, Surface.UNDERSHIRT, Surface.UNDERSHIRT, group=0))
    if outfit.collar:
        pieces.append(collars.collar(rig, Surface.TOP if outfit.under is None else Surface.UNDERSHIRT))
    if outfit.hood:
        pieces.append(collars.hood(rig))
    if isinstance(lower, Trousers):
        pieces += garments.trousers(rig, lower)
    else:
        pieces.append(garments.skirt(rig, lower))
    if outfit.coat is not None:
        pieces.append(garments.skirt(rig, outfit.coat, Surface.TOP, TOP_GROUP))
    for side, shape in zip(SIDES, specification.hands, strict=True):
        pieces += _arm(rig, side, top, shape)
        pieces.append(_leg(rig, side, outfit))
    return pieces + shoes.shoes(rig, outfit.shoes)


def _arm(rig: Rig, side: str, top: Top, shape: str) -> list[Piece]:
    part = Part.LEFT_ARM if side == "left" else Part.RIGHT_ARM
    hand = Part.LEFT_HAND if side == "left" else Part.RIGHT_HAND
    covered = -0.078 if top.sleeve is None else top.sleeve - 0.12
    stations = _stations(covered, 3.03, 46)
    group = SKIN_GROUP + 1 if top.sleeve is None else 0
    pieces = [bare(arm_rings(rig, side, stations[stations <= 2.0]), Surface.SKIN, part, group)]
    palm = np.concatenate([stations[stations <= 2.0][-1:], stations[stations > 2.0]])
    pieces.append(bare(arm_rings(rig, side, palm), Surface.SKIN, hand))
    pieces += hands.fingers(rig, side, shape)
    if top.sleeve is not None:
        pieces.append(garments.sleeve(rig, side, top))
    return pieces


def _leg(rig: Rig, side: str, outfit: Outfit) -> Piece:
    part = Part.LEFT_LEG if side == "left" else Part.RIGHT_LEG
    covered = outfit.lower.length - 0.15 if isinstance(outfit.lower, Trousers) else outfit.lower.length - 0.40
    return bare(leg_rings(rig, side, _stations(covered, 2.3, 44)), Surface.SKIN, part)


def _stations(start: float, end: float, count: int) -> Floats:
    """Stations along a limb, evenly spaced down to the wrist or ankle, denser beyond it."""
    even = around_joint(np.linspace(min(start, 2.0), 2.0, max(int(count * (2.0 - start) / 2.2), 4)))
    return np.concatenate([even, np.linspace(2.0, end, 18)[1:]]).astype(np.float32)
