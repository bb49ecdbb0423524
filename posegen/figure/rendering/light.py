"""Lamps, the shadows of the key light, and ambient occlusion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.figure.geometry.mesh import Mesh
from posegen.figure.geometry.vectors import Floats, cross, unit
from posegen.figure.rendering.raster import Projected, front_facing, nearest, outlines, unpack

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Lighting:
    """The lamps of a picture; colours are linear. `key`, `fill`, `rim`: (3,) unit vectors towards the lamp.

    `sky`, `ground`: ambient light from above and below; `softness`: metres over which shadows fade.
    """

    key: Floats
    key_colour: Colour
    fill: Floats
    fill_colour: Colour
    rim: Floats
    rim_colour: Colour
    sky: Colour
    ground: Colour
    softness: float = 0.025


def direction(yaw: float, pitch: float) -> Floats:
    """(3,) unit vector: `yaw` degrees from the viewer's side (+z) towards +x, `pitch` degrees up."""
    a, b = np.deg2rad(yaw), np.deg2rad(pitch)
    return unit([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])


_BIAS = np.float32(0.012)  # metres that a point may lie behind the mapped surface and still be lit


class ShadowMap:
    """A variance shadow map of the key light: blurred mean and variance of the depth of the first surface.

    The one-sided Chebyshev inequality gives an upper bound of the share of light at a point from both, so that one
    lookup gives soft edges.
    """

    SIZE = 384

    def __init__(self, mesh: Mesh, key: Floats, softness: float) -> None:
        across = unit(np.array([key[2], 0.0, -key[0]], dtype=np.float32) + np.float32(1e-6))
        upwards = cross(key, across)
        self._axes = (across, upwards, key)
        u, v, near = (self._along(axis, *mesh.vertices.T) for axis in self._axes)
        margin = np.float32(4 * softness)
        self._corner = (u.min() - margin, v.min() - margin)
        extent = max(float(np.ptp(u)), float(np.ptp(v))) + 2 * float(margin)
        self._scale = np.float32(self.SIZE / extent)
        self._floor = near.min() - np.float32(1.0)
        column, row = self._cells(u, v)
        view = Projected(column, row, near - self._floor, mesh.coarse.corners)
        # Rows of the map run upwards, so the winding of faces is the opposite of that in a picture.
        facing = front_facing(replace(view, y=-row), mesh.two_sided.take(mesh.coarse.piece))
        front = nearest(outlines(view, facing), self.SIZE, self.SIZE)
        height = unpack(front)[1].reshape(self.SIZE, self.SIZE)
        radius = max(round(softness * float(self._scale) / 2), 1)
        self._moments = soften(np.dstack([height, height * height]), radius)

    @staticmethod
    def _along(axis: Floats, x: Floats, y: Floats, z: Floats) -> Floats:
        along: Floats = x * axis[0] + y * axis[1] + z * axis[2]
        return along

    def _cells(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        return (u - self._corner[0]) * self._scale, (v - self._corner[1]) * self._scale

    def lit(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Share of the key light that reaches world points, 0 to 1. Shapes as in `sample`."""
        column, row = self._cells(self._along(self._axes[0], x, y, z), self._along(self._axes[1], x, y, z))
        near = np.maximum(self._along(self._axes[2], x, y, z) - self._floor, np.float32(0.05))
        mean, square = np.moveaxis(sample(self._moments, column, row), -1, 0)
        variance = np.maximum(square - mean * mean, np.float32(2e-5))
        behind = mean - _BIAS - near
        share = variance / (variance + behind * behind)
        # Cuts off light that leaks through two layers, and stretches the rest to the whole range.
        share = np.clip((share - np.float32(0.25)) * np.float32(1 / 0.75), 0, 1)
        outside = (np.minimum(column, row) < 1) | (np.maximum(column, row) > self.SIZE - 1)
        lit: Floats = np.where((behind <= 0) | outside, np.float32(1), share)
        return lit


def soften(image: Floats, radius: int) -> Floats:
    """The image (h, w) or (h, w, c) after two box blurs, which together are a tent filter."""
    size = (2 * radius + 1, 2 * radius + 1)
    once = cv2.blur(image, size, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.blur(once, size, borderType=cv2.BORDER_REPLICATE), np.float32)


def sample(image: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear samples of an image (h, w) or (h, w, c) whose pixel centres are at halves; its border is repeated.

    `x`, `y`: positions in pixels, (n,) or (m, n), each side below 32767. Returns the same shape, with c as last axis.
    """
    half = np.float32(0.5)
    columns, rows = np.atleast_2d(x - half), np.atleast_2d(y - half)
    found = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(*x.shape, *image.shape[2:])


_RING = tuple((np.cos(a), np.sin(a)) for a in np.linspace(0, np.pi, 6, endpoint=False))


def corners(depth: Floats, reach: float) -> Floats:
    """Ambient occlusion, 0 (open) to 1: how far each pixel is behind its surroundings within `reach` pixels.

    `depth`: (h, w) metres, very large for the background. Opposite neighbours are added up, so that slopes, however
    steep, occlude nothing.
    """
    margin = int(np.ceil(reach))
    padded = np.pad(depth, margin, mode="edge")
    height, width = depth.shape
    hidden = np.zeros_like(depth)

    def shifted(dx: int, dy: int) -> NDArray[np.float32]:
        return padded[margin + dy : margin + dy + height, margin + dx : margin + dx + width]

    for scale in (1.0, 0.5):
        for cos, sin in _RING:
            dx, dy = round(cos * reach * scale), round(sin * reach * scale)
            step = _step(depth, shifted(dx, dy))
            step += _step(depth, shifted(-dx, -dy))
            step *= np.float32(12)
            hidden += np.clip(step, 0, 1, out=step)
    return hidden * np.float32(1 / 12)


def _step(depth: Floats, neighbour: Floats) -> Floats:
    """How far pixels are behind a neighbour, metres, -0.1 to 0.1.

    0 for a much nearer neighbour: it is another body part far in front, which does not occlude this one.
    """
    step: Floats = depth - neighbour
    close = step < np.float32(0.30)
    np.clip(step, np.float32(-0.10), np.float32(0.10), out=step)
    step *= close
    return step
