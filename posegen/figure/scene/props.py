"""The shapes of props, each built into the box where the skeleton places it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from posegen.figure.geometry.mesh import Piece, loft
from posegen.figure.geometry.solids import ball, cylinder, rod, rounded_box, turned
from posegen.figure.geometry.vectors import Floats, constant, transformed
from posegen.figure.parts import Part
from posegen.figure.scene.materials import Material
from posegen.poses.posed_skeleton import PlacedProp, PosedSkeleton

Solid = tuple[Floats, int]
"""Rings in the box's frame, metres from its centre, and a material."""


class Space(NamedTuple):
    """The box that a prop fills; see `PlacedProp`."""

    size: tuple[float, float, float]
    seat: float | None


def props(skeleton: PosedSkeleton) -> list[Piece]:
    """The surfaces of all props, without walls, which `background` paints."""
    return [piece for prop in skeleton.props if prop.kind in _BUILDERS for piece in _built(prop)]


def _built(prop: PlacedProp) -> list[Piece]:
    frame, origin = prop.orientation.astype(np.float32), prop.position.astype(np.float32)
    x, y, z = (float(side) for side in prop.size)
    pieces = []
    for rings, material in _solids(prop.kind, Space((x, y, z), prop.seat)):
        posed = transformed(rings, frame, origin)
        two_sided = prop.kind == "umbrella" and material == Material.ACCENT
        pieces.append(loft(posed, material, Part.PROP, rest=rings, two_sided=two_sided))
    return pieces


@lru_cache(maxsize=32)
def _solids(kind: str, space: Space) -> tuple[Solid, ...]:
    return tuple((constant(rings), material) for rings, material in _BUILDERS[kind](space))


def _box(prop: Space) -> list[Solid]:
    return [(rounded_box(prop.size, 0.006), Material.CARDBOARD)]


def _phone(prop: Space) -> list[Solid]:
    x, y, z = prop.size
    screen = rounded_box((x * 0.92, y * 0.95, 0.001), 0.0004, (0, 0, z / 2))
    lens = rounded_box((x * 0.34, y * 0.18, 0.004), 0.002, (-x * 0.24, y * 0.36, -z / 2))
    return [(rounded_box(prop.size, 0.008), Material.DARK), (screen, Material.SCREEN), (lens, Material.STEEL)]


def _cup(prop: Space) -> list[Solid]:
    x, y, _ = prop.size
    top, bottom = x * 0.46, x * 0.34
    body = [
        (y * 0.40, top * 0.9),
        (y * 0.40, top),
        (y * 0.38, top),
        (-y * 0.46, bottom),
        (-y * 0.5, bottom * 0.97),
        (-y * 0.5, bottom * 0.9),
    ]
    lid = [
        (y * 0.5, top * 0.75),
        (y * 0.5, top * 0.84),
        (y * 0.47, top * 0.9),
        (y * 0.43, top * 0.92),
        (y * 0.42, top * 1.08),
        (y * 0.385, top * 1.08),
        (y * 0.38, top),
    ]
    sleeve = [(y * 0.16, top * 0.9), (y * 0.16, top * 0.965), (-y * 0.24, bottom * 1.17), (-y * 0.24, bottom * 1.0)]
    return [(turned(body), Material.PAPER), (turned(lid), Material.DARK), (turned(sleeve), Material.CARDBOARD)]


def _shopping_bag(prop: Space) -> list[Solid]:
    x, y, z = prop.size
    height = y * 0.74
    body = rounded_box((x, height, z), 0.004, (0, -(y - height) / 2, 0))
    solids: list[Solid] = [(body, Material.ACCENT)]
    rim = height / 2 - (y - height) / 2
    for side in (-1, 1):
        loop = [
            (-x * 0.2, rim - 0.01, side * z * 0.45),
            (-x * 0.18, y * 0.36, side * z * 0.25),
            (-x * 0.06, y * 0.48, 0),
            (x * 0.06, y * 0.48, 0),
            (x * 0.18, y * 0.36, side * z * 0.25),
            (x * 0.2, rim - 0.01, side * z * 0.45),
        ]
        solids.append((rod(loop, 0.0042), Material.DARK))
    return solids


def _suitcase(prop: Space) -> list[Solid]:
    x, y, z = prop.size
    height = min(y * 0.64, 0.66)
    base = -y / 2 + 0.05
    solids: list[Solid] = [(rounded_box((x, height, z), 0.035, (0, base + height / 2, 0)), Material.CASE)]
    solids += [
        (rounded_box((x * 1.012, 0.012, z * 1.02), 0.004, (0, base + height * level, 0)), Material.ACCENT)
        for level in (0.27, 0.5, 0.73)
    ]
    for side in (-1, 1):
        solids.append(
            (
                rod([(side * x * 0.26, base + height * 0.9, -z * 0.2), (side * x * 0.26, y / 2, -z * 0.2)], 0.007),
                Material.STEEL,
            )
        )
        for depth in (-1, 1):
            wheel = cylinder(-0.012, 0.012, 0.026, 0.004, 18, axis=0) + np.array(
                [side * x * 0.4, -y / 2 + 0.026, depth * z * 0.34]
            )
            solids.append((wheel.astype(np.float32), Material.RUBBER))
    solids.append((rod([(-x * 0.29, y / 2, -z * 0.2), (x * 0.29, y / 2, -z * 0.2)], 0.012), Material.DARK))
    return solids


def _umbrella(prop: Space) -> list[Solid]:
    x, y, _ = prop.size
    radius, top, ribs = x / 2, y / 2 - 0.03, 8
    share = np.linspace(0.02, 1, 20, dtype=np.float32)[:, None]
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False, dtype=np.float32)
    scallop = np.abs(np.sin(angle * ribs / 2))
    reach = share * np.float32(radius) * (1 - np.float32(0.06) * share**3 * scallop)
    drop = np.float32(0.27 * radius / 0.52) * share**2 - np.float32(0.018) * scallop * share**2
    canopy = np.stack([reach * np.cos(angle), np.float32(top) - drop, reach * np.sin(angle)], axis=-1)
    hook = [
        (0, -y / 2 + 0.14, 0),
        (0, -y / 2 + 0.04, 0),
        (0, -y / 2 + 0.005, 0.012),
        (0, -y / 2, 0.04),
        (0, -y / 2 + 0.02, 0.068),
    ]
    return [
        (canopy.astype(np.float32), Material.ACCENT),
        (rod([(0, -y / 2 + 0.1, 0), (0, y / 2, 0)], 0.006), Material.STEEL),
        (rod(hook, 0.0115, (1, 0, 0)), Material.WOOD),
    ]


def _microphone(prop: Space) -> list[Solid]:
    x, y, _ = prop.size
    radius = x / 2
    handle = [
        (y / 2 - 1.3 * radius, radius * 0.5),
        (y / 2 - 1.3 * radius, radius * 0.72),
        (y * 0.1, radius * 0.58),
        (-y / 2, radius * 0.44),
        (-y / 2, radius * 0.3),
    ]
    collar = cylinder(y / 2 - 1.5 * radius, y / 2 - 1.15 * radius, radius * 0.86, 0.002)
    return [
        (turned(handle), Material.DARK),
        (collar, Material.ACCENT),
        (ball(radius, (0, y / 2 - radius, 0)), Material.STEEL),
    ]


def _dumbbell(prop: Space) -> list[Solid]:
    x, y, _ = prop.size
    solids: list[Solid] = [(cylinder(-y / 2 + 0.01, y / 2 - 0.01, 0.014), Material.STEEL)]
    for end in (-1, 1):
        middle = end * (y / 2 - 0.045)
        solids.append((cylinder(middle - 0.045, middle + 0.045, x / 2, 0.008, 24), Material.RUBBER))
        solids.append((cylinder(middle - 0.046, middle + 0.046, x * 0.2, 0.003, 20), Material.STEEL))
    return solids


def _barbell(prop: Space) -> list[Solid]:
    x, y, _ = prop.size
    solids: list[Solid] = [(cylinder(-x / 2, x / 2, 0.014, axis=0), Material.STEEL)]
    for end in (-1, 1):
        for place, radius, material in (
            (0.155, y / 2, Material.RUBBER),
            (0.11, y * 0.36, Material.ACCENT),
            (0.07, 0.03, Material.STEEL),
        ):
            middle = end * (x / 2 - place)
            solids.append((cylinder(middle - 0.02, middle + 0.02, radius, 0.006, 36, axis=0), material))
    return solids


def _book(prop: Space) -> list[Solid]:
    """An open book; its pages face the front."""
    x, y, z = prop.size
    solids: list[Solid] = []
    for side in (-1, 1):
        for size, depth, material in (
            ((x * 0.5, y, 0.006), -0.010, Material.ACCENT),
            ((x * 0.475, y * 0.94, z * 0.45), 0.0, Material.PAGES),
        ):
            slab = rounded_box(size, 0.003, (side * size[0] / 2, 0, depth))
            slab[..., 2] += np.abs(slab[..., 0]) * np.float32(0.22)
            solids.append((slab, material))
    return solids


def _bouquet(prop: Space) -> list[Solid]:
    x, y, _ = prop.size
    cone = [
        (y * 0.20, x * 0.30),
        (y * 0.20, x * 0.40),
        (y * 0.05, x * 0.27),
        (-y * 0.25, x * 0.10),
        (-y * 0.32, x * 0.075),
        (-y * 0.5, x * 0.12),
        (-y * 0.5, x * 0.05),
    ]
    solids: list[Solid] = [(turned(cone), Material.PAPER)]
    for k in range(15):
        angle, ring = k * 2.39996, np.sqrt((k + 0.4) / 15)
        place = (np.cos(angle) * ring * x * 0.36, y * (0.40 - 0.17 * ring**2), np.sin(angle) * ring * x * 0.36)
        material = (Material.PETAL, Material.BLOSSOM, Material.PETAL, Material.LEAF)[k % 4]
        size = 0.042 if material != Material.LEAF else 0.032
        flower = ball(size, (0, 0, 0), 14, 24)
        around = np.arctan2(flower[..., 2], flower[..., 0])
        flower *= (1 + np.float32(0.10) * np.sin(around * 5 + flower[..., 1] * 120))[..., None]
        solids.append(((flower + np.array(place)).astype(np.float32), material))
    return solids


def _ball(prop: Space) -> list[Solid]:
    return [(ball(float(prop.size[1]) / 2, rings=34, sides=48), Material.BALL)]


def _chair(prop: Space) -> list[Solid]:
    x, y, z = prop.size
    seat = (prop.seat or y * 0.5) - y / 2
    solids: list[Solid] = [(rounded_box((x, 0.045, z), 0.02, (0, seat - 0.0225, 0)), Material.CUSHION)]
    for side in (-1, 1):
        front = [(side * (x / 2 - 0.04), seat - 0.03, z / 2 - 0.04), (side * (x / 2 - 0.02), -y / 2, z / 2 - 0.015)]
        back = [
            (side * (x / 2 - 0.035), y / 2 - 0.06, -z / 2 - 0.01),
            (side * (x / 2 - 0.035), seat - 0.02, -z / 2 + 0.03),
            (side * (x / 2 - 0.02), -y / 2, -z / 2 + 0.0),
        ]
        solids += [(rod(front, 0.015), Material.WOOD), (rod(back, 0.015), Material.WOOD)]
    rest = rounded_box((x * 0.96, 0.20, 0.03), 0.014, (0, y / 2 - 0.10, -z / 2 - 0.005))
    rest[..., 2] -= np.float32(0.05) * (1 - (rest[..., 0] / np.float32(x / 2)) ** 2)
    return [*solids, (rest, Material.CUSHION)]


def _stool(prop: Space) -> list[Solid]:
    x, y, z = prop.size
    seat = (prop.seat or y) - y / 2
    top = cylinder(seat - 0.05, seat, x / 2, 0.018, 40)
    top[..., 2] *= np.float32(z / x)
    solids: list[Solid] = [(top, Material.CUSHION)]
    ring = []
    for sx, sz in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
        solids.append(
            (
                rod([(sx * x * 0.26, seat - 0.04, sz * z * 0.26), (sx * x * 0.40, -y / 2, sz * z * 0.40)], 0.013),
                Material.WOOD,
            )
        )
        ring.append((sx * x * 0.36, -y / 2 + (seat + y / 2) * 0.30, sz * z * 0.36))
    for start, end in zip(ring, [*ring[1:], ring[0]], strict=True):
        solids.append((rod([start, end], 0.009, (0, 1, 0)), Material.STEEL))
    return solids


def _table(prop: Space) -> list[Solid]:
    x, y, z = prop.size
    solids: list[Solid] = [(rounded_box((x, 0.035, z), 0.008, (0, y / 2 - 0.0175, 0)), Material.WOOD)]
    for sx in (-1, 1):
        for sz in (-1, 1):
            leg = [
                (sx * (x / 2 - 0.06), y / 2 - 0.03, sz * (z / 2 - 0.06)),
                (sx * (x / 2 - 0.04), -y / 2, sz * (z / 2 - 0.04)),
            ]
            solids.append((rod(leg, 0.02), Material.STEEL))
    return solids


def _mat(prop: Space) -> list[Solid]:
    # Slightly above the ground, which would hide it otherwise.
    return [(rounded_box(prop.size, 0.004, (0, 0.004, 0)), Material.ACCENT)]


_BUILDERS: dict[str, Callable[[Space], list[Solid]]] = {
    "box": _box,
    "phone": _phone,
    "cup": _cup,
    "shopping_bag": _shopping_bag,
    "suitcase": _suitcase,
    "umbrella": _umbrella,
    "microphone": _microphone,
    "dumbbell": _dumbbell,
    "barbell": _barbell,
    "book": _book,
    "bouquet": _bouquet,
    "ball": _ball,
    "chair": _chair,
    "stool": _stool,
    "table": _table,
    "mat": _mat,
}
