"""Paints the scenery behind the figure: studio, room, city, park, beach. `background` adds shadows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from posegen.figure.geometry.curves import bell, modulo, smooth_step
from posegen.figure.geometry.vectors import Floats, hypotenuse
from posegen.figure.rendering.looks import blend, linear, mix, tint
from posegen.figure.scene.backdrop import WALL, Rays, blank, blurred
from posegen.figure.scene.settings import Scene

_CURVE = 1.3  # metres before the wall over which a studio's floor curves up into it


def paint_scenery(scene: Scene, rays: Rays) -> Floats:
    """(3, h, w) linear light."""
    painters: dict[str, Callable[[Scene, Rays], Floats]] = {
        "studio": _studio,
        "room": _room,
        "city": _city,
        "park": _park,
        "beach": _beach,
    }
    return painters[scene.setting.scenery](scene, rays)


def _studio(scene: Scene, rays: Rays) -> Floats:
    """A cyclorama: the floor curves into the wall without an edge, and a lamp lights the wall behind the figure."""
    wall_share = smooth_step(WALL - _CURVE, WALL + 0.6, rays.floor_away)
    height, width = rays.shape
    across = np.linspace(-1, 1, width, dtype=np.float32)[None] - np.float32(scene.variation.uniform(-0.25, 0.25))
    upwards = np.linspace(1, -1, height, dtype=np.float32)[:, None] - np.float32(scene.variation.uniform(0.0, 0.3))
    spot = np.exp(-(across**2 / np.float32(0.55) + upwards**2 / np.float32(0.75)))
    glow = scene.setting.glow
    wall_light = np.float32(1 - 0.30 * min(glow, 0.9)) + np.float32(glow * 0.55) * spot
    around = np.exp(-(rays.floor_away**2 + rays.floor_side**2) / np.float32(4.0))
    picture = blank(rays, scene.floor)
    picture *= 0.88 + 0.16 * around
    for channel, value in zip(picture, scene.wall, strict=True):
        channel += wall_share * (np.float32(value) * wall_light - channel)
    return picture


def _room(scene: Scene, rays: Rays) -> Floats:
    """A wall with a window's light on it, a picture, a sofa, a plant and a wooden floor."""
    mirror = np.float32(1 if scene.variation.random() < 0.5 else -1)
    side, rise = rays.wall(WALL)
    side = (side + np.float32(scene.variation.uniform(-0.35, 0.35))) * mirror
    picture = blank(rays, scene.wall)
    picture *= np.float32(0.92) + np.float32(0.20) * bell(0.6, 1.6, side) * bell(1.9, 1.3, rise)
    slanted = rise - side * np.float32(0.25)
    pane = (side > 0.35) & (side < 1.55) & (slanted > 1.2) & (slanted < 2.35)
    pane &= (np.abs(side - 0.95) > 0.03) & (np.abs(slanted - 1.78) > 0.03)
    mix(picture, tint(blend(scene.wall, (1.0, 0.93, 0.8), 0.5), 1.18), blurred(pane, 3) * np.float32(0.55))
    frame = (np.abs(side + 1.4) < 0.35) & (np.abs(rise - 1.8) < 0.45)
    art = (np.abs(side + 1.4) < 0.30) & (np.abs(rise - 1.8) < 0.40)
    mix(picture, linear(74, 58, 46), blurred(frame, 1.5))
    mix(picture, linear(228, 216, 198), blurred(art, 1.5))
    mix(picture, linear(198, 122, 88), blurred(art & (hypotenuse(side + 1.4, rise - 1.86) < 0.17), 1.5))
    mix(picture, linear(98, 124, 112), blurred(art & (rise < 1.66 + 0.08 * np.sin(side * 6)), 1.5))
    mix(picture, linear(238, 230, 218), blurred((rise > 0) & (rise < 0.12), 1.2))
    _sofa(picture, side, rise)
    _plant(picture, side, rise, scene.variation)
    floor = blank(rays, scene.floor) * _planks(rays)
    floor *= 1 - np.float32(0.22) * smooth_step(WALL - 0.9, WALL, rays.floor_away)
    picture += blurred(rays.floor_away < WALL, 0.8) * (floor - picture)
    return picture


def _sofa(picture: Floats, side: Floats, rise: Floats) -> None:
    cloth = linear(112, 128, 128)
    back = (np.abs(side - 1.55) < 0.95) & (rise > 0.1) & (rise < 0.82)
    seat = (np.abs(side - 1.55) < 1.0) & (rise > 0.1) & (rise < 0.48)
    arm = (np.abs(side - 0.58) < 0.13) & (rise > 0.05) & (rise < 0.62)
    cushion = (hypotenuse((side - 1.05) * 0.9, rise - 0.62) < 0.20) & (rise > 0.46)
    mix(picture, tint(cloth, 0.85), blurred(back, 2.5))
    mix(picture, cloth, blurred(seat, 2.5))
    mix(picture, tint(cloth, 1.12), blurred(arm, 2.0))
    mix(picture, linear(208, 142, 92), blurred(cushion, 2.0))


def _plant(picture: Floats, side: Floats, rise: Floats, variation: np.random.Generator) -> None:
    pot = (np.abs(side + 1.95) < 0.17 + (rise - 0.2) * 0.12) & (rise > 0.0) & (rise < 0.42)
    mix(picture, linear(206, 190, 172), blurred(pot, 1.8))
    near = _window(side, rise, (-1.95, 0.8), 1.3)
    beside, above, corner = side[near] + 1.95, rise[near] - 0.4, picture[:, *near]
    for _ in range(16):
        angle, length, shade = (
            variation.uniform(-1.15, 1.15),
            variation.uniform(0.45, 1.05),
            variation.uniform(0.7, 1.25),
        )
        if not beside.size:
            continue
        x, y = float(np.sin(angle)), float(np.cos(angle))
        along = beside * x + above * y
        across = beside * y - above * x + 0.25 * along**2 * float(np.sign(angle))
        width = 0.075 * np.sqrt(np.clip(along / length * (1 - along / length) * 4, 0, 1))
        leaf = (along > 0) & (along < length) & (np.abs(across) < width)
        mix(corner, tint(linear(82, 118, 74), shade), blurred(leaf, 1.3) * 0.9)


def _planks(rays: Rays) -> Floats:
    board = np.floor(rays.floor_side / np.float32(0.14))
    shift = np.sin(board * 12.9898) * np.float32(43.7)
    length = np.floor((rays.floor_away + shift) / np.float32(1.1))
    tone = np.sin(board * 78.2 + length * 37.7) * np.float32(0.06)
    fine = np.clip(1.4 - np.abs(rays.floor_away) / 4, 0, 1)
    gap = np.abs(rays.floor_side / np.float32(0.14) - board - np.float32(0.5)) > 0.47
    wood: Floats = np.float32(1.0) + tone.astype(np.float32) * fine - np.float32(0.14) * gap * fine
    return wood


def _window(side: Floats, rise: Floats, middle: tuple[float, float], reach: float) -> tuple[slice, slice]:
    """Rows and columns of the coarse picture that contain all points within `reach` metres of a point on a wall."""
    rows = np.flatnonzero(np.abs(rise[:, rise.shape[1] // 2] - middle[1]) < reach * 1.3)
    columns = np.flatnonzero(np.abs(side[side.shape[0] // 2] - middle[0]) < reach * 1.3)
    if not len(rows) or not len(columns):
        return slice(0), slice(0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _horizon(rays: Rays) -> Floats:
    """Share of sky: 0 below the horizon, 1 above."""
    return smooth_step(-0.006, 0.006, rays.elevation)


def _sky(picture: Floats, rays: Rays, low: tuple[float, float, float], high: tuple[float, float, float]) -> None:
    share = smooth_step(-0.05, 0.35, rays.elevation)
    for channel, one, other in zip(picture, low, high, strict=True):
        channel[:] = np.float32(one) + share * np.float32(other - one)


def _city(scene: Scene, rays: Rays) -> Floats:
    """A pavement before a row of shops with lit windows, all out of focus."""
    variation = scene.variation
    side, rise = rays.wall(5.2)
    shift = variation.uniform(0, 5)
    side = side + np.float32(shift)
    shop = np.floor(side / np.float32(2.6))
    u = side - shop * np.float32(2.6)
    picture = blank(rays, scene.wall)
    fronts = (linear(196, 176, 156), linear(150, 158, 168), linear(186, 150, 130), linear(206, 200, 190))
    awnings = (linear(176, 74, 62), linear(74, 112, 104), linear(70, 92, 132), linear(206, 156, 84))
    kind = modulo(shop + np.float32(variation.integers(4)), 4)
    for k in range(4):
        mix(picture, fronts[k], (kind == k).astype(np.float32))
    glass = (u > 0.28) & (u < 2.32) & (rise > 0.42) & (rise < 2.25)
    window = blurred(glass, 1.8)
    mix(picture, linear(112, 108, 104), window)
    mix(picture, linear(196, 160, 118), window * smooth_step(2.4, 0.9, rise) * np.float32(0.5))
    for _ in range(34):
        x, y = shift + variation.uniform(-3.4, 3.4), variation.uniform(0.55, 2.15)
        size = variation.uniform(0.08, 0.26)
        warm = (linear(255, 212, 146), linear(255, 236, 204), linear(226, 150, 110))[int(variation.integers(3))]
        near = _window(side, rise, (x, y), size)
        spot = hypotenuse(side[near] - x, (rise[near] - y) * 1.1)
        light = smooth_step(size, size * 0.6, spot) * window[near] * np.float32(variation.uniform(0.3, 0.7))
        mix(picture[:, *near], warm, light)
    awning = (u > 0.12) & (u < 2.48) & (rise > 2.25) & (rise < 2.78)
    for k in range(4):
        mix(picture, awnings[k], blurred(awning & (kind == k), 1.4))
    mix(picture, linear(236, 228, 214), blurred(awning & (modulo(side, 0.34) < 0.17), 1.0) * np.float32(0.6))
    upper = (np.abs(modulo(u, 1.3) - 0.65) < 0.36) & (rise > 3.25)
    mix(picture, linear(88, 100, 116), blurred(upper, 1.6))
    plants = (hypotenuse(modulo(side + 0.35, 2.6) - 0.35, (rise - 0.42) * 0.8) < 0.34) & (rise > 0)
    mix(picture, linear(86, 116, 76), blurred(plants, 1.8))
    ground = blank(rays, scene.floor) * (
        np.float32(0.92) + np.float32(0.14) * np.exp(-np.abs(rays.floor_away) / np.float32(3))
    )
    slab = (np.abs(modulo(rays.floor_side, 0.8) - 0.4) > 0.39) | (np.abs(modulo(rays.floor_away, 0.8) - 0.4) > 0.388)
    ground *= 1 - np.float32(0.09) * blurred(slab & (rays.floor_away < 3), 0.7)
    ground *= 1 - np.float32(0.25) * smooth_step(4.2, 5.2, rays.floor_away)
    picture += blurred(rays.floor_away < 5.2, 1.2) * (ground - picture)
    return picture


def _park(scene: Scene, rays: Rays) -> Floats:
    """A lawn, bushes, trees with light between their leaves, and sky."""
    variation = scene.variation
    picture = blank(rays, scene.wall)
    _sky(picture, rays, linear(242, 242, 226), linear(170, 208, 236))
    for layer, distance in enumerate((13.0, 9.0)):
        side, rise = rays.wall(distance)
        leaves = (linear(156, 182, 128), linear(92, 128, 70))[layer]
        trunks, crowns = np.zeros(rays.shape, np.bool_), np.zeros(rays.shape, np.bool_)
        lumps = np.sin(side * 7) * np.sin(rise * 6) * 0.14
        for step in range(-4, 5):
            x = step * 2.3 + variation.uniform(-0.7, 0.7)
            trunks |= (np.abs(side - x) < 0.13) & (rise < 3.0)
            for _ in range(4):
                middle = (x + variation.uniform(-0.9, 0.9), variation.uniform(2.2, 4.4))
                size = variation.uniform(0.7, 1.15)
                near = _window(side, rise, middle, size + 0.15)
                crowns[near] |= hypotenuse(side[near] - middle[0], rise[near] - middle[1]) < size + lumps[near]
        mix(picture, linear(104, 88, 70), blurred(trunks, 2.2) * np.float32(0.8))
        share = blurred(crowns, 3.0 - layer)
        mix(picture, leaves, share)
        mix(
            picture,
            tint(leaves, 1.55),
            share * blurred(crowns & (np.sin(side * 3 + rise * 2.6) > 0.45), 3) * np.float32(0.6),
        )
    side, rise = rays.wall(6.5)
    top = 0.85 + 0.22 * np.sin(side * 1.7 + variation.uniform(0, 6)) + 0.10 * np.sin(side * 4.1)
    mix(picture, linear(88, 122, 66), blurred(rise < top, 2.2))
    mix(picture, linear(150, 180, 98), blurred((rise < top) & (rise > top - 0.22), 3.0) * np.float32(0.5))
    for _ in range(8):
        middle = (variation.uniform(-5, 5), variation.uniform(0.3, 0.9))
        near = _window(side, rise, middle, 0.1)
        spot = hypotenuse(side[near] - middle[0], rise[near] - middle[1])
        mix(picture[:, *near], linear(244, 216, 222), smooth_step(0.10, 0.06, spot) * np.float32(0.5))
    picture += blurred(rays.floor_away < 6.5, 1.6) * (_lawn(scene, rays) - picture)
    return picture


def _lawn(scene: Scene, rays: Rays) -> Floats:
    patches = np.sin(rays.floor_side * 2.1 + np.sin(rays.floor_away * 1.3)) * np.sin(rays.floor_away * 1.7 + 0.5)
    uneven = scene.variation.random(rays.shape, dtype=np.float32) - np.float32(0.5)
    near = np.clip(1.5 - rays.floor_away / 3, 0.2, 1)
    lawn: Floats = blank(rays, scene.floor) * (
        np.float32(1.0) + np.float32(0.07) * patches + np.float32(0.16) * uneven * near
    )
    sun = smooth_step(0.45, 0.9, np.sin(rays.floor_side * 1.1 + 2) * np.sin(rays.floor_away * 1.4 + 1))
    lawn *= 1 + np.float32(0.22) * blurred(sun, 2.5)
    lawn *= 1 - np.float32(0.22) * smooth_step(4.8, 6.5, rays.floor_away)
    return lawn


def _beach(scene: Scene, rays: Rays) -> Floats:
    """Sand, surf, sea and a hazy sky with the sun's glow."""
    variation, azimuth, elevation = scene.variation, rays.azimuth, rays.elevation
    picture = blank(rays, scene.wall)
    _sky(picture, rays, linear(240, 238, 228), linear(126, 186, 228))
    sun = float(variation.uniform(-0.35, 0.35))
    glow = np.exp(-((azimuth - sun) ** 2 / np.float32(0.05) + (elevation - 0.16) ** 2 / np.float32(0.03)))
    mix(picture, linear(255, 244, 220), glow * np.float32(0.6))
    for _ in range(5):
        x, y = variation.uniform(-0.5, 0.5), variation.uniform(0.12, 0.30)
        cloud = np.exp(-(((azimuth - x) / np.float32(0.13)) ** 2 + ((elevation - y) / np.float32(0.016)) ** 2))
        mix(picture, linear(252, 250, 246), cloud * np.float32(0.5))
    shore = np.float32(5.5) + np.float32(0.25) * np.sin(rays.floor_side * 0.6 + variation.uniform(0, 6))
    sea = blank(rays, linear(92, 160, 182))
    share = smooth_step(6, 40, rays.floor_away)
    mix(sea, linear(64, 128, 172), share)
    sea *= 1 + np.float32(0.05) * np.sin(rays.floor_away * 5 + np.sin(rays.floor_side * 1.5))
    surf = bell(0.0, 0.35, rays.floor_away - shore - 0.25) + np.float32(0.5) * bell(
        0.0, 0.22, rays.floor_away - shore - 1.6
    )
    mix(sea, (0.94, 0.96, 0.97), np.clip(surf, 0, 1))
    sand = blank(rays, scene.floor)
    ripples = np.sin(rays.floor_away * 17 + np.sin(rays.floor_side * 3.1) * 1.6) * (rays.floor_away < 4)
    sand *= 1 + np.float32(0.025) * ripples
    sand *= 1 - np.float32(0.28) * smooth_step(-1.3, -0.2, rays.floor_away - shore)
    wet = smooth_step(-0.15, 0.1, rays.floor_away - shore)
    ground = sand + wet * (sea - sand)
    picture += (1 - _horizon(rays)) * (ground - picture)
    return picture
