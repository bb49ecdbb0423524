"""Whether a picture follows its control map: measured without a model, on a map and its mirror image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
_SIDE = 128


def mirrored(image: Image) -> Image:
    """The mirror image."""
    return np.ascontiguousarray(image[:, ::-1])


def resemblance(picture: Image, control: Image) -> float:
    """Correlation of what stands out in a picture with what a map shows, -1 to 1; both (height, width, 3) uint8."""
    return float(np.corrcoef(_standing_out(picture).ravel(), _drawn(control).ravel())[0, 1])


def follows(picture: Image, of_mirror: Image, control: Image) -> float:
    """How much more two pictures resemble their own maps than each other's; above 0 where the pose is followed.

    Args:
        picture: made with the map.
        of_mirror: made with its mirror image, and the same seed and words.
        control: the map, of a pose that is not symmetrical.
    """
    other = mirrored(control)
    own = resemblance(picture, control) + resemblance(of_mirror, other)
    crossed = resemblance(picture, other) + resemblance(of_mirror, control)
    return (own - crossed) / 2


def difference(one: Image, other: Image) -> float:
    """Mean difference of two pictures in levels of 255: near 0 when the map was ignored, or a seed repeated."""
    return float(np.mean(cv2.absdiff(_small(one), _small(other))))


def _small(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _standing_out(picture: Image) -> NDArray[np.float64]:
    """How far each place is from the colours of its row at both sides, which are background."""
    small = cv2.GaussianBlur(_small(picture), (0, 0), 1.5).astype(np.float64)
    edges = np.concatenate([small[:, :6], small[:, -6:]], axis=1)
    return np.asarray(np.linalg.norm(small - np.median(edges, axis=1, keepdims=True), axis=2))


def _drawn(control: Image) -> NDArray[np.float64]:
    lit = (control.max(axis=2) > 0).astype(np.uint8) * 255
    return cv2.GaussianBlur(_small(np.repeat(lit[..., None], 3, axis=2)), (0, 0), 6.0)[..., 0].astype(np.float64)
