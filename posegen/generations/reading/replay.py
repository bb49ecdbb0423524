"""Rendering a picture again from its recipe, to see whether it is the same. No customer has or pays for the result.

The same lock file on the same family of processors gives the same bytes; elsewhere the last bit of a number may differ.
A hosted backend makes it in a call of its own, which the operator pays for: `posegen.generations.calling.replaying`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np

from posegen.backends.description import Description
from posegen.backends.protocol import Backend, Recipe
from posegen.errors import InvalidPose, PoseUnknown, ReplayRefused, UnknownName
from posegen.generations.calling import rows as calls
from posegen.generations.calling.control import control_of
from posegen.generations.calling.replaying import call_again, end_replay
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
    of 255; `changed`: the share of pixels that differ, 0 to 1; `pixels`: the picture of today; `seeds`: whether the
    backend gives the same picture for the same seed; `call`: of a hosted backend, with `billed_usd`.
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
    seeds: bool = True
    call: UUID | None = None
    billed_usd: Decimal | None = None


@dataclass(frozen=True)
class _Rendered:
    """A picture of today. `version`: of the backend that made it."""

    pixels: Pixels
    version: str
    seeds: bool
    call: UUID | None = None
    billed_usd: Decimal | None = None


def replay(studio: Studio, pose_id: UUID, *, billed: bool = False) -> Replay:
    """Render a completed pose again and compare it with its stored image.

    `billed`: whether a backend that bills each call may be called. A backend of another version renders all the same:
    a drawing one as that version, a hosted one is sent the recipe as it is. Raises `PoseUnknown`, `ReplayRefused`,
    `BackendError`, `ReplayHeldBack`, `ImageInvalid`, and `StorageError` for the stored image.
    """
    with studio.database.transaction() as connection:
        stored = recipes.stored_recipe(connection, pose_id)
    if stored is None:
        raise PoseUnknown(pose_id)
    if stored.recipe is None or stored.recipe_hash is None or stored.image is None:
        raise ReplayRefused(f"Pose {pose_id} is {stored.status}: there is no picture of it yet that could be compared.")
    recipe = _recipe(pose_id, stored.recipe)
    before = open_image(studio.read(*stored.image))
    if recipe.model is None:
        rendered = _drawn(_backend(studio, pose_id, recipe, billed=billed), recipe)
    else:
        rendered = _called(studio, stored, recipe, billed=billed)
    likeness = _likeness(stored, recipe, before, rendered.pixels)
    is_different = likeness is Likeness.DIFFERENT
    psnr, largest, changed = differences(before, rendered.pixels) if is_different else (None, 0, 0.0)
    if rendered.call is not None:
        end_replay(studio, rendered.call)
    return Replay(
        pose_id=pose_id,
        recipe_hash=stored.recipe_hash,
        backend=recipe.backend,
        made_with=recipe.backend_version,
        replayed_with=rendered.version,
        recipe_is_whole=recipe.digest() == stored.recipe_hash,
        likeness=likeness,
        psnr=psnr,
        largest_difference=largest,
        changed=changed,
        pixels=rendered.pixels,
        seeds=rendered.seeds,
        call=rendered.call,
        billed_usd=rendered.billed_usd,
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


def _drawn(backend: Backend, recipe: Recipe) -> _Rendered:
    pixels = backend.render(replace(recipe, backend_version=backend.version)).pixels
    check_pixels(pixels, recipe.width, recipe.height)
    return _Rendered(pixels, backend.version, backend.capabilities.seeds)


def _backend(studio: Studio, pose_id: UUID, recipe: Recipe, *, billed: bool) -> Backend:
    backend = studio.open_backend(recipe.backend)
    if backend.capabilities.costs_money and not billed:
        raise ReplayRefused(
            f"Pose {pose_id} was made by {recipe.backend}, which bills every picture: say --billed to pay for it again."
        )
    return backend


def _called(studio: Studio, stored: StoredRecipe, recipe: Recipe, *, billed: bool) -> _Rendered:
    backend = studio.open_hosted(recipe.backend)
    description = backend.description
    if not stored.has_ended:
        raise ReplayRefused(
            f"Generation {stored.generation_id} of pose {stored.pose_id} is at work: replay when it has ended."
        )
    if recipe.model != description.model:
        raise ReplayRefused(
            f"Pose {stored.pose_id} was made with the model {recipe.model}; backend {recipe.backend} has "
            f"{description.model} now. Configure the model of then to replay the pose."
        )
    if description.capabilities.costs_money and not billed:
        raise ReplayRefused(
            f"Pose {stored.pose_id} was made by {recipe.backend}, which bills every picture{_price(description)}: say "
            "--billed to pay for it again."
        )
    control = control_of(studio, recipe)
    replayed = call_again(studio, backend, recipe, control, pose=stored.pose_id, generation=stored.generation_id)
    with studio.database.transaction() as connection:
        billed_usd = calls.billed(connection, replayed.call)
    return _Rendered(replayed.pixels, description.version, description.capabilities.seeds, replayed.call, billed_usd)


def _price(description: Description) -> str:
    if description.price is None:
        return ", at a price that is on no list"
    return f" ({description.price:f} USD by the price list of {description.price_date})"


def _likeness(stored: StoredRecipe, recipe: Recipe, before: Pixels, after: Pixels) -> Likeness:
    if not np.array_equal(before, after):
        return Likeness.DIFFERENT
    packet = packet_of(recipe.backend, recipe.backend_version, recipe.digest(), stored.asked_at)
    file = encode_png(after, xmp=packet).data
    same_file = hashlib.sha256(file).hexdigest() == stored.image_sha256
    return Likeness.IDENTICAL if same_file else Likeness.SAME_PIXELS
