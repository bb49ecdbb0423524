"""Pictures as the mannequin makes them, and ways in which a backend's picture can be broken: what the quality gate is
tried on, by its tests and by `benchmarks/quality_gate.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from posegen.figure.drawing import draw
from posegen.poses.avatar import AVATAR_ATTRIBUTES, Avatar
from posegen.poses.library import LibraryPose

Chance = np.random.Generator


@dataclass(frozen=True, eq=False)
class Shown:
    """What a backend hands over: pixels, and mask and keypoints when it knows them."""

    pixels: np.ndarray
    mask: np.ndarray | None
    points: np.ndarray | None


def shown(pose: LibraryPose, avatar: Avatar, seed: int, side: int = 1024) -> Shown:
    """A picture as the mannequin makes it."""
    drawing = draw(pose.specification, avatar, seed=seed, width=side, height=side)
    return Shown(drawing.pixels, drawing.part_mask, drawing.keypoints.points)


def any_avatar(chance: Chance) -> Avatar:
    """An avatar by chance, every attribute drawn on its own."""
    return Avatar(**{name: str(chance.choice(values)) for name, values in AVATAR_ATTRIBUTES.items()})


# --- spoilt so far ----------------------------------------------------------------------------------------------------


def blurred(own: Shown, sigma: float) -> Shown:
    """`sigma`: pixels, as for a picture of 1024x1024."""
    return replace(own, pixels=cv2.GaussianBlur(own.pixels, (0, 0), _scaled(own, sigma)))


def grainy(own: Shown, sigma: float, chance: Chance) -> Shown:
    """`sigma`: levels."""
    return replace(own, pixels=(own.pixels + chance.normal(0, sigma, own.pixels.shape)).clip(0, 255).astype(np.uint8))


def faint(own: Shown, gain: float) -> Shown:
    """With this much of its contrast."""
    return _levels(own, gain, 128 * (1 - gain))


def cut_off(own: Shown, share: float, level: int) -> Shown:
    """The rest of a picture whose transfer broke off: the lower `share` is black or grey."""
    pixels = own.pixels.copy()
    pixels[round(pixels.shape[0] * (1 - share)) :] = level
    return replace(own, pixels=pixels)


def moved(own: Shown, by: float) -> Shown:
    """Figure and mask are where the pose is not. `by`: pixels, as for a picture of 1024x1024."""
    step = round(_scaled(own, by))
    return replace(own, pixels=np.roll(own.pixels, step, axis=1), mask=np.roll(_mask(own), step, axis=1))


def stored_again(own: Shown, quality: int) -> Shown:
    """As a JPEG of this quality has it, without mask."""
    file = io.BytesIO()
    Image.fromarray(own.pixels).save(file, "JPEG", quality=quality)
    return Shown(np.array(Image.open(file)), None, own.points)


# --- by itself --------------------------------------------------------------------------------------------------------


def _of_another_size(own: Shown, _: Shown, chance: Chance) -> Shown:
    side = own.pixels.shape[0]
    return replace(own, pixels=cv2.resize(own.pixels, (side, int(chance.choice([side // 2, side - 1, side + 8])))))


def _of_one_colour(own: Shown, _: Shown, chance: Chance) -> Shown:
    return replace(own, pixels=np.full_like(own.pixels, chance.integers(0, 256, 3)))


def _black(own: Shown, _: Shown, chance: Chance) -> Shown:
    return _levels(own, chance.uniform(0.01, 0.04), 0)


def _white(own: Shown, _: Shown, chance: Chance) -> Shown:
    gain = chance.uniform(0.01, 0.04)
    return _levels(own, gain, 255 * (1 - gain))


def _faint(own: Shown, _: Shown, chance: Chance) -> Shown:
    return faint(own, chance.uniform(0.03, 0.09))


def _blurred(own: Shown, _: Shown, chance: Chance) -> Shown:
    return blurred(own, chance.uniform(4, 16))


def _grainy(own: Shown, _: Shown, chance: Chance) -> Shown:
    return grainy(own, chance.uniform(25, 80), chance)


def _nothing_but_noise(own: Shown, _: Shown, chance: Chance) -> Shown:
    return replace(own, pixels=chance.integers(0, 256, own.pixels.shape, np.uint8))


# --- without its figure -----------------------------------------------------------------------------------------------


def _background_alone(own: Shown, _: Shown, __: Chance) -> Shown:
    """The figure is painted over with what surrounds it; the backend's mask still says that it is there."""
    quarter = 4
    small = cv2.resize(own.pixels, None, fx=1 / quarter, fy=1 / quarter, interpolation=cv2.INTER_AREA)
    hole = cv2.dilate((_mask(own) > 0).astype(np.uint8), np.ones((9, 9), np.uint8))
    side = own.pixels.shape[0]
    filled = cv2.inpaint(
        small, cv2.resize(hole, small.shape[1::-1], interpolation=cv2.INTER_NEAREST), 3, cv2.INPAINT_NS
    )
    filled = cv2.resize(filled, (side, side), interpolation=cv2.INTER_CUBIC)
    return replace(own, pixels=np.where(hole[..., None] > 0, filled, own.pixels))


def _no_figure_at_all(own: Shown, other: Shown, chance: Chance) -> Shown:
    """The backend knows that it has drawn none."""
    return replace(_background_alone(own, other, chance), mask=np.zeros_like(_mask(own)))


def _moved(own: Shown, _: Shown, chance: Chance) -> Shown:
    return moved(own, chance.uniform(180, 420) * chance.choice([-1, 1]))


def _beside_its_mask(own: Shown, _: Shown, chance: Chance) -> Shown:
    by = round(_scaled(own, chance.uniform(120, 420)) * chance.choice([-1, 1]))
    return replace(own, pixels=np.roll(own.pixels, by, axis=1))


def _half_lost(own: Shown, _: Shown, chance: Chance) -> Shown:
    return cut_off(own, chance.uniform(0.4, 0.65), int(chance.choice([0, 128])))


def _another_pose(own: Shown, other: Shown, _: Chance) -> Shown:
    return replace(other, points=own.points)


# --- copied -----------------------------------------------------------------------------------------------------------


def _the_same_again(_: Shown, other: Shown, __: Chance) -> Shown:
    return replace(other, mask=None)


def _mirrored(_: Shown, other: Shown, __: Chance) -> Shown:
    return Shown(np.ascontiguousarray(other.pixels[:, ::-1]), None, other.points)


def _stored_again(_: Shown, other: Shown, chance: Chance) -> Shown:
    return stored_again(other, int(chance.integers(60, 95)))


def _shrunk_and_grown(_: Shown, other: Shown, __: Chance) -> Shown:
    side = other.pixels.shape[0]
    half = cv2.resize(other.pixels, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    return Shown(cv2.resize(half, (side, side), interpolation=cv2.INTER_CUBIC), None, other.points)


Breakage = Callable[[Shown, Shown, Chance], Shown]

ALONE: dict[str, Breakage] = {
    "another size": _of_another_size,
    "one colour": _of_one_colour,
    "black": _black,
    "white": _white,
    "faint": _faint,
    "blurred": _blurred,
    "grainy": _grainy,
    "nothing but noise": _nothing_but_noise,
    "background alone": _background_alone,
    "no figure at all": _no_figure_at_all,
    "the figure somewhere else": _moved,
    "the picture beside its mask": _beside_its_mask,
    "half of it lost": _half_lost,
    "another pose": _another_pose,
}
"""Broken pictures that can be told by themselves: from a picture, another one, and chance."""

COPIED: dict[str, Breakage] = {
    "the same again": _the_same_again,
    "mirrored": _mirrored,
    "stored again as JPEG": _stored_again,
    "shrunk and grown": _shrunk_and_grown,
}
"""Another picture of the generation instead of the own one, from a backend that has no masks."""


def _levels(own: Shown, gain: float, offset: float) -> Shown:
    return replace(own, pixels=(own.pixels * gain + offset).clip(0, 255).round().astype(np.uint8))


def _mask(own: Shown) -> np.ndarray:
    assert own.mask is not None, "only what has a mask can be broken in this way"
    return own.mask


def _scaled(own: Shown, length: float) -> float:
    """A length in pixels of a picture of 1024x1024, in this one's pixels."""
    return length * own.pixels.shape[0] / 1024
