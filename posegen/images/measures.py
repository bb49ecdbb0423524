"""What the quality gate measures, as plain values: `quality` takes them and judges them, rows keep them."""

from __future__ import annotations

from dataclasses import dataclass

HASH_SIDE = 32


@dataclass(frozen=True)
class FigureMeasures:
    """What a backend's own mask says of the figure. `share`: of the picture that it covers; `on_keypoints`: share of
    the pose's keypoints that it covers; `outline`: share of its outline at which the picture has an edge.
    """

    share: float
    on_keypoints: float
    outline: float


@dataclass(frozen=True)
class Measures:
    """What was measured on a picture.

    `brightness`: mean luma, 0 to 255; `contrast`: levels between the darkest and the brightest hundredth; `sharpness`:
    steps at the strongest edges, from pixel to pixel, as a share of the contrast; `noise`: standard deviation of the
    grain in levels; `perceptual_hash`: 32x32 bytes, the mean luma of each block, row by row; `figure`: where the
    backend has a mask.
    """

    brightness: float
    contrast: float
    sharpness: float
    noise: float
    perceptual_hash: bytes
    figure: FigureMeasures | None = None


@dataclass(frozen=True)
class Passed:
    """A picture that has passed. `seed`: that it was made with; `retries`: pictures before it that did not pass."""

    seed: int
    retries: int
    measures: Measures
