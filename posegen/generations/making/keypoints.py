"""Keypoints of a picture, as rows keep them."""

from __future__ import annotations

import numpy as np

from posegen.errors import ImageInvalid
from posegen.poses.keypoints import Keypoints


def keypoints_to_json(keypoints: Keypoints | None) -> list[list[float]] | None:
    """The 18 points as rows keep them: [x, y], fractions of the side, to a hundredth of a pixel.

    Raises `ImageInvalid` when a backend returns anything else.
    """
    if keypoints is None:
        return None
    points = np.asarray(keypoints.points, dtype=np.float64)
    if points.shape != (18, 2) or not np.isfinite(points).all():
        raise ImageInvalid(f"The backend's keypoints are {points.shape} numbers, not (18, 2), or not all finite.")
    rounded: list[list[float]] = np.round(points, 5).tolist()
    return rounded
