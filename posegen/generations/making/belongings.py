"""Where the things are that a figure holds, sits on, leans on or kicks, so that no export cuts them off.

Keypoints say nothing of them; the recipe does, and the same camera that framed the pose shows where they lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.backends.protocol import Recipe
from posegen.errors import InvalidPose, UnknownName
from posegen.figure.placement import prop_corners


def belongings(recipe: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """(n, 2): corners of the boxes that props fill, fractions of the picture's sides; None when there are none.

    `recipe`: as it was stored; one that this version cannot read any more counts as a pose without props.
    """
    try:
        known = Recipe.from_json(recipe)
    except (InvalidPose, UnknownName, KeyError, TypeError):
        return None
    return prop_corners(known.specification, known.avatar, known.width / known.height)
