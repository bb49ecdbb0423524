"""Pixels as three planes, the form that JPEG keeps them in, and planes brought to another size.

Where a picture lies is framing's business, what surrounds it backgrounds'.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.images.framing import Size, Window
from posegen.images.pixels import Pixels

# Encoders run in threads of their own, one picture each; without OpenCV's threads a fork breaks nothing.
cv2.setNumThreads(1)

Plane: TypeAlias = NDArray[np.uint8]
"""(height, width) uint8; (height, width, 3) where several are handled as one."""

_LOBES = 3  # of the Lanczos kernel that keeps a reduction free of moiré


@dataclass(frozen=True)
class Planes:
    """A picture as luma and two chroma planes of its full size, in JFIF's YCbCr: BT.601 in the full range 0 to 255."""

    luma: Plane
    blue: Plane
    red: Plane

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return self.luma.shape[1], self.luma.shape[0]

    def all(self) -> tuple[Plane, Plane, Plane]:
        """In the order that JPEG has them: luma, blue, red."""
        return self.luma, self.blue, self.red


def planes_of(pixels: Pixels) -> Planes:
    """The planes of an RGB picture; back in RGB, every colour is within one level of what it was."""
    luma, red, blue = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))
    return Planes(luma, blue, red)  # type: ignore[arg-type]  # OpenCV's stubs do not say the depth


def ycbcr(red: int, green: int, blue: int) -> tuple[int, int, int]:
    """One colour as the planes have it."""
    planes = planes_of(np.array([[[red, green, blue]]], dtype=np.uint8))
    return int(planes.luma[0, 0]), int(planes.blue[0, 0]), int(planes.red[0, 0])


def resample(plane: Plane, window: Window, size: Size, *, averaged: float = 1 / 3) -> Plane:
    """The window of a plane, which it lies within, at another size.

    Result sample i, counted from its middle, is what the plane has at `(i + 0.5) * window / size`: exactly, for the
    window is whole samples. Enlarging is bicubic; before reducing, what the result cannot show is filtered out, with
    Lanczos' kernel as it is between the samples. A plane that shrinks to `averaged` or less is halved first, by the
    mean of pairs, which costs next to nothing; at a third, what that blurs the result does not show.
    """
    part = plane[window.top : window.bottom, window.left : window.right]
    while _shrinks_to(averaged, part, size) and not (part.shape[0] | part.shape[1]) & 1:
        part = cv2.resize(part, (part.shape[1] // 2, part.shape[0] // 2), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    across, down = size[0] / part.shape[1], size[1] / part.shape[0]
    if across < 1 or down < 1:
        part = cv2.sepFilter2D(part, -1, _low_pass(across), _low_pass(down), borderType=cv2.BORDER_REPLICATE)  # type: ignore[assignment]
    return cv2.resize(part, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def _shrinks_to(share: float, part: Plane, size: Size) -> bool:
    return bool(max(size[0] / part.shape[1], size[1] / part.shape[0]) <= share)


@functools.lru_cache(maxsize=64)
def _low_pass(scale: float) -> NDArray[np.float32]:
    """Lanczos' kernel for a reduction to `scale`, at the source's samples; a single 1 for an enlargement."""
    if scale >= 1:
        return np.ones(1, dtype=np.float32)
    reach = math.ceil(_LOBES / scale)
    at = np.arange(-reach, reach + 1) * scale
    weights = np.where(np.abs(at) < _LOBES, np.sinc(at) * np.sinc(at / _LOBES), 0.0)
    kernel: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return kernel
