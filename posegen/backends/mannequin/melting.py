"""Softening the creases where pieces of one group meet: near them, normals are averaged over a small disc."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.backends.mannequin.geometry import Floats, Mesh
from posegen.backends.mannequin.visibility import Seen

_TOUCHING = np.float32(0.012)  # metres of depth between neighbours that still count as one surface
_NEAR = np.float32(0.045)
_TAPS = 18
_GOLDEN = np.pi * (3 - np.sqrt(5))


def melt(mesh: Mesh, seen: Seen, normal: tuple[Floats, Floats, Floats], radius: float) -> tuple[Floats, Floats, Floats]:
    """The normals of the points, creases between pieces of one group rounded over `radius` pixels."""
    count, width, size = seen.centres, seen.window.width, seen.window.size
    group = seen.image(mesh.group[seen.triangle], 0, np.uint8).ravel()
    piece = seen.image(mesh.piece[seen.triangle], 0, np.uint8).ravel()
    depth = seen.image(1 / seen.inverse_depth, 1e3).ravel()
    crease = _creases(group, piece, depth, width)
    if not len(crease):
        return normal
    zone = _around(crease, size, width, int(np.ceil(radius)))
    zone = zone[group[zone] > 0]
    images = [seen.image(axis, 0).ravel() for axis in normal]
    smooth = _averaged(images, zone, group, piece, depth, radius, width)
    place = np.searchsorted(seen.pixel[:count], zone)
    out = []
    for axis, values in zip(normal, smooth, strict=True):
        changed = axis.copy()
        changed[place] = values
        out.append(changed)
    return out[0], out[1], out[2]


def _creases(group: NDArray[np.uint8], piece: NDArray[np.uint8], depth: Floats, width: int) -> NDArray[np.intp]:
    """Cells whose right or lower neighbour belongs to another piece that they melt into."""
    found = []
    for step in (1, width):
        one, other = group[:-step], group[step:]
        joined = (one > 0) & (one // 2 == other // 2) & (piece[:-step] != piece[step:]) & ((one & other & 1) == 0)
        joined &= np.abs(depth[:-step] - depth[step:]) < _TOUCHING
        found.append(np.flatnonzero(joined))
    return np.concatenate(found)


def _around(crease: NDArray[np.intp], size: int, width: int, radius: int) -> NDArray[np.intp]:
    """Cells within a square of this radius around any crease."""
    marked = np.zeros((size // width, width), np.bool_)
    marked.ravel()[crease] = True
    for axis in (0, 1):
        reached, done = marked, 0
        while done < radius:
            step = min(max(done, 1), radius - done)
            grown = reached.copy()
            if axis == 0:
                grown[step:] |= reached[:-step]
                grown[:-step] |= reached[step:]
            else:
                grown[:, step:] |= reached[:, :-step]
                grown[:, :-step] |= reached[:, step:]
            reached, done = grown, done + step
        marked = reached
    return np.flatnonzero(marked)


def _averaged(
    images: list[Floats],
    zone: NDArray[np.intp],
    group: NDArray[np.uint8],
    piece: NDArray[np.uint8],
    depth: Floats,
    radius: float,
    width: int,
) -> list[Floats]:
    """Unit normals, averaged over taps of a sunflower pattern that lie on the same surface."""
    own_group, own_piece, own_depth = group.take(zone), piece.take(zone), depth.take(zone)
    sums = [image[zone] * np.float32(1.0) for image in images]
    for tap in range(_TAPS):
        distance, angle = radius * np.sqrt((tap + 0.5) / _TAPS) * 0.96, tap * _GOLDEN
        step = round(distance * np.sin(angle)) * width + round(distance * np.cos(angle))
        at = np.clip(zone + step, 0, len(group) - 1)
        other = group.take(at)
        joined = (own_group // 2 == other // 2) & ((own_piece == piece.take(at)) | ((own_group & other & 1) == 0))
        near = np.clip(1 - np.abs(depth.take(at) - own_depth) / _NEAR, 0, 1)
        # Taps fade in from the rim of the disc and from afar, or the zone's border would show.
        share = joined * near * np.float32(1 - distance / radius)
        for total, image in zip(sums, images, strict=True):
            total += image.take(at) * share
    length = np.float32(1) / np.maximum(np.sqrt(sums[0] ** 2 + sums[1] ** 2 + sums[2] ** 2), np.float32(1e-6))
    return [total * length for total in sums]
