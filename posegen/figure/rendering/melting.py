"""Smooths the creases between pieces of one group: near them, normals are averaged over a small disc."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.figure.geometry.mesh import Mesh
from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.visibility import Seen

_TOUCHING = np.float32(0.012)  # greatest difference in depth of neighbours on one surface, metres
_NEAR = np.float32(0.045)  # difference in depth at which a tap no longer counts, metres
_TAPS = 18  # points that are averaged
_GOLDEN = np.pi * (3 - np.sqrt(5))


def melt(mesh: Mesh, seen: Seen, normals: tuple[Floats, Floats, Floats], radius: float) -> None:
    """Smooths the normals of points near creases, in place. `radius`: pixels."""
    melts, joined = _joints(mesh)
    piece, far = seen.piece.ravel(), seen.far.ravel()
    crease = _creases(seen.piece, seen.far, melts)
    if not crease.any():
        return
    reach = int(np.ceil(radius))
    around = cv2.dilate(crease, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    zone = np.flatnonzero(around.view(np.bool_))
    zone = zone[joined.diagonal().take(piece.take(zone))]
    # Index of the point of each pixel. Pixels without a point may have any: they are joined to no piece.
    middles = np.flatnonzero(seen.middle)
    point = seen.window.image(seen.pixel.take(middles), middles.astype(np.int32), 0).ravel()
    smooth = _averaged(normals, zone, point, piece, far, joined, radius, seen.window.width)
    for axis, values in zip(normals, smooth, strict=True):
        axis[point.take(zone)] = values


def _joints(mesh: Mesh) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two tables (pieces + 1, pieces + 1) by numbers as in `Seen.piece`: which other pieces a piece blends into; and
    the same, with each piece of a group also joined to itself.
    """
    group = np.concatenate([np.zeros(1, np.uint8), mesh.group])
    alike = (group[:, None] // 2 == group // 2) & (group > 0)
    branches = (group[:, None] & group & 1) > 0
    same = np.eye(len(group), dtype=np.bool_)
    return alike & ~branches & ~same, alike & (~branches | same)


def _creases(piece: NDArray[np.uint8], far: Floats, melts: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """1 where the right or lower neighbour belongs to another piece that the pixel's own piece blends into."""
    crease = np.zeros(piece.shape, np.uint8)
    pieces, depths = piece.ravel(), far.ravel()
    for step in (1, piece.shape[1]):
        border = np.flatnonzero(pieces[:-step] != pieces[step:])
        touching = np.abs(depths.take(border) - depths.take(border + step)) < _TOUCHING
        touching &= melts[pieces.take(border), pieces.take(border + step)]
        crease.ravel()[border[touching]] = 1
    return crease


def _averaged(
    normals: tuple[Floats, Floats, Floats],
    zone: NDArray[np.intp],
    point: NDArray[np.int32],
    piece: NDArray[np.uint8],
    far: Floats,
    joined: NDArray[np.bool_],
    radius: float,
    width: int,
) -> list[Floats]:
    """Unit normals, averaged over those taps of a sunflower pattern that are on the same surface."""
    weights = joined.astype(np.float32).ravel()
    own = piece.take(zone).astype(np.intp) * len(joined)
    own_far = far.take(zone)
    sums = [axis.take(point.take(zone)) for axis in normals]
    for tap in range(_TAPS):
        distance, angle = radius * np.sqrt((tap + 0.5) / _TAPS) * 0.96, tap * _GOLDEN
        step = round(distance * np.sin(angle)) * width + round(distance * np.cos(angle))
        at = np.clip(zone + step, 0, len(piece) - 1)
        near = np.clip(1 - np.abs(far.take(at) - own_far) * np.float32(1 / _NEAR), 0, 1)
        # Taps lose weight towards the rim of the disc and with depth, or the border of the zone would be visible.
        share = weights.take(own + piece.take(at)) * near * np.float32(1 - distance / radius)
        other = point.take(at)
        for total, axis in zip(sums, normals, strict=True):
            total += axis.take(other) * share
    length = np.float32(1) / np.maximum(np.sqrt(sums[0] ** 2 + sums[1] ** 2 + sums[2] ** 2), np.float32(1e-6))
    return [total * length for total in sums]
