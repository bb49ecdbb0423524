"""Arithmetic on arrays of points and vectors. For many small vectors it is faster than NumPy's own functions."""

from __future__ import annotations

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]


Number = TypeVar("Number", bound=np.number[Any])


def transformed(points: Floats, orientation: Floats, position: Floats) -> Floats:
    """Points (..., 3) of a frame in outer coordinates. `orientation`: (3, 3), the frame's axes as columns."""
    motion = np.column_stack([orientation, position])
    return np.asarray(cv2.transform(points.reshape(1, -1, 3), motion), np.float32).reshape(points.shape)


def cross(a: Floats, b: Floats) -> Floats:
    """Cross product along the last axis; several times faster than NumPy's for many small vectors."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), dtype=np.float32)
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def unit(vectors: ArrayLike) -> Floats:
    """The vectors along the last axis at length 1; a zero vector stays zero."""
    array = np.asarray(vectors, dtype=np.float32)
    x, y, z = array[..., 0], array[..., 1], array[..., 2]
    scale = np.reciprocal(np.maximum(np.sqrt(x * x + y * y + z * z), np.float32(1e-9)))
    directions = np.empty_like(array)
    for axis, values in enumerate((x, y, z)):
        np.multiply(values, scale, out=directions[..., axis])
    return directions


def hypotenuse(x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """Length of (x, y), several times faster than `np.hypot`. The squares must neither overflow nor underflow."""
    length: Floats = np.sqrt(x * x + y * y)
    return length


def constant(array: NDArray[Number]) -> NDArray[Number]:
    """The array, made read-only because it is cached and shared."""
    array.flags.writeable = False
    return array
