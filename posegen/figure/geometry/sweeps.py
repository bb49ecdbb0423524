"""Rings swept along a line, for limbs, fingers, strands of hair and rods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from posegen.figure.geometry.vectors import Floats, cross, unit


@dataclass(frozen=True)
class Sweep:
    """Places for rings. `centres`, `rest`: (n, 3) posed and at rest; `frames`: (n, 3, 3), axes as columns."""

    centres: Floats
    frames: Floats
    rest: Floats

    def rings(self, across: Floats, deep: Floats) -> tuple[Floats, Floats]:
        """Rings (n, m, 3), posed and at rest. `across`, `deep`: (n, m) offsets along x and z of each frame, metres."""
        posed = np.empty((*across.shape, 3), np.float32)
        for axis in range(3):
            x, z = self.frames[:, axis, 0, None], self.frames[:, axis, 2, None]
            posed[..., axis] = self.centres[:, axis, None] + across * x + deep * z
        rest = np.repeat(self.rest[:, None], across.shape[1], axis=1)
        rest[..., 0] += across
        rest[..., 2] += deep
        return posed, rest


def lead(points: Floats, towards: Floats, weight: Floats) -> None:
    """Moves points (..., 3) towards others, in place. `weight` (...): 0 leaves a point, 1 moves it all the way."""
    for axis in range(3):
        points[..., axis] += weight * (towards[..., axis] - points[..., axis])


def orthonormal(frames: Floats) -> Floats:
    """Makes frames (n, 3, 3) orthonormal; the y axis keeps its direction."""
    y = unit(frames[:, :, 1])
    x = frames[:, :, 0]
    x = unit(x - (x * y).sum(axis=-1, keepdims=True) * y)
    return np.stack([x, y, cross(x, y)], axis=-1).astype(np.float32)


def tube(points: ArrayLike, across: ArrayLike, per_bone: int, roundness: float = 0.35) -> Sweep:
    """A sweep along a polyline (k, 3), each corner rounded over `roundness` of the shorter bone beside it.

    `across`: (3,) the direction of the x axis of every ring, as far as possible; `per_bone`: rings on each segment.
    """
    line = np.asarray(points, dtype=np.float32)
    bones = np.diff(line, axis=0)
    directions = unit(bones)
    steps = np.linspace(0, 1, per_bone + 1, dtype=np.float32)[:-1]
    centres, tangents = [], []
    for bone, vector in enumerate(bones):
        at = line[bone] + steps[:, None] * vector
        centres.append(at)
        tangents.append(np.repeat(directions[bone][None], per_bone, axis=0))
    centre = np.concatenate([*centres, line[-1:]])
    tangent = np.concatenate([*tangents, directions[-1:]])
    kernel = (roundness / 2, 1 - roundness, roundness / 2)
    for array in (centre, tangent):
        smoothed = kernel[0] * array[:-2] + kernel[1] * array[1:-1] + kernel[2] * array[2:]
        array[1:-1] = smoothed
    y = -unit(tangent)
    x = np.broadcast_to(np.asarray(across, dtype=np.float32), y.shape)
    frames = orthonormal(np.stack([x, y, np.zeros_like(y)], axis=-1))
    return Sweep(centre, frames, centre.copy())
