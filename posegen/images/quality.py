"""The quality gate: what is measured on a picture that a backend has made, what passes, and which seed comes next.

Values in, frozen values out: who renders again and who writes down the measures is `posegen.studio`'s business. The
bounds were set on the mannequin's pictures and on broken ones; `benchmarks/quality_gate.md` says how often they err.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from posegen.images.measures import HASH_SIDE, FigureMeasures, Measures
from posegen.images.pixels import Pixels

COPY_DISTANCE = 2
"""Levels, in every one of 32x32 blocks. A picture that was stored as JPEG of quality 60, halved or given a little grain
stays within it. Two variations of one pose differ by 20 and more as a rule; of 25,000 pairs one was within 2."""

_SEED_STEP = 0x9E3779B1
_SEEDS = 2**32
_STRONGEST = 0.999  # of all gradients: some thousand pixels, which lie on edges
_VISIBLE_STEP = 6  # levels; backgrounds have grain of one or two
_REACH = 0.01  # of the side: how far beside the figure a keypoint may be, joints being under the clothes

_Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Bounds:
    """What passes; units as in `Measures`."""

    brightness: tuple[float, float] = (12, 243)
    contrast: float = 30
    sharpness: float = 0.2
    noise: float = 12
    figure_share: tuple[float, float] = (0.01, 0.9)
    figure_on_keypoints: float = 0.8
    figure_outline: float = 0.8


@dataclass(frozen=True)
class Verdict:
    """`problems`: a sentence for each measure that is out of its bounds."""

    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the picture can be handed out."""
        return not self.problems


def measure(pixels: Pixels, *, mask: NDArray[np.uint8] | None = None, points: ArrayLike | None = None) -> Measures:
    """The measures of a picture; 8 ms of CPU for 1024x1024.

    `mask`: (height, width), 0 where there is no figure; `points`: (n, 2), the pose's keypoints as fractions of width
    and height. The figure is measured when both are there.
    """
    luma = _grey(pixels)
    darkest, brightest = _quantiles(luma, (0.01, 0.99))
    (strongest,) = _quantiles(np.maximum(_steps(luma, 0), _steps(luma, 1)), (_STRONGEST,))
    contrast = float(brightest - darkest)
    return Measures(
        brightness=float(luma.mean()),
        contrast=contrast,
        sharpness=strongest / max(contrast, 1.0),
        noise=_noise(luma),
        perceptual_hash=_perceptual_hash(luma),
        figure=None if mask is None or points is None else _measure_figure(pixels, mask, points),
    )


def judge(measures: Measures, bounds: Bounds | None = None) -> Verdict:
    """What is wrong with a picture by itself."""
    bounds = bounds or Bounds()
    darkest, brightest = bounds.brightness
    problems = []
    if measures.brightness < darkest:
        problems.append(f"it is black: mean brightness {measures.brightness:.1f}, at least {darkest:g}")
    if measures.brightness > brightest:
        problems.append(f"it is white: mean brightness {measures.brightness:.1f}, at most {brightest:g}")
    if measures.contrast < bounds.contrast:
        problems.append(f"it is blank or too flat: contrast {measures.contrast:.0f}, at least {bounds.contrast:g}")
    elif measures.sharpness < bounds.sharpness:
        problems.append(f"it is blurred: sharpness {measures.sharpness:.2f}, at least {bounds.sharpness:g}")
    if measures.noise > bounds.noise:
        problems.append(f"it is noisy: grain {measures.noise:.1f}, at most {bounds.noise:g}")
    if measures.figure is not None:
        problems += _judge_figure(measures.figure, bounds)
    return Verdict(tuple(problems))


def is_copy(one: bytes, other: bytes) -> bool:
    """Whether two perceptual hashes are of one picture, as it is or mirrored."""
    first, second = (np.frombuffer(each, np.uint8).reshape(HASH_SIDE, -1).astype(np.int16) for each in (one, other))
    return any(int(np.abs(first - turned).max()) <= COPY_DISTANCE for turned in (second, second[:, ::-1]))


def copied_from(own: bytes, others: Iterable[tuple[int, bytes]]) -> int | None:
    """The first of the others, by number, that has a perceptual hash of the same picture; None when there is none."""
    return next((number for number, other in others if is_copy(own, other)), None)


def seed_of(planned: int, attempt: int) -> int:
    """The seed of an attempt at a pose: the planned one first, then others far from those of its variations.

    Variations take the seeds that follow one another, so that a step of one would only make another one's picture.
    """
    return (planned + attempt * _SEED_STEP) % _SEEDS


def _judge_figure(figure: FigureMeasures, bounds: Bounds) -> list[str]:
    least, most = bounds.figure_share
    if not least <= figure.share <= most:
        return [
            f"there is no whole figure: it covers {figure.share:.1%} of the picture, {least:.0%} to {most:.0%} is right"
        ]
    problems = []
    if figure.on_keypoints < bounds.figure_on_keypoints:
        problems.append(
            f"the figure is not where the pose is: {figure.on_keypoints:.0%} of its keypoints, at least "
            f"{bounds.figure_on_keypoints:.0%}"
        )
    if figure.outline < bounds.figure_outline:
        problems.append(
            f"the figure cannot be seen: {figure.outline:.0%} of its outline, at least {bounds.figure_outline:.0%}"
        )
    return problems


def _measure_figure(pixels: Pixels, mask: NDArray[np.uint8], points: ArrayLike) -> FigureMeasures:
    figure = (mask > 0).astype(np.uint8)
    height, width = figure.shape
    near = cv2.dilate(figure, _square(2 * round(_REACH * max(width, height)) + 1))
    columns, rows = (np.asarray(points, np.float64) * (width, height)).astype(np.int64).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    covered = near[rows[inside], columns[inside]].sum() / max(len(columns), 1)
    return FigureMeasures(float(figure.mean()), float(covered), _visible_outline(pixels, figure))


def _visible_outline(pixels: Pixels, figure: _Grey) -> float:
    """Share of the figure's outline that has a visible step within two pixels of it, in any colour."""
    left, top, width, height = cv2.boundingRect(figure)
    place = (slice(max(top - 4, 0), top + height + 4), slice(max(left - 4, 0), left + width + 4))
    outline = cv2.morphologyEx(np.ascontiguousarray(figure[place]), cv2.MORPH_GRADIENT, _square(3)).astype(np.bool_)
    if not outline.any():
        return 0.0
    steps = np.zeros(outline.shape, np.uint8)
    for colour in cv2.split(np.ascontiguousarray(pixels[place])):
        for axis in (0, 1):
            np.maximum(steps, _steps(np.asarray(colour, np.uint8), axis), out=steps)
    return float((cv2.dilate(steps, _square(3))[outline] > _VISIBLE_STEP).mean())


def _steps(grey: _Grey, axis: int) -> _Grey:
    """How far apart the two neighbours of each pixel are along an axis, in levels; 0 at the border."""
    steps = np.zeros_like(grey)
    if axis == 0:
        steps[1:-1] = cv2.absdiff(grey[2:], grey[:-2])
    else:
        steps[:, 1:-1] = cv2.absdiff(np.ascontiguousarray(grey[:, 2:]), np.ascontiguousarray(grey[:, :-2]))
    return steps


def _noise(luma: _Grey) -> float:
    """Standard deviation of the grain: J. Immerkaer, Fast Noise Variance Estimation, 1996."""
    differences = cv2.Sobel(luma, cv2.CV_16S, 2, 2, ksize=3)  # 1 -2 1 across, and again down: his kernel
    return float(cv2.norm(differences, cv2.NORM_L1) / luma.size * np.sqrt(np.pi / 2) / 6)


def _quantiles(levels: _Grey, shares: tuple[float, ...]) -> list[int]:
    histogram = np.asarray(cv2.calcHist([levels], [0], None, [256], [0, 256])).ravel()
    below = np.cumsum(histogram, dtype=np.float64) / levels.size
    return [int(np.searchsorted(below, share)) for share in shares]


def _perceptual_hash(luma: _Grey) -> bytes:
    side = HASH_SIDE
    return np.asarray(cv2.resize(luma, (side, side), interpolation=cv2.INTER_AREA), np.uint8).tobytes()


def _grey(pixels: Pixels) -> _Grey:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def _square(side: int) -> _Grey:
    return np.ones((side, side), np.uint8)
