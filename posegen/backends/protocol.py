"""The protocol of backends: a backend renders a recipe into a rendering.

A recipe contains everything that determines an image; its digest identifies it. Backends are elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posegen.poses.avatar import Avatar
from posegen.poses.control_maps import MapKind
from posegen.poses.keypoints import Keypoints
from posegen.poses.specification import PoseSpecification

LARGEST_SEED = 2**32 - 1
_OF_HOSTED_MODELS = (
    *("model", "revision", "negative_prompt", "control_kind", "control_sha256", "control_start", "control_end"),
    *("references", "steps", "guidance", "licence"),
)


@dataclass(frozen=True)
class Recipe:
    """Everything that determines an image: the same recipe is the same picture.

    Fields from `model` on are those of hosted models. One that is None is left out of the canonical text, so that
    recipes which were stored before the field existed keep their hash.

    Attributes:
        backend: its name.
        backend_version: of the code that draws, or of the model and its wire.
        specification: the pose, as angles of joints.
        pose: slug of the library pose.
        avatar: the figure.
        prompt: the text that the backend is given.
        seed: 0 to 2**32 - 1.
        width: pixels.
        height: pixels.
        control_weight: how strictly a model must follow the pose, 0 to 2; 1 is what its maker recommends.
        model: as the provider names it.
        revision: of the model, where its maker names one.
        negative_prompt: what the picture must not show.
        control_kind: `openpose` or `depth`.
        control_sha256: of the control map's bytes.
        control_start: the part of the steps after which the control map counts, 0 to 1; None for the model's default.
        control_end: the part of the steps up to which it counts, above `control_start`; None for the model's default.
        references: SHA-256 of the reference images in their order, the control map among them where the model takes it
            as one.
        steps: of the model; None for its default.
        guidance: how strictly it follows the prompt; None for its default.
        licence: of the model.
    """

    backend: str
    backend_version: str
    specification: PoseSpecification
    pose: str
    avatar: Avatar
    prompt: str
    seed: int
    width: int = 1024
    height: int = 1024
    control_weight: float = 1.0
    model: str | None = None
    revision: str | None = None
    negative_prompt: str | None = None
    control_kind: MapKind | None = None
    control_sha256: str | None = None
    control_start: float | None = None
    control_end: float | None = None
    references: tuple[str, ...] | None = None
    steps: int | None = None
    guidance: float | None = None
    licence: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values; `from_json` takes it back."""
        hosted = {name: getattr(self, name) for name in _OF_HOSTED_MODELS}
        return {
            "backend": self.backend,
            "backend_version": self.backend_version,
            "specification": self.specification.to_json(),
            "pose": self.pose,
            "avatar": self.avatar.to_json(),
            "prompt": self.prompt,
            "seed": self.seed,
            "width": self.width,
            "height": self.height,
            "control_weight": self.control_weight,
            **{name: _listed(value) for name, value in hosted.items() if value is not None},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from stored JSON. Raises `InvalidPose` or `UnknownName` for parts unknown to this version."""
        parts = {
            "specification": PoseSpecification.from_json(values["specification"]),
            "avatar": Avatar.from_json(values["avatar"]),
        }
        references = values.get("references")
        return cls(**{**values, **parts, "references": None if references is None else tuple(references)})

    def canonical(self) -> str:
        """The same text for equal recipes, independent of the order of keys and of how numbers are written."""
        return json.dumps(_plain(self.to_json()), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def digest(self) -> str:
        """SHA-256 of the canonical text, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _plain(value: Any) -> Any:
    """Rounds numbers to 6 digits and writes whole ones as integers: 30, 30.0 and 30.0000001 are one recipe."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        rounded = round(value, 6)
        return int(rounded) if rounded.is_integer() else rounded
    return value


@dataclass(frozen=True)
class Rendering:
    """The result of a backend for a recipe.

    `pixels`: (height, width, 3) uint8, sRGB; `keypoints`: where the skeleton is, when the backend knows;
    `depth`: (height, width) float32, metres from the camera, infinite where there is no figure;
    `part_mask`: (height, width) uint8, 0 where there is no figure.
    """

    pixels: NDArray[np.uint8]
    keypoints: Keypoints | None = None
    depth: NDArray[np.float32] | None = None
    part_mask: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Capabilities:
    """The abilities of a backend.

    Attributes:
        largest_side: pixels.
        pose_control: the picture follows the recipe's pose.
        free_prompt: it follows the words of the prompt.
        ground_truth: renderings carry keypoints, depth and part mask.
        costs_money: each call is billed by a provider.
        control_kinds: the control maps that the model takes, `openpose` or `depth`, the preferred one first.
        control_weight: how strictly it follows the pose can be chosen, or it follows it fully at every weight.
        control_span: the part of its steps in which the control map counts can be chosen.
        references: reference images that the model takes, with the control map where it takes that as one.
        negative_prompt: it follows a negative prompt.
        seeds: the same seed gives the same picture.
        side_multiple: pixels: width and height are multiples of it.
        longest_prompt: characters; None for no limit but that of its family.
        photographic: its pictures look like photographs of people.
    """

    largest_side: int
    pose_control: bool
    free_prompt: bool
    ground_truth: bool
    costs_money: bool
    photographic: bool
    control_kinds: tuple[MapKind, ...] = ()
    control_weight: bool = False
    control_span: bool = False
    references: int = 0
    negative_prompt: bool = False
    seeds: bool = True
    side_multiple: int = 1
    longest_prompt: int | None = None


class Backend(Protocol):
    """Draws recipes on this machine: drawing one again costs nothing. Threads share it."""

    @property
    def name(self) -> str:
        """The name in recipes and settings."""

    @property
    def version(self) -> str:
        """Changes whenever the same recipe would give another picture."""

    @property
    def capabilities(self) -> Capabilities: ...

    def render(self, recipe: Recipe) -> Rendering:
        """Renders a recipe.

        Raises `BackendRejected` when it can never render it, `BackendUnavailable` when it cannot right now.
        """
        ...
