"""Where a picture lies inside a target: pure geometry of sizes and keypoints. No pixel is touched here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posegen.images.body import Body

Fit: TypeAlias = Literal["figure", "contain", "cover"]
"""`cover` fills the target and cuts off what is outside, `contain` shows the whole picture with background around it.
`figure` covers where that cuts off nothing of the figure, and contains otherwise."""
Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""

MARGIN = 0.03
"""Of the picture's shorter side: what a cover should leave free around the body."""
KEPT = 0.98
"""How much of the body with its margin a cover has to keep. What it may lose is margin: the body stays whole."""

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Window:
    """Whole source pixels that fill a target. It reaches beyond the source where the target shows background."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height


@dataclass(frozen=True)
class Placement:
    """How source pixels become target pixels: `target = (source - window corner) * scale`.

    The window is whole source pixels, so that every plane can be resampled with its samples exactly in place; for that
    the scales of the two axes differ by a source pixel over the window at most.
    """

    source: Size
    target: Size
    window: Window

    @property
    def canvas(self) -> Size:
        """The target with even sides, which is what the window fills: halved chroma covers an odd side's last pixel."""
        return _even(self.target)

    @property
    def scale(self) -> tuple[float, float]:
        """Target pixels for one source pixel, across and down."""
        return self.canvas[0] / self.window.width, self.canvas[1] / self.window.height

    @property
    def visible(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what the target shows, in source pixels."""
        across, down = self.scale
        left, top = self.window.left, self.window.top
        return left, top, left + self.target[0] / across, top + self.target[1] / down

    @property
    def covers(self) -> bool:
        """Whether the picture fills the target, so that no background shows."""
        left, top, right, bottom = self.visible
        return left >= 0 and top >= 0 and right <= self.source[0] and bottom <= self.source[1]

    def to_target(self, points: ArrayLike) -> NDArray[np.float64]:
        """`points`: (n, 2), fractions of the source's width and height. Returns them in target pixels."""
        pixels = np.asarray(points, dtype=np.float64) * self.source
        placed: NDArray[np.float64] = (pixels - (self.window.left, self.window.top)) * self.scale
        return placed

    @property
    def target_box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the whole target pixels that the picture fills."""
        across, down = self.scale
        left, right = _whole_pixels(-self.window.left * across, self.source[0] * across, self.target[0])
        top, bottom = _whole_pixels(-self.window.top * down, self.source[1] * down, self.target[1])
        return left, top, right, bottom

    @property
    def source_box(self) -> tuple[float, float, float, float]:
        """The part of the source, in fractional source pixels, that fills `target_box` exactly."""
        left, top, right, bottom = self.target_box
        across, down = self.scale
        return (
            max(self.window.left + left / across, 0.0),
            max(self.window.top + top / down, 0.0),
            min(self.window.left + right / across, float(self.source[0])),
            min(self.window.top + bottom / down, float(self.source[1])),
        )


def place(source: Size, target: Size, fit: Fit, body: Body | None = None) -> Placement:
    """Where a picture of size `source` lies inside `target`. `body`: of the figure in it, where it is known.

    `contain` centres the picture. `cover` keeps the whole body in where it can, and the head where it cannot; without a
    body it keeps the picture's middle. `figure` covers nothing without a body.
    """
    if fit == "contain" or (fit == "figure" and body is None):
        return _contain(source, target)
    cover = _cover(source, target, body)
    if fit == "cover" or (body is not None and _keeps(cover, body)):
        return cover
    return _contain(source, target)


def _contain(source: Size, target: Size) -> Placement:
    canvas = _even(target)
    # The canvas' odd pixel is cut off again: what it shows must lie beyond the picture.
    width, height = (math.ceil(source[axis] * canvas[axis] / target[axis]) for axis in (0, 1))
    # Even sides, where there is a choice, let planes be halved.
    width, height = (
        max(width, 2 * round(height * canvas[0] / canvas[1] / 2)),
        max(height, 2 * round(width * canvas[1] / canvas[0] / 2)),
    )
    shown = width * target[0] / canvas[0], height * target[1] / canvas[1]
    left, top = (-math.floor((shown[axis] - source[axis]) / 2) for axis in (0, 1))
    return Placement(source, target, Window(left, top, width, height))


def _cover(source: Size, target: Size, body: Body | None) -> Placement:
    canvas = _even(target)
    size = (
        max(1, min(source[0], round(source[1] * canvas[0] / canvas[1]))),
        max(1, min(source[1], round(source[0] * canvas[1] / canvas[0]))),
    )
    shown = size[0] * target[0] / canvas[0], size[1] * target[1] / canvas[1]
    left, top = (_offset(shown[axis], source[axis] - size[axis], body, axis) for axis in (0, 1))
    return Placement(source, target, Window(left, top, *size))


def _offset(length: float, room: int, body: Body | None, axis: int) -> int:
    """Where a window of this length begins, at `room` at most: with as much space on both sides of the body."""
    if body is None:
        return room // 2
    first, last = body.whole[axis], body.whole[axis + 2]
    begin = (first + last - length) / 2
    if last - first > length:
        first, last = body.head[axis], body.head[axis + 2]
        begin = min(max(begin, last - length), first)
    return min(max(round(begin), 0), room)


def _keeps(cover: Placement, body: Body) -> bool:
    """Whether the whole body is in, with nearly all of the margin around it that the source has."""
    visible = cover.visible
    margin = MARGIN * min(cover.source)
    share = 1.0
    for axis in (0, 1):
        first, last = body.whole[axis], body.whole[axis + 2]
        if visible[axis] > first or visible[axis + 2] < last:
            return False
        first, last = max(first - margin, 0.0), min(last + margin, float(cover.source[axis]))
        share *= (min(last, visible[axis + 2]) - max(first, visible[axis])) / (last - first)
    return share >= KEPT


def _even(size: Size) -> Size:
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def _whole_pixels(offset: float, length: float, target: int) -> tuple[int, int]:
    first = max(math.ceil(offset - _ROUNDING), 0)
    last = min(math.floor(offset + length + _ROUNDING), target)
    return first, max(last, first + 1)
