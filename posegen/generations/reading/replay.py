"""Rendering a picture again from its recipe, to see whether it is the same. Nothing is stored and nothing charged.

The same lock file on the same family of processors gives the same bytes; elsewhere the last bit of a number may differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np

from posegen.backends.protocol import Backend, Recipe
from posegen.errors import InvalidPose, PoseUnknown, ReplayRefused, UnknownName
from posegen.generations.rows import recipes
from posegen.generations.rows.recipes import StoredRecipe
from posegen.images.pixels import Pixels
from posegen.images.png import encode_png
from posegen.images.provenance import packet_of
from posegen.images.validation import check_pixels, open_image
from posegen.studio import Studio


class Likeness(StrEnum):
    """How much the picture of today is like the one that is stored."""

    IDENTICAL = "identical"
    SAME_PIXELS = "same pixels"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Replay:
    """A picture rendered again.

    `made_with`, `replayed_with`: versions of the backend; `recipe_is_whole`: whether the stored recipe still has the
    hash that was recorded; `psnr`: dB over all channels, None unless the pixels differ; `largest_difference`: levels
    of 255; `changed`: the share of pixels that differ, 0 to 1; `pixels`: the picture of today.
    """

    pose_id: UUID
    recipe_hash: str
    backend: str
    made_with: str
    replayed_with: str
    recipe_is_whole: bool
    likeness: Likeness
    psnr: float | None
    largest_difference: int
    changed: float
    pixels: Pixels


def replay(studio: Studio, pose_id: UUID, *, billed: bool = False) -> Replay:
    """Render a completed pose again and compare it with its stored image.

    `billed`: whether a backend that bills each call may be called. A backend of another version renders all the same,
    as that version. Raises `PoseUnknown`, `ReplayRefused`, `BackendError`, and `StorageError` for the stored image.
    """
    with studio.database.transaction() as connection:
        stored = recipes.stored_recipe(connection, pose_id)
    if stored is None:
        raise PoseUnknown(pose_id)
    if stored.recipe is None or stored.recipe_hash is None or stored.image is None:
        raise ReplayRefused(f"Pose {pose_id} is {stored.status}: there is no picture of it yet that could be compared.")
    recipe = _recipe(pose_id, stored.recipe)
    backend = _backend(studio, pose_id, recipe, billed=billed)
    file = studio.read(*stored.image)
    pixels = backend.render(replace(recipe, backend_version=backend.version)).pixels
    check_pixels(pixels, recipe.width, recipe.height)
    before = open_image(file)
    likeness = _likeness(stored, recipe, before, pixels)
    psnr, largest, changed = (None, 0, 0.0) if likeness is not Likeness.DIFFERENT else differences(before, pixels)
    return Replay(
        pose_id=pose_id,
        recipe_hash=stored.recipe_hash,
        backend=recipe.backend,
        made_with=recipe.backend_version,
        replayed_with=backend.version,
        recipe_is_whole=recipe.digest() == stored.recipe_hash,
        likeness=likeness,
        psnr=psnr,
        largest_difference=largest,
        changed=changed,
        pixels=pixels,
    )


def differences(before: Pixels, after: Pixels) -> tuple[float | None, int, float]:
    """PSNR in dB, the largest difference in levels, and the share of pixels that differ; for pictures of one size.

    Pictures of different sizes cannot be compared: None, 255 levels, all of them.
    """
    if before.shape != after.shape:
        return None, 255, 1.0
    difference = np.abs(before.astype(np.int16) - after)
    mean_square = float(np.mean(np.square(difference, dtype=np.float64)))
    psnr = None if mean_square == 0 else 10 * float(np.log10(255**2 / mean_square))
    return psnr, int(difference.max()), float(np.mean(difference.any(axis=2)))


def _recipe(pose_id: UUID, values: Mapping[str, Any]) -> Recipe:
    try:
        return Recipe.from_json(values)
    except (InvalidPose, UnknownName, KeyError, TypeError, ValueError) as unreadable:
        raise ReplayRefused(
            f"The recipe of pose {pose_id} was written by another version of Posegen and cannot be read by this one: "
            f"{type(unreadable).__name__}: {unreadable}"
        ) from unreadable


def _backend(studio: Studio, pose_id: UUID, recipe: Recipe, *, billed: bool) -> Backend:
    backend = studio.open_backend(recipe.backend)
    if backend.capabilities.costs_money and not billed:
        raise ReplayRefused(
            f"Pose {pose_id} was made by {recipe.backend}, which bills every picture: say --billed to pay for it again."
        )
    return backend


def _likeness(stored: StoredRecipe, recipe: Recipe, before: Pixels, after: Pixels) -> Likeness:
    if not np.array_equal(before, after):
        return Likeness.DIFFERENT
    packet = packet_of(recipe.backend, recipe.backend_version, recipe.digest(), stored.asked_at)
    file = encode_png(after, xmp=packet).data
    same_file = hashlib.sha256(file).hexdigest() == stored.image_sha256
    return Likeness.IDENTICAL if same_file else Likeness.SAME_PIXELS
