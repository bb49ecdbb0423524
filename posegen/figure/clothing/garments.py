"""Single garments as surfaces around the body: tops with sleeves, trousers, skirts. `outfit_looks` colours them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posegen.figure.body.limbs import arm_rings, around_joint, leg_rings
from posegen.figure.body.physique import CROTCH, NECK_TOP, TORSO_SIDES, Physique, hanging, torso
from posegen.figure.body.rig import Rig
from posegen.figure.clothing.cuts import TROUSER_BAND, TROUSER_WAIST, Skirt, Top, Trousers
from posegen.figure.geometry.curves import bell, circle, smooth_curve, smooth_step
from posegen.figure.geometry.mesh import Piece, loft
from posegen.figure.geometry.vectors import Floats, constant
from posegen.figure.parts import BOTTOM_GROUP, SKIN_GROUP, TOP_GROUP, Part, Surface

_KEPT = 16  # shapes at rest that are cached, by body and cut: all poses of a person share them


def _creases(rest: Floats, depth: float, pulls: ArrayLike) -> Floats:
    """Displacement of soft, slanted, irregular folds around the body, metres outwards."""
    x, y, z = rest[..., 0], rest[..., 1], rest[..., 2]
    slanted = np.sin(y * 74 + np.sin(x * 17 + 1.3) * 1.9 + z * 21) + np.float32(0.6) * np.sin(
        y * 43 - x * 31 + z * 12 + 0.7
    )
    folds: Floats = np.float32(depth * 0.5) * slanted * np.asarray(pulls, dtype=np.float32)
    return folds.astype(np.float32)


def neck_and_chest(rig: Rig, lowest: float) -> Piece:
    """The skin within a neckline, down to the height `lowest`, which the top covers."""
    rest = _neck_at_rest(rig.body, lowest)
    return loft(rig.torso(rest), Surface.SKIN, Part.TORSO, rest=rest, group=SKIN_GROUP)


@lru_cache(maxsize=_KEPT)
def _neck_at_rest(body: Physique, lowest: float) -> Floats:
    heights = np.concatenate([np.linspace(NECK_TOP, 0.50, 12), np.linspace(0.49, lowest, 8)]).astype(np.float32)
    cos, sin = circle(TORSO_SIDES)
    return constant(torso(body, heights[:, None], cos, sin))


def bodice(
    rig: Rig, top: Top, surface: int = Surface.TOP, trim: int = Surface.TOP_TRIM, group: int = TOP_GROUP
) -> Piece:
    """The part of a top around the torso. Its lining is visible at neck and hem."""
    rest, heights = _bodice_at_rest(rig.body, top)
    bands = np.full(len(rest) - 1, surface)
    bands[: _trim_rows(top)] = trim
    if top.band:
        bands[heights[1:] < top.hem + top.band] = trim
    rings, rests, bands = _hemmed(rig.torso(rest), rest, bands)
    return loft(rings, bands, Part.TORSO, rest=rests, group=group)


def _trim_rows(top: Top) -> int:
    return 3 if top.collar > 0 else 0


@lru_cache(maxsize=_KEPT)
def _bodice_at_rest(body: Physique, top: Top) -> tuple[Floats, Floats]:
    """(n, m, 3) rings, metres, and (n,) their mean heights, metres at 1.75 m."""
    cos, sin = circle(TORSO_SIDES)
    heights = _rows(top, _neckline(body, top, cos, sin))
    ease = _ease(top, heights)
    rest = hanging(body, heights, cos, sin, 0.0, top.drape)
    loose = bell(0.10, 0.16, heights) + np.float32(0.45) * bell(0.40, 0.06, heights) * np.abs(cos)
    loose = loose * smooth_step(top.hem - 0.005, top.hem + 0.05, heights)
    ease = ease + _creases(rest / np.float32(body.build.scale), top.folds, loose)
    ease[0] = -0.004
    ease[1 : _trim_rows(top)] += 0.002
    rest[..., 0] += ease * body.build.scale * cos
    rest[..., 2] += ease * body.build.scale * sin
    return constant(rest), constant(heights.mean(axis=1))


def _rows(top: Top, neckline: Floats) -> Floats:
    """(n, m) heights of a top's rings: two rows of the collar's band, then evenly down to the hem."""
    band = neckline - np.float32(top.collar) * np.array([0, 0, 0.5, 1], dtype=np.float32)[:, None]
    share = np.linspace(0.012, 1, 52, dtype=np.float32)[:, None] ** np.float32(1.15)
    body = band[-1] + (np.float32(top.hem) - band[-1]) * share
    return np.concatenate([band, body])


def _ease(top: Top, heights: Floats) -> Floats:
    neck, chest, waist, hem = top.ease
    knots = [top.hem - 0.02, 0.14 if top.hem < 0.12 else top.hem - 0.01, 0.30, 0.40, 0.48, 0.53]
    curve = smooth_curve(knots, [hem, waist, chest, chest, (neck + chest) / 2, neck], heights.ravel())
    return curve.reshape(heights.shape)


def _neckline(body: Physique, top: Top, cos: Floats, sin: Floats) -> Floats:
    """(m,) height of the neckline at each angle, such that its shape is right from the front."""
    behind, before = top.neck
    heights = np.linspace(before, behind, 28, dtype=np.float32)[:, None]
    aside = np.abs(torso(body, heights, cos, sin, 0.0, top.drape)[..., 0]) / np.float32(body.build.scale)
    # Not wider than the back of the neckline, or front and back would not meet.
    widest = float(aside[-1].max()) * 0.96
    if top.pointed:
        line = (heights - before) * min(top.opening, widest / (behind - before))
    else:
        line = min(top.opening, widest) * np.sqrt((heights - before) / (behind - before))
    outside = aside > line
    crossing = np.where(outside.all(axis=0), len(heights) - 1, np.argmin(outside, axis=0))
    found: Floats = np.where(sin > -0.05, heights[crossing, 0], np.float32(behind))
    kernel = np.array([0.25, 0.5, 0.25], dtype=np.float32)
    around = np.concatenate([found[-1:], found, found[:1]])
    smooth = np.convolve(around, kernel, "valid").astype(np.float32)
    return np.where(sin > 0.05, smooth, found)


def _hemmed(
    rings: Floats, rest: Floats, bands: NDArray[np.int64], lining: int = Surface.LINING
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Rings, rest positions and surfaces of a garment with its lower edge turned inwards and lined."""
    middle, rest_middle = rings[-1:].mean(axis=1, keepdims=True), rest[-1:].mean(axis=1, keepdims=True)
    inwards = np.concatenate([rings, rings[-1:] + (middle - rings[-1:]) * np.float32(0.06)])
    rest_inwards = np.concatenate([rest, rest[-1:] + (rest_middle - rest[-1:]) * np.float32(0.06)])
    return inwards, rest_inwards, np.concatenate([bands, [lining]])


def sleeve(rig: Rig, side: str, top: Top) -> Piece:
    """A sleeve, with folds at the elbow, the cuff and the armpit."""
    assert top.sleeve is not None
    end = top.sleeve
    stations = around_joint(np.linspace(-0.078, end, 18 + int(22 * end)))
    shoulder, elbow, last = top.sleeve_ease
    ease = smooth_curve(
        [-0.078, 0.1, 0.8, 1.2, 2.0], [shoulder * 0.5, shoulder, elbow, elbow, last], np.minimum(stations, 2)
    )
    if end < 1:
        ease = smooth_curve([-0.078, 0.1, end], [shoulder * 0.5, shoulder, last], stations)
    bands = np.full(len(stations) - 1, int(Surface.TOP))
    if top.cuff:
        held = smooth_step(end - top.cuff - 0.10, end - top.cuff, stations)
        ease = (
            ease + held * (np.float32(0.005) - ease) + bell(end - top.cuff - 0.10, 0.08, stations) * np.float32(0.006)
        )
        bands[stations[:-1] >= end - top.cuff] = Surface.TOP_TRIM
    bend = 1 - float(rig.orientation(f"{side}_shoulder")[:, 1] @ rig.orientation(f"{side}_elbow")[:, 1])
    depth = np.float32(top.folds)

    def folds(at: Floats, angle: Floats) -> Floats:
        elbow_folds = (
            np.float32(0.5 + 0.8 * min(bend, 1.5)) * bell(1.0, 0.20, at) * np.sin(at * 44 + np.sin(angle) * 1.6)
        )
        pushed = np.float32(0.8) * bell(end - top.cuff - 0.12, 0.14, at) * np.sin(at * 52 + np.cos(angle + 0.6) * 1.8)
        armpit = np.float32(0.5) * bell(0.22, 0.14, at) * np.sin(at * 30 + np.cos(angle) * 2.2)
        soft: Floats = depth * (elbow_folds * (end > 1) + pushed + armpit) * np.float32(0.75)
        return soft

    rings, rest = arm_rings(rig, side, stations, ease * rig.scale, folds)
    rings, rest, bands = _hemmed(rings, rest, bands)
    part = Part.LEFT_ARM if side == "left" else Part.RIGHT_ARM
    return loft(rings, bands, part, rest=rest, group=TOP_GROUP + 1)


def trousers(rig: Rig, cut: Trousers) -> list[Piece]:
    """The seat, unless the cut has none, and both legs."""
    seat = [_seat(rig, cut)] if cut.start < 0 else []
    return [*seat, _trouser_leg(rig, "left", cut), _trouser_leg(rig, "right", cut)]


def _seat(rig: Rig, cut: Trousers) -> Piece:
    rest, bands = _seat_at_rest(rig.body, cut)
    return loft(rig.torso(rest), bands, Part.TORSO, rest=rest, group=BOTTOM_GROUP)


@lru_cache(maxsize=_KEPT)
def _seat_at_rest(body: Physique, cut: Trousers) -> tuple[Floats, NDArray[np.int64]]:
    """(n, m, 3) rings, metres, and (n - 1,) the surfaces between them."""
    cos, sin = circle(TORSO_SIDES)
    heights = np.linspace(TROUSER_WAIST, CROTCH, 36).astype(np.float32)[:, None]
    ease = cut.ease[0] + np.float32(0.003) * (heights > TROUSER_WAIST - TROUSER_BAND)
    bands = np.where(heights[1:, 0] > TROUSER_WAIST - TROUSER_BAND, Surface.BOTTOM_TRIM, Surface.BOTTOM)
    return constant(torso(body, heights, cos, sin, ease * np.float32(body.build.scale), 0.3)), constant(bands)


def _trouser_leg(rig: Rig, side: str, cut: Trousers) -> Piece:
    stations = around_joint(np.linspace(cut.start, cut.length, 14 + int(20 * cut.length)))
    hip, thigh, knee, hem = cut.ease
    ease = smooth_curve([-0.2, 0.0, 0.4, 1.0, 2.0], [hip, hip, thigh, knee, hem], stations)
    bands = np.full(len(stations) - 1, int(Surface.BOTTOM))
    end = cut.length
    if cut.cuff:
        held = smooth_step(end - cut.cuff - 0.08, end - cut.cuff, stations)
        ease = ease + held * (np.float32(0.005) - ease) + bell(end - cut.cuff - 0.1, 0.09, stations) * np.float32(0.008)
        bands[stations[:-1] >= end - cut.cuff] = Surface.BOTTOM_TRIM
    upper = "pelvis"
    at_hip = 1 - float(rig.orientation(upper)[:, 1] @ rig.orientation(f"{side}_hip")[:, 1])
    at_knee = 1 - float(rig.orientation(f"{side}_hip")[:, 1] @ rig.orientation(f"{side}_knee")[:, 1])
    depth = np.float32(cut.folds)

    def folds(at: Floats, angle: Floats) -> Floats:
        behind = np.float32(0.5) - np.float32(0.5) * np.sin(angle)
        knee_folds = (
            np.float32(0.4 + 0.9 * min(at_knee, 1.4)) * bell(1.02, 0.17, at) * np.sin(at * 50 + np.sin(angle) * 2.0)
        )
        hip_folds = (
            np.float32(0.25 + 0.6 * min(at_hip, 1.2))
            * bell(0.10, 0.16, at)
            * np.sin(at * 40 + np.cos(angle + 0.5) * 2.4)
        )
        stacked = np.float32(0.9) * bell(end - 0.10, 0.14, at) * np.sin(at * 58 + np.cos(angle) * 1.5) * (end > 1.3)
        soft: Floats = depth * (knee_folds * (np.float32(0.4) + behind) + hip_folds + stacked) * np.float32(0.7)
        return soft

    rings, rest = leg_rings(rig, side, stations, ease * rig.scale, folds)
    rings, rest, bands = _hemmed(rings, rest, bands)
    part = Part.LEFT_LEG if side == "left" else Part.RIGHT_LEG
    return loft(rings, bands, part, rest=rest, group=BOTTOM_GROUP + 1)


def skirt(rig: Rig, cut: Skirt, surface: int = Surface.SKIRT, group: int = BOTTOM_GROUP) -> Piece:
    """A tube around both legs and the space between them, in any pose."""
    cos, sin = circle(80)
    hips = min(cut.length, 0.25)
    below = 8 + int(16 * cut.length) if cut.length > 0.3 else 0
    parts = [np.linspace(-0.27, hips, 16), np.linspace(0.29, cut.length, below)]
    stations = np.concatenate(parts).astype(np.float32)
    fall = np.clip(stations / cut.length, 0, 1)[:, None]
    angle = np.arctan2(sin, cos)
    waves = np.sin(angle * cut.pleats + np.sin(angle * 2 + 0.6) * 1.1) + np.float32(0.35) * np.sin(
        angle * (2 * cut.pleats + 1)
    )
    around = cut.ease + cut.flare * fall ** np.float32(1.2) + cut.folds * waves * fall ** np.float32(0.8)
    # Cloth from the seat hangs behind the legs without touching them, and cloth from the belly a little in front.
    seat = np.float32(0.034) * np.maximum(-sin, 0) + np.float32(0.010) * np.maximum(sin, 0)
    around = around + seat * bell(0.13, 0.17, stations)[:, None]
    posed, rest = _around_legs(rig, stations, around * np.float32(rig.scale), len(cos))
    hip_height = float(rig.at_rest("left_hip")[1]) / rig.scale
    thigh = float(np.linalg.norm(rig.at_rest("left_knee") - rig.at_rest("left_hip"))) / rig.scale
    start = -0.27
    heights = np.where(
        stations < 0, hip_height + (cut.waist - hip_height) * stations / start, hip_height - stations * thigh
    )[:, None]
    ease = (cut.ease + cut.folds * waves * fall ** np.float32(0.8)) * np.float32(rig.scale)
    at_hips = hanging(rig.body, heights, cos, sin, ease, 0.6)
    share = smooth_step(-0.14, 0.12, stations)[:, None, None]
    rings = rig.torso(at_hips) * (1 - share) + posed * share
    rests = at_hips * (1 - share) + rest * share
    rings[..., 1] = np.maximum(rings[..., 1], np.float32(0.012))  # cloth lies on the ground, not below it
    bands = np.full(len(rings) - 1, surface)
    lining = Surface.SKIRT_LINING if surface == Surface.SKIRT else Surface.LINING
    rings, rests, bands = _hemmed(rings, rests, bands, lining)
    return loft(rings, bands, Part.SKIRT, rest=rests, group=group, two_sided=True)


def _around_legs(rig: Rig, stations: Floats, around: Floats, sides: int) -> tuple[Floats, Floats]:
    """Rings around both legs: in each direction, the farther point of the two legs."""
    cos, sin = circle(sides)
    frames = (rig.leg("left", stations).frames + rig.leg("right", stations).frames)[:, None] / 2
    outwards = cos[:, None] * frames[..., 0] + sin[:, None] * frames[..., 2]
    # Cloth lies close on the top of a level thigh and hangs from its underside.
    level = 1 - np.abs(frames[..., 1, 1])
    close = np.float32(0.010 * rig.scale)
    around = close + (around - close) * (
        1 - level * np.clip(np.float32(0.55) + np.float32(0.45) * outwards[..., 1], 0, 1)
    )
    (left, left_rest), (right, right_rest) = (
        leg_rings(rig, side, stations, around, sides=sides) for side in ("left", "right")
    )
    ahead = ((left - right) * outwards).sum(axis=-1)
    # Between the legs the cloth is a straight span; intermediate points keep it from folding over itself.
    share = smooth_step(-0.02 * rig.scale, 0.02 * rig.scale, ahead)[..., None]
    return right + (left - right) * share, right_rest + (left_rest - right_rest) * share
