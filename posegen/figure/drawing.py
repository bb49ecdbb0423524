"""Draws the figure: an avatar in a pose as a picture, with keypoints, depth and part mask.

Callers use `draw`. It uses NumPy and OpenCV only, keeps no state between pictures, and takes all random numbers from
the seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.errors import InvalidSize
from posegen.figure.body.physique import physique
from posegen.figure.body.rig import Rig
from posegen.figure.clothing.outfits import OUTFITS
from posegen.figure.dressing import person
from posegen.figure.figure_looks import figure_looks
from posegen.figure.geometry.mesh import Mesh, assemble
from posegen.figure.palettes import PALETTES
from posegen.figure.placement import place
from posegen.figure.rendering.colouring import View, compose, light_of_points, pixels_per_metre
from posegen.figure.rendering.light import ShadowMap
from posegen.figure.rendering.visibility import look, project
from posegen.figure.scene.background import paint_background
from posegen.figure.scene.materials import prop_looks
from posegen.figure.scene.props import props
from posegen.figure.scene.settings import scene
from posegen.poses.avatar import Avatar
from posegen.poses.keypoints import Keypoints
from posegen.poses.keypoints import project as project_keypoints
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.specification import PoseSpecification

VERSION = "2"
"""Changes whenever the same arguments give another picture. Recipes and the fingerprints of control maps contain it."""

SMALLEST_SIDE, LARGEST_SIDE = 64, 2048  # pixels
_KEPT = 24 * 2**20  # bytes that the C library keeps for the next picture


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn figure in its surroundings.

    `pixels`: (height, width, 3) uint8, sRGB; `keypoints`: the 18 OpenPose points; `depth`: (height, width) float32,
    metres from the camera, infinite outside of the figure; `part_mask`: (height, width) uint8, numbers of `Part`.
    """

    pixels: NDArray[np.uint8]
    keypoints: Keypoints
    depth: NDArray[np.float32]
    part_mask: NDArray[np.uint8]


def draw(
    specification: PoseSpecification, avatar: Avatar, *, seed: int = 0, width: int = 1024, height: int = 1024
) -> Drawing:
    """Draws an avatar in a pose. The same arguments give the same bytes; any number of threads may draw at once.

    Args:
        specification: the pose, with props, face and view.
        avatar: body, hair, clothes, colours and setting.
        seed: 0 or more; varies light and background, never the figure.
        width: pixels, `SMALLEST_SIDE` to `LARGEST_SIDE`.
        height: pixels, in the same range.

    Raises:
        InvalidSize: `width` or `height` is out of range.
    """
    _check_size(width, height)
    _prepare_process()
    skeleton, camera = place(specification, avatar, width / height)
    view = View(camera, width, height)
    mesh = _model(specification, avatar, skeleton)
    projected, window = project(mesh, camera, width, height)
    seen = look(mesh, projected, window)
    taken = scene(avatar.setting, seed, camera)
    shadow = ShadowMap(mesh, taken.lighting.key, taken.setting.softness)
    pixels = paint_background(taken, camera, skeleton, mesh.vertices, shadow, width, height)
    where = (slice(window.top, window.top + window.height), slice(window.left, window.left + window.width))
    scale = pixels_per_metre(view, seen)
    looks = figure_looks(avatar, specification, skeleton.build, 1 / scale) | prop_looks(PALETTES[avatar.style])
    light = light_of_points(mesh, projected, seen, view, looks, taken.lighting, shadow)
    pixels[where] = compose(pixels[where], light, seen)
    depth, parts = np.full((height, width), np.inf, np.float32), np.zeros((height, width), np.uint8)
    np.copyto(depth[where], seen.far, where=seen.piece > 0)
    parts[where] = cv2.LUT(seen.piece, _parts(mesh))
    return Drawing(pixels, project_keypoints(skeleton, camera), depth, parts)


def _check_size(width: int, height: int) -> None:
    for side, value in (("width", width), ("height", height)):
        if not SMALLEST_SIDE <= value <= LARGEST_SIDE:
            raise InvalidSize(f"The {side} is {value}; it must lie between {SMALLEST_SIDE} and {LARGEST_SIDE}.")


@cache
def _prepare_process() -> None:
    # One thread draws one picture; several may draw at once.
    cv2.setNumThreads(1)
    # glibc raises its mmap and trim thresholds to the largest block freed so far. One large block, freed here, makes it
    # keep the memory of a picture for the next one; requesting it from the system again is slow.
    np.empty(_KEPT, np.uint8)


def _model(specification: PoseSpecification, avatar: Avatar, skeleton: PosedSkeleton) -> Mesh:
    pieces = person(Rig(skeleton, physique(avatar)), avatar, OUTFITS[avatar.clothing], specification)
    return assemble(pieces + props(skeleton))


def _parts(mesh: Mesh) -> NDArray[np.uint8]:
    """(256,) the part of each piece, by the number of the piece plus 1; index 0 is the background."""
    parts = np.zeros(256, np.uint8)
    parts[1 : len(mesh.part) + 1] = mesh.part
    return parts
