"""Backgrounds of exports: the edges of a picture that does not fill its target are extended at the picture's own scale.

Where the picture lies in its target is decided in `posegen.images.framing`.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.images.body import Box
from posegen.images.planes import Plane, Planes

_EDGE_SHARE = 0.012  # of the edge's length: how deep the strip is whose tones stand for the edge
_WIDENING = 0.2  # how much wider a tone grows with each pixel of distance, so that streaks end soon
_WIDEST = 0.12  # of the edge's length: the broad tones that are left far out
_MIRRORED = 0.16  # of the edge's length: how far the picture's own texture goes on while it fades
_MIRRORED_BLINDLY = 0.03  # the same where the distance from the figure to the edge is unknown
_STEADY_CHANGE = 10.0  # levels, of all planes together: from here on something begins or ends near the edge
_STEADY_WIDTH = 12  # pixels over which steady and unsteady places pass into each other
_DRIFT_FIELD = (49, 1)  # pixels along the edge; their mean shows how light falls off towards it, which is not mirrored


@dataclass(frozen=True)
class Reach:
    """Pixels to add at each side of a picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __or__(self, other: Reach) -> Reach:
        """As far as either."""
        return Reach(
            max(self.left, other.left),
            max(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


def extend(planes: Planes, reach: Reach, figure: Box | None) -> Planes:
    """The picture with its edges carried on as far as `reach`. `figure`: what must not appear there a second time.

    At the edge stands what the edge shows, mirrored, so that neither a step nor an end of the texture is seen. It fades
    before it comes to the figure, into the tones along the edge. What lies along the whole rim, such as a horizon, goes
    on as it is; other tones widen with distance, so that what touches the edge is not drawn out into streaks.
    """
    width, height = planes.size
    if figure is None:
        clear = (width * _MIRRORED_BLINDLY, height * _MIRRORED_BLINDLY) * 2
    else:
        clear = (figure[0], figure[1], width - figure[2], height - figure[3])
    parts = list(planes.all())
    if reach.left or reach.right:
        turned = _extend_upright([_turned(part) for part in parts], (reach.left, reach.right), (clear[0], clear[2]))
        parts = [_turned(part) for part in turned]
    if reach.top or reach.bottom:
        parts = _extend_upright(parts, (reach.top, reach.bottom), (clear[1], clear[3]))
    return Planes(*parts)


def _turned(plane: Plane) -> Plane:
    """Rows as columns."""
    return cv2.transpose(plane)  # type: ignore[return-value]


def _extend_upright(planes: list[Plane], reach: tuple[int, int], clear: tuple[float, float]) -> list[Plane]:
    """Rows above and below planes; `clear`: rows from the upper and the lower edge to the figure."""
    above = _carry_on(planes, reach[0], clear[0])
    below = _carry_on([plane[::-1] for plane in planes], reach[1], clear[1])
    return [np.concatenate([top[::-1], plane, bottom]) for top, plane, bottom in zip(above, planes, below, strict=True)]


def _carry_on(edges: list[Plane], length: int, clear: float) -> list[Plane]:
    """(length, n) for each plane: rows outwards from an edge. The rows of `edges` go inwards from it.

    `clear`: rows from the edge to the figure.
    """
    depth, span = edges[0].shape
    fading = min(span * _MIRRORED, clear)
    mirrored = min(int(fading), length, depth)
    strip = max(1, round(span * _EDGE_SHARE))
    near = [np.ascontiguousarray(edge[: max(mirrored, strip)], dtype=np.float32) for edge in edges]
    profiles, deeper = (np.stack([rows[:some].mean(axis=0) for rows in near]) for some in (strip, len(near[0])))
    # Where there is little beside the edge, nothing says what is steady.
    steady = _steadiness(profiles, deeper) if mirrored >= 2 * strip else np.zeros(span, dtype=np.float32)
    # The mean of many rows has less grain than that of a few, which would be drawn out.
    tones = _tones(profiles, deeper + _widened(profiles - deeper, _STEADY_WIDTH), steady, length)
    for rows, profile in zip(near, profiles, strict=True):
        rows -= (cv2.blur(rows, _DRIFT_FIELD) - cv2.blur(profile[None], _DRIFT_FIELD)) * steady
    way = (np.arange(mirrored, dtype=np.float32)[:, None] + 0.5) / np.float32(max(fading, 1))
    share = 1 - way * way * (3 - 2 * way)
    dither = np.tile(_dither(), (1, span // len(_dither()) + 1))[:, :span]
    for rows, texture in zip(tones, near, strict=True):
        rows[:mirrored] += (texture[:mirrored] - rows[:mirrored]) * share
        np.clip(rows[:mirrored], 0, 255, out=rows[:mirrored])
        for first in range(0, length, len(dither)):
            rows[first : first + len(dither)] += dither[: length - first]
    return [rows.astype(np.uint8) for rows in tones]


def _steadiness(profiles: NDArray[np.float32], deeper: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,): 1 where an edge shows what also lies deeper in the picture, such as a horizon, which goes on as it is."""
    change = np.abs(profiles - deeper).sum(axis=0, keepdims=True)
    # Lines between unsteady places would show, and so would the end of a steady one.
    around = cv2.dilate(change, np.ones((1, 4 * _STEADY_WIDTH + 1), dtype=np.uint8))
    steady: NDArray[np.float32] = _widened(np.exp(-((around / _STEADY_CHANGE) ** 2)), _STEADY_WIDTH)[0]
    return steady


def _tones(
    profiles: NDArray[np.float32], lasting: NDArray[np.float32], steady: NDArray[np.float32], length: int
) -> NDArray[np.float32]:
    """(planes, length, n): the tones along an edge, wider from row to row, or `lasting` where they are steady.

    `profiles`, `lasting`: (planes, n).
    """
    widths = [1.0]
    while widths[-1] < profiles.shape[1] * _WIDEST:
        widths.append(widths[-1] * 2)
    levels = [profiles, *(_widened(profiles, width) for width in widths)]
    mixed = [np.asarray(level + (lasting - level) * steady, dtype=np.float32) for level in levels]
    ends = [0.0, *(width / _WIDENING for width in widths)]
    distances = np.arange(length, dtype=np.float32) + 0.5
    rows = np.empty((profiles.shape[0], length, profiles.shape[1]), dtype=np.float32)
    for (near, far), (start, end) in zip(itertools.pairwise(mixed), itertools.pairwise(ends), strict=True):
        part = slice(*np.searchsorted(distances, (start, end)))
        share = (distances[part] - start) / (end - start)
        np.multiply((far - near)[:, None], share[:, None], out=rows[:, part])
        rows[:, part] += near[:, None]
    rows[:, np.searchsorted(distances, ends[-1]) :] = mixed[-1][:, None]
    return rows


def _widened(profiles: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """`profiles` blurred along their edge: three boxes, which make a Gaussian whose sigma is about `width`."""
    for _ in range(3):
        profiles = cv2.blur(profiles, (2 * round(width) + 1, 1), borderType=cv2.BORDER_REPLICATE)  # type: ignore[assignment]
    return profiles


@functools.cache
def _dither() -> NDArray[np.float32]:
    """(128, 128): what to add before rounding down, 0 to 1, so that slow gradients show no bands.

    Interleaved gradient noise (Jimenez, 2014): even in every neighbourhood, and the same for the same place.
    """
    rows, columns = np.ogrid[0:128, 0:128]
    noise = 52.9829189 * ((0.06711056 * columns + 0.00583715 * rows) % 1.0) % 1.0
    return (noise * 0.99).astype(np.float32)
