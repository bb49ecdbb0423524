"""Where a picture lies inside a target: pure geometry of sizes and keypoints. No pixel is touched here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Fit: TypeAlias = Literal["contain", "cover"]
Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""

_ROUNDING = 1e-6


class BodyPoints(Protocol):
    """What framing needs to know of a figure: the keypoints of `posegen.poses` fit, so does a detector's answer."""

    @property
    def points(self) -> NDArray[np.float64]:
        """(n, 2), fractions of the picture's width and height."""


@dataclass(frozen=True)
class Placement:
    """How source pixels become target pixels: `target = source * scale + (left, top)`, the same scale on both axes.

    `source`, `target`: width and height in pixels; `left`, `top`: where the source's corner lies in the target, in
    target pixels, negative when the target cuts that side off.
    """

    source: Size
    target: Size
    scale: float
    left: float
    top: float

    def to_target(self, points: ArrayLike) -> NDArray[np.float64]:
        """`points`: (n, 2), fractions of the source's width and height. Returns them in target pixels."""
        fractions = np.asarray(points, dtype=np.float64)
        placed: NDArray[np.float64] = fractions * np.multiply(self.source, self.scale) + (self.left, self.top)
        return placed

    @property
    def target_box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the whole target pixels that the picture fills."""
        left, right = _whole_pixels(self.left, self.source[0] * self.scale, self.target[0])
        top, bottom = _whole_pixels(self.top, self.source[1] * self.scale, self.target[1])
        return left, top, right, bottom

    @property
    def source_box(self) -> tuple[float, float, float, float]:
        """The part of the source, in fractional source pixels, that fills `target_box` exactly."""
        left, top, right, bottom = self.target_box
        width, height = self.source
        return (
            max((left - self.left) / self.scale, 0.0),
            max((top - self.top) / self.scale, 0.0),
            min((right - self.left) / self.scale, float(width)),
            min((bottom - self.top) / self.scale, float(height)),
        )


def place(source: Size, target: Size, fit: Fit, keypoints: BodyPoints | None = None) -> Placement:
    """Where a picture of size `source` lies inside `target`.

    `contain` shows all of it, centred on whole pixels; `cover` fills the target and keeps the middle of the figure,
    or of the picture where no keypoints are known, as near to the target's middle as the picture's edges allow.
    """
    ratios = target[0] / source[0], target[1] / source[1]
    if fit == "contain":
        scale = min(ratios)
        left, top = (float(round((target[axis] - source[axis] * scale) / 2)) for axis in (0, 1))
    else:
        scale = max(ratios)
        middle = _middle(keypoints)
        left, top = (_cover_offset(middle[axis], source[axis] * scale, target[axis]) for axis in (0, 1))
    return Placement(source, target, scale, left, top)


def _middle(keypoints: BodyPoints | None) -> tuple[float, float]:
    if keypoints is None:
        return 0.5, 0.5
    lowest, highest = keypoints.points.min(axis=0), keypoints.points.max(axis=0)
    return float(lowest[0] + highest[0]) / 2, float(lowest[1] + highest[1]) / 2


def _cover_offset(middle: float, length: float, target: int) -> float:
    return min(max(target / 2 - middle * length, target - length), 0.0)


def _whole_pixels(offset: float, length: float, target: int) -> tuple[int, int]:
    first = max(math.ceil(offset - _ROUNDING), 0)
    last = min(math.floor(offset + length + _ROUNDING), target)
    return first, max(last, first + 1)
