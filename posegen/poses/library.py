"""Posegen's own pose library: 64 poses in 28 categories, read from the TOML files beside this module.

One file per category in `library_data/`; a pose's `specification` is the JSON form of `PoseSpecification`. Poses that
operators add live in the database, not here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from posegen.errors import InvalidPose, UnknownName
from posegen.poses.specification import PoseSpecification

DIFFICULTIES = ("easy", "medium", "hard")


@dataclass(frozen=True)
class Category:
    """A named group of poses."""

    slug: str
    name: str
    description: str


@dataclass(frozen=True)
class LibraryPose:
    """An entry of the pose library. `category`: its slug; `description`: one sentence that also serves a prompt."""

    slug: str
    name: str
    category: str
    tags: tuple[str, ...]
    description: str
    difficulty: str
    specification: PoseSpecification


CATEGORY_ORDER: tuple[str, ...] = (
    "standing",
    "walking",
    "sitting",
    "leaning",
    "hands-on-hips",
    "arms-crossed",
    "over-the-shoulder",
    "back-view",
    "profile",
    "holding-a-product",
    "using-a-phone",
    "pointing",
    "waving",
    "greeting",
    "jumping",
    "running",
    "dancing",
    "kneeling",
    "crouching",
    "lying",
    "stretching",
    "yoga",
    "sport",
    "celebrating",
    "thinking",
    "formal",
    "casual",
    "gesturing",
)


def read_category(slug: str, text: str) -> tuple[Category, tuple[LibraryPose, ...]]:
    """Reads a category and its poses from the text of its file. Raises `InvalidPose`, naming the pose."""
    document = tomllib.loads(text)
    category = Category(slug, document["name"], document["description"])
    return category, tuple(_pose(slug, entry) for entry in document["poses"])


def _pose(category: str, entry: Mapping[str, Any]) -> LibraryPose:
    if entry["difficulty"] not in DIFFICULTIES:
        raise InvalidPose(f"{entry['slug']}: difficulty is {entry['difficulty']!r}; known: {', '.join(DIFFICULTIES)}.")
    try:
        specification = PoseSpecification.from_json(entry["specification"])
    except InvalidPose as error:
        raise InvalidPose(f"{entry['slug']}: {error}") from error
    return LibraryPose(
        slug=entry["slug"],
        name=entry["name"],
        category=category,
        tags=tuple(entry["tags"]),
        description=entry["description"],
        difficulty=entry["difficulty"],
        specification=specification,
    )


def _read_all() -> tuple[tuple[Category, ...], tuple[LibraryPose, ...]]:
    folder = resources.files("posegen.poses") / "library_data"
    read = [read_category(slug, (folder / f"{slug}.toml").read_text("utf-8")) for slug in CATEGORY_ORDER]
    return tuple(category for category, _ in read), tuple(pose for _, poses in read for pose in poses)


CATEGORIES, LIBRARY = _read_all()


def library_pose(slug: str) -> LibraryPose:
    """The pose with this slug. Raises `UnknownName`."""
    for pose in LIBRARY:
        if pose.slug == slug:
            return pose
    raise UnknownName("library pose", slug, [pose.slug for pose in LIBRARY])


def category_name(slug: str) -> str:
    """The name of one of our categories, or its slug in words for one that an operator has added."""
    return next((category.name for category in CATEGORIES if category.slug == slug), slug.replace("-", " "))
