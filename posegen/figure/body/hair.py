"""Hair and headscarf: a cap over the skull down to the hairline, and the hair or cloth that hangs from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from posegen.figure.body.head import ring_angles, skull
from posegen.figure.body.physique import TORSO_SIDES, torso
from posegen.figure.body.rig import Rig
from posegen.figure.geometry.curves import bell, circle, smooth_curve, smooth_step
from posegen.figure.geometry.mesh import Piece, loft
from posegen.figure.geometry.sweeps import tube
from posegen.figure.geometry.vectors import Floats, constant, cross, unit
from posegen.figure.parts import HAIR_GROUP, SCARF_GROUP, Part, Surface


@dataclass(frozen=True)
class Style:
    """Lengths are metres at a body height of 1.75 m. `volume`: thickness over the crown; `sides`: thickness beside and
    behind; `line`: shape of the hairline, a key of `_LINES`; `part`: position of the parting, positive to the left;
    `length`: how far hair hangs below the ears, 0 for none; `spread`: its distance from the head there; `curl`: depth
    of curls; `nape`: how much higher the hairline is at the nape; `tie`: "bun" or "ponytail".
    """

    volume: float = 0.016
    sides: float = 0.011
    line: str = "natural"
    part: float = 0.025
    length: float = 0.0
    spread: float = 0.0
    curl: float = 0.0
    nape: float = 0.0
    tie: str | None = None


STYLES = {
    "short": Style(volume=0.026, sides=0.010, line="quiff", nape=0.012),
    "bob": Style(volume=0.020, sides=0.017, line="fringe", part=0.0, length=0.085, spread=0.014),
    "long": Style(volume=0.020, sides=0.015, line="curtain", part=0.018, length=0.40, spread=0.010),
    "ponytail": Style(volume=0.013, sides=0.010, part=0.0, tie="ponytail"),
    "bun": Style(volume=0.013, sides=0.010, line="curtain", part=0.0, tie="bun"),
    "curly": Style(volume=0.034, sides=0.034, line="natural", part=0.0, length=0.13, spread=0.045, curl=0.011),
    "afro": Style(volume=0.066, sides=0.056, part=0.0, curl=0.006),
    "shaved": Style(volume=0.0032, sides=0.0028, part=0.0, nape=0.006),
}


def hair(rig: Rig, name: str) -> list[Piece]:
    """The surfaces of an avatar's hair. `name`: a value of the attribute `hair`."""
    kind = name.split("_", 1)[0]
    if kind == "hijab":
        return _scarf(rig)
    style = STYLES[kind]
    pieces = [_cap(rig, style)]
    if style.length:
        pieces.append(_mantle(rig, style))
    if style.tie == "ponytail":
        pieces += _ponytail(rig)
    if style.tie == "bun":
        pieces.append(_bun(rig))
    return pieces


# Angle from the middle of the face, radians, and height of the hairline over the head joint, metres.
_LINES = {
    "natural": [(0.0, 0.147), (0.35, 0.148), (0.62, 0.138), (0.85, 0.113), (1.05, 0.080), (1.25, 0.056)],
    "fringe": [(0.0, 0.113), (0.35, 0.112), (0.62, 0.107), (0.85, 0.092), (1.05, 0.070), (1.25, 0.050)],
    "curtain": [(0.0, 0.150), (0.18, 0.146), (0.40, 0.133), (0.64, 0.110), (0.86, 0.084), (1.05, 0.062), (1.25, 0.048)],
    "quiff": [(0.0, 0.150), (0.35, 0.149), (0.60, 0.146), (0.78, 0.128), (0.95, 0.098), (1.10, 0.064), (1.25, 0.052)],
}
_NAPE = [(1.45, 0.045), (1.75, 0.040), (2.3, 0.004), (float(np.pi), -0.010)]


def _hairline(turn: Floats, style: Style) -> Floats:
    """Height of the hairline. `turn`: angle from the middle of the face towards the left, -pi to pi."""
    near_face = smooth_step(1.2, 0.3, np.abs(turn))
    away = np.abs(turn - np.float32(style.part * 8) * near_face)
    knots, heights = np.array(_LINES[style.line] + _NAPE).T
    line = smooth_curve(knots, heights, np.minimum(away, np.float32(np.pi)).ravel()).reshape(turn.shape)
    strands = np.float32(0.0012) * np.sin(turn * 33 + np.sin(turn * 9) * 2) * smooth_step(1.4, 0.9, away)
    line += strands + np.float32(style.nape) * smooth_step(1.6, 2.4, away)
    return line


def _cap(rig: Rig, style: Style) -> Piece:
    points, base = _cap_surface(style)
    scale = np.float32(rig.scale * rig.body.build.head)
    return loft(rig.rigid("head", points * scale), Surface.HAIR, Part.HAIR, rest=base, group=HAIR_GROUP)


@lru_cache(maxsize=16)
def _cap_surface(style: Style) -> tuple[Floats, Floats]:
    """(n, m, 3) points of the hair on the head, and of the skull under it, in the head frame at 1.75 m."""
    base, angles = skull(), ring_angles()
    turn = np.broadcast_to(np.arctan2(np.cos(angles), np.sin(angles)), base.shape[:2])
    away = np.abs(turn)
    above = base[..., 1] - _hairline(turn, style)
    crown = smooth_step(0.06, 0.17, base[..., 1])
    thick = np.float32(style.sides) + np.float32(style.volume - style.sides) * crown
    thick = thick * (
        1 + np.float32(0.30) * bell(style.part + 0.03, 0.05, base[..., 0]) * (away < 1.4) * (style.part > 0)
    )
    thick = thick - np.float32(0.006) * bell(style.part, 0.007, base[..., 0]) * crown * (style.part > 0) * (
        base[..., 2] > -0.02
    )
    thick = thick + _locks(base, style)
    reach = max(0.030 * min(style.volume / 0.02, 1.2), 0.008)
    grown = smooth_step(-0.004, reach, above)
    outwards = unit(base - np.array([0.0, 0.07, -0.005], dtype=np.float32))
    points = base + outwards * (thick * grown - np.float32(0.010) * smooth_step(0.004, -0.012, above))[..., None]
    return constant(points), constant(base)


def _locks(base: Floats, style: Style) -> Floats:
    """Strands and curls, metres outwards."""
    x, y, z = base[..., 0], base[..., 1], base[..., 2]
    if style.curl:
        lumps = (
            np.sin(x * 150 + np.sin(y * 90) * 1.5) * np.sin(y * 140 + np.sin(z * 80) * 1.4) * np.sin(z * 145 + x * 40)
        )
        return np.asarray(np.float32(style.curl) * lumps.astype(np.float32))
    around = np.arctan2(x - np.float32(style.part), z)
    strands = np.sin(around * 26 + y * 30) + np.float32(0.6) * np.sin(around * 47 - y * 55 + 1.0)
    waves: Floats = np.float32(min(style.volume, 0.02) * 0.045) * strands * smooth_step(0.19, 0.16, y)
    return waves


def _mantle(rig: Rig, style: Style) -> Piece:
    """Hair that hangs behind and beside the face, falls with gravity and lies on shoulders and back."""
    rows, arc = 14 + int(style.length * 55), 36
    start = 0.105
    total = start - 0.02 + style.length
    down = np.linspace(0, total, rows, dtype=np.float32)
    # Radians from the middle of the face without hair: it hangs beside the cheeks, and lower down behind the shoulders.
    opening = np.float32(0.98) + np.float32(0.75 if style.length > 0.12 else 0.0) * smooth_step(0.12, 0.24, down)
    share = np.linspace(0, 1, arc, dtype=np.float32)
    sweep = np.float32(np.pi / 2) + opening[:, None] + share * (2 * np.float32(np.pi) - 2 * opening[:, None])
    widths = [(0.086, 0.103), (0.0945, 0.1125), (0.0935, 0.1095), (0.083, 0.085), (0.088, 0.062), (0.088, 0.058)]
    shape = smooth_curve([0.0, 0.05, 0.10, 0.18, 0.34, 0.6], widths, down)
    fullness = np.float32(style.spread) * smooth_step(0.03, 0.14, down)
    tips = 1 - np.float32(0.30 if style.length > 0.2 else 0.08) * smooth_step(total - 0.12, total, down)
    strands = np.sin(share * 67 + 1.0 + down[:, None] * 5) + np.float32(0.6) * np.sin(share * 113 - down[:, None] * 4)
    wavy = np.float32(0.0022) * strands * smooth_step(0.0, 0.08, down)[:, None]
    if style.curl:
        lumps = np.sin(share * 55 + np.sin(down[:, None] * 60) * 1.2) * np.sin(down[:, None] * 75 + np.sin(share * 38))
        wavy = np.float32(style.curl * 0.8) * lumps
    cos, sin = np.cos(sweep), np.sin(sweep)
    # Hair that hangs freely from a bowed head gathers into a strand.
    gathered = 1 - np.float32(0.42) * _bowed(rig) * smooth_step(0.14, 0.34, down)
    outer_x = ((shape[:, 0] + fullness) * tips * gathered)[:, None] * cos + wavy * cos
    outer_z = ((shape[:, 1] + fullness) * gathered)[:, None] * sin + wavy * sin
    # Thin at both edges and at the tips, so that the hair ends in strands and not in a solid edge.
    thin = np.float32(0.86) + np.float32(0.12) * np.abs(2 * share - 1) ** 6
    thin = thin + (np.float32(0.985) - thin) * smooth_step(total - 0.14, total, down)[:, None]
    ring_x = np.concatenate([outer_x, (outer_x * thin)[:, ::-1]], axis=1)
    ring_z = np.concatenate([outer_z, (outer_z * thin)[:, ::-1]], axis=1)
    uneven = np.sin(share * 19 + 0.6) + np.float32(0.7) * np.sin(share * 43 + 2) + np.float32(0.5) * np.sin(share * 71)
    ragged = np.float32(0.09 * style.length) * uneven * smooth_step(0.45 * total, total, down)[:, None]
    return _hanging(rig, ring_x, ring_z, start, down, np.concatenate([ragged, ragged[:, ::-1]], axis=1))


def _bowed(rig: Rig) -> np.float32:
    """0 when the head is upright, 1 when it is level or lower."""
    return np.float32(1 - np.clip(rig.orientation("head")[1, 1], 0, 1))


def _hanging(rig: Rig, across: Floats, deep: Floats, start: float, down: Floats, longer: Floats) -> Piece:
    """The surface through rings around a line that hangs from the head.

    `across`, `deep`: (n, m) offsets from the line, metres; `start`: height on the head where the line begins; `down`:
    (n,) length of the line at each ring; `longer`: (n, m) how much lower each point is than its ring.
    """
    scale = np.float32(rig.scale * rig.body.build.head)
    head, chest = rig.orientation("head"), rig.orientation("chest")
    # With a raised head over a bent back, hair lies on the back; otherwise it would hang in front of the chest.
    lies = float(np.clip(head[1, 1], 0, 1) * np.clip(1.6 - 1.6 * chest[1, 1], 0, 1))
    fall = unit(np.array([0, -1, 0], dtype=np.float32) * (1 - lies) - chest[:, 1] * lies)
    falls = smooth_step(0.06, 0.20, down)[:, None]
    along = unit(-head[:, 1] * (1 - falls) + fall * falls)
    steps = np.diff(down, prepend=down[:1])[:, None] * scale
    centre = rig.rigid("head", np.array([0, start, 0]) * scale) + np.cumsum(along * steps, axis=0)
    x_axis = unit(head[:, 0] - (head[:, 0] * along).sum(axis=1, keepdims=True) * along)
    z_axis = cross(x_axis, -along)
    rings = (
        centre[:, None]
        + (across * scale)[..., None] * x_axis[:, None]
        + (deep * scale)[..., None] * z_axis[:, None]
        + (longer * scale)[..., None] * along[:, None]
    )
    margin = np.repeat(np.array([0.034, 0.016], dtype=np.float32), across.shape[1] // 2)
    rings = _outside_torso(rig, rings.astype(np.float32), margin * np.float32(rig.scale))
    rest = np.stack([across, np.broadcast_to(start - down[:, None], across.shape), deep], axis=-1)
    return loft(rings, Surface.HAIR, Part.HAIR, rest=rest, group=HAIR_GROUP + 1)


def _outside_torso(rig: Rig, points: Floats, margin: Floats) -> Floats:
    """Moves points out of chest and shoulders to behind the back, and up to the ground.

    Hair in front of the shoulders, under a bowed head, moves to the front of the chest instead.
    """
    frame, origin, rest = rig.orientation("chest"), rig.position("chest"), rig.at_rest("chest")
    away = points - origin
    local = np.stack([(away * frame[:, k]).sum(axis=-1) for k in range(3)], axis=-1) + rest
    height = np.clip(local[..., 1] / np.float32(rig.scale * rig.body.build.torso), 0.0, 0.53)
    one, none = np.ones_like(height), np.zeros_like(height)
    half_width = torso(rig.body, height, one, none)[..., 0]
    cos = np.asarray(np.clip(np.abs(local[..., 0]) / half_width, 0, 1) ** 1.25, dtype=np.float32)
    at_shoulders = local[(local[..., 1] < 0.53 * rig.scale) & (local[..., 1] > 0.46 * rig.scale)]
    side = np.float32(1 if len(at_shoulders) and at_shoulders[:, 2].mean() > 0.04 * rig.scale else -1)
    surface = torso(rig.body, height, cos, side * np.sqrt(1 - cos * cos), 0.010 * rig.scale)[..., 2]
    inside = np.maximum((surface - local[..., 2]) * side + margin, 0)
    near = smooth_step(0.57, 0.50, local[..., 1] / np.float32(rig.scale * rig.body.build.torso))
    near = near * smooth_step(1.12, 0.98, np.abs(local[..., 0]) / half_width)
    out = points + (inside * side * near)[..., None] * frame[:, 2]
    out[..., 1] = np.maximum(out[..., 1], np.float32(0.01))
    return np.asarray(out, dtype=np.float32)


def _bun(rig: Rig) -> Piece:
    angles, (cos, sin) = np.linspace(0.05, np.pi - 0.05, 20).astype(np.float32), circle(28)
    ring, level = np.sin(angles)[:, None], np.cos(angles)[:, None]
    twist = 1 + np.float32(0.05) * np.sin(np.arctan2(sin, cos)[None] * 5 + level * 5)
    size = np.float32(0.040)
    points = np.stack([ring * cos * twist * size, level * size * 0.9 + 0 * cos, ring * sin * twist * size], axis=-1)
    points = points + np.array([0, 0.165, -0.085], dtype=np.float32)
    scale = np.float32(rig.scale * rig.body.build.head)
    return loft(rig.rigid("head", points * scale), Surface.HAIR, Part.HAIR, rest=points)


def _ponytail(rig: Rig) -> list[Piece]:
    scale = np.float32(rig.scale * rig.body.build.head)
    frame = rig.orientation("head")
    root = rig.rigid("head", np.array([0, 0.130, -0.088]) * scale)
    out, fall = -frame[:, 2], np.array([0, -1, 0], dtype=np.float32)
    line = [root - out * 0.01 * scale]
    for step, share in enumerate((0.10, 0.45, 0.78, 0.92, 1.0, 1.0, 1.0)):
        direction = unit((out * np.float32(0.9) + frame[:, 1] * np.float32(0.25)) * (1 - share) + fall * share)
        line.append(line[-1] + direction * np.float32(0.036 if step < 3 else 0.052) * scale)
    points = _outside_torso(rig, np.array(line, dtype=np.float32), np.full(len(line), 0.028 * rig.scale, np.float32))
    sweep = tube(points, frame[:, 0], 5, 0.6)
    along = np.linspace(0, 1, len(sweep.centres))
    size = smooth_curve([0, 0.06, 0.10, 0.3, 0.6, 0.85, 1.0], [0.012, 0.013, 0.018, 0.030, 0.030, 0.020, 0.004], along)
    cos, sin = circle(24)
    strands = 1 + np.float32(0.06) * np.sin(np.arange(24) * 2 * np.pi / 24 * 6 + along[:, None] * 3)
    rings, _ = sweep.rings(
        size[:, None] * cos * strands * scale, size[:, None] * sin * strands * np.float32(0.8) * scale
    )
    rest = np.stack(
        [cos * size[:, None], np.broadcast_to(0.1 - along[:, None] * 0.3, strands.shape), sin * size[:, None]], axis=-1
    )
    return [loft(rings, Surface.HAIR, Part.HAIR, rest=rest)]


def _scarf(rig: Rig) -> list[Piece]:
    """A hijab: a cap that frames the face, and a cloth around neck and chest."""
    base = skull()
    x, y, z = base[..., 0], base[..., 1], base[..., 2]
    # No cloth inside an oval around the face.
    oval = np.sqrt((x / 0.060) ** 2 + ((y - 0.052) / 0.094) ** 2)
    above = np.where(z > 0.0, oval - 1, np.float32(1.0)) * np.float32(0.07)
    thick = np.float32(0.017) + np.float32(0.006) * smooth_step(0.10, 0.17, y)
    thick = thick + np.float32(0.0016) * np.sin(np.arctan2(x, y - 0.05) * 9 + z * 60)
    grown = smooth_step(-0.002, 0.012, above)
    outwards = unit(base - np.array([0.0, 0.06, -0.01], dtype=np.float32))
    points = base + outwards * (thick * grown - np.float32(0.010) * smooth_step(0.002, -0.008, above))[..., None]
    scale = np.float32(rig.scale * rig.body.build.head)
    cap = loft(rig.rigid("head", points * scale), Surface.SCARF, Part.HAIR, rest=base, group=SCARF_GROUP)

    cos, sin = circle(TORSO_SIDES)
    hem = 0.37 + 0.03 * np.abs(cos) - 0.03 * np.maximum(sin, 0)
    levels = 0.615 + (hem - 0.615) * np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    ease = smooth_curve(
        [0.34, 0.42, 0.48, 0.53, 0.58, 0.62], [0.024, 0.022, 0.022, 0.030, 0.026, 0.012], levels.ravel()
    )
    ease = ease.reshape(levels.shape)
    angle = np.arctan2(sin, cos)
    ease = ease + np.float32(0.0045) * np.sin(levels * 95 + np.cos(angle) * 2.4 + np.sin(angle * 2)) * smooth_step(
        0.60, 0.5, levels
    )
    rest = torso(rig.body, levels, cos, sin, ease * np.float32(rig.scale), 1.0)
    wrap = loft(rig.torso(rest), Surface.SCARF, Part.HAIR, rest=rest, group=SCARF_GROUP + 1)
    return [cap, wrap]
