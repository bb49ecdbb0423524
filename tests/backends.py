"""Backends for tests: the far end of the wire, which paints something simple and remembers what it was asked."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable

import numpy as np

from posegen import studio
from posegen.backends.protocol import Capabilities, Recipe, Rendering
from posegen.poses.keypoints import Keypoints

# A figure upright in the middle, as fractions of the side, in OpenPose order.
STANDING = np.array(
    [
        *([0.50, 0.15], [0.50, 0.25]),
        *([0.42, 0.25], [0.40, 0.38], [0.40, 0.50], [0.58, 0.25], [0.60, 0.38], [0.60, 0.50]),
        *([0.45, 0.52], [0.45, 0.70], [0.45, 0.88], [0.55, 0.52], [0.55, 0.70], [0.55, 0.88]),
        *([0.48, 0.13], [0.52, 0.13], [0.46, 0.14], [0.54, 0.14]),
    ]
)


class PaintedBackend:
    """Paints a bar on a plain ground, both coloured by the seed, and marks that tell one picture from another.

    `recipes`: what it was asked for, in order. `before_each`: called with every recipe before it is painted; let it
    raise or wait.
    """

    name = "mannequin"
    version = "painted-1"
    capabilities = Capabilities(
        largest_side=1024,
        pose_control=True,
        free_prompt=False,
        ground_truth=True,
        costs_money=False,
        photographic=False,
    )

    def __init__(self) -> None:
        self.recipes: list[Recipe] = []
        self.before_each: Callable[[Recipe], object] = lambda _: None
        self._lock = threading.Lock()

    def render(self, recipe: Recipe) -> Rendering:
        """A picture that is the same whenever the recipe is."""
        with self._lock:
            self.recipes.append(recipe)
        self.before_each(recipe)
        pixels = painted(recipe.seed, recipe.width, recipe.height, recipe.pose)
        return Rendering(pixels, keypoints=standing_keypoints())


def painted(seed: int, width: int | None = None, height: int | None = None, pose: str = "") -> np.ndarray:
    """A light ground, a dark bar, and for each seed and pose other marks along the left edge.

    Returns:
        (height, width, 3) uint8; as large as the image of a pose where no size is given.
    """
    width, height = width or studio.POSE_SIDE, height or studio.POSE_SIDE
    chance = np.random.default_rng(seed)
    ground, figure = chance.integers(130, 250, 3, np.uint8), chance.integers(10, 90, 3, np.uint8)
    pixels = np.full((height, width, 3), ground, dtype=np.uint8)
    pixels[height // 8 : height * 7 // 8, width * 3 // 8 : width * 5 // 8] = figure
    pixels[0, 0] = ~ground
    for number, is_set in enumerate(f"{zlib.crc32(f'{pose} {seed}'.encode()):032b}"):
        if is_set == "1":
            pixels[height * number // 32 : height * (number + 1) // 32, : width // 32] = figure
    return pixels


def standing_keypoints() -> Keypoints:
    """Where the bar's head, hands and feet would be."""
    return Keypoints(points=STANDING.copy(), depth=np.full(18, 3.0), visible=np.ones(18, dtype=np.bool_))
