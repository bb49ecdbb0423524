"""What customers and operators do with the pose library, for every door: the command, Dagster, and HTTP.

A door calls these functions and shows what they return; it decides nothing itself. Which poses can be drawn is decided
in `validation`, control maps are made in `control_maps` and previews in `previews`, the statements live in `rows`.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import structlog

from posegen.database.connection import Database
from posegen.database.failures import may_pass
from posegen.errors import InvalidPose, PosegenError, UnknownName
from posegen.figure.drawing import Drawing
from posegen.images.pixels import Pixels
from posegen.library import rows
from posegen.library.control_maps import ControlMap, control_maps, draw_library_pose, store_library_sheet
from posegen.library.previews import store_preview
from posegen.library.rows import ErrorMessage, PictureUrls, StoredPose
from posegen.library.validation import usable_poses
from posegen.objects.service import PlacedFile
from posegen.poses.control_maps import MapKind, depth_map, openpose_map
from posegen.poses.keypoints import openpose_json
from posegen.poses.prompts import fitting_poses
from posegen.studio import Studio

log = structlog.get_logger(__name__)

PictureKind = Literal["mannequin", "openpose", "depth"]
PICTURE_KINDS: tuple[PictureKind, ...] = ("mannequin", "openpose", "depth")


@dataclass(frozen=True)
class ListedPose:
    """A library pose, built in or an operator's.

    `preview_url`, `openpose_url`, `depth_url`: where browsers find its pictures; None for one that is not stored, or
    lies in a private store.
    """

    slug: str
    name: str
    category: str
    tags: list[str]
    description: str
    difficulty: str
    built_in: bool
    enabled: bool
    preview_url: str | None
    openpose_url: str | None
    depth_url: str | None


@dataclass(frozen=True)
class Category:
    """A category with the number of its poses that can be asked for."""

    slug: str
    name: str
    description: str
    poses: int


@dataclass(frozen=True)
class Listing:
    """Enabled poses, in the order of the library or the best match first.

    `unusable`: why one cannot be drawn, by its slug.
    """

    poses: list[ListedPose]
    unusable: dict[str, str]


@dataclass(frozen=True)
class AvatarAttribute:
    """An attribute of an avatar with its values, in order."""

    name: str
    values: list[str]


@dataclass(frozen=True)
class DrawnPose:
    """A library pose as the default avatar shows it."""

    drawing: Drawing

    def picture(self, kind: PictureKind) -> Pixels:
        """The pose as the mannequin, its OpenPose map, or its depth map."""
        height, width = self.drawing.pixels.shape[:2]
        if kind == "openpose":
            return openpose_map(self.drawing.keypoints, width, height)
        if kind == "depth":
            return np.repeat(depth_map(self.drawing.depth)[..., None], 3, axis=2)
        return self.drawing.pixels

    @property
    def keypoints(self) -> str:
        """The keypoints as JSON, in the form of OpenPose."""
        height, width = self.drawing.pixels.shape[:2]
        return json.dumps(openpose_json(self.drawing.keypoints, width, height))


@dataclass(frozen=True)
class Prepared:
    """The library with all its control maps.

    Attributes:
        poses: how many are enabled.
        maps: the control maps of each pose, by its slug.
        previews_drawn: previews that were not stored yet.
        unusable: why a pose has none, by its slug.
        uploads_skipped: maps that the store had already.
        sheet_url: where a browser finds a sheet of all maps.
    """

    poses: int
    maps: dict[str, dict[MapKind, ControlMap]]
    previews_drawn: int
    unusable: dict[str, str]
    uploads_skipped: int
    sheet_url: str


def listing(database: Database, category: str | None = None, words: str | None = None) -> Listing:
    """The enabled poses.

    Args:
        database: where the poses are.
        category: only the poses of this category.
        words: only the poses that fit these words and can be drawn, the best match first: what intake would choose
            for a prompt of these words.

    Raises:
        UnknownName: the category has no enabled pose.
    """
    with database.transaction() as connection:
        poses = [pose for pose in rows.stored_poses(connection) if pose.enabled]
        pictures = rows.picture_urls(connection)
    if category is not None:
        known = sorted({pose.category for pose in poses})
        if category not in known:
            raise UnknownName("category", category, known)
        poses = [pose for pose in poses if pose.category == category]
    usable, unusable = usable_poses(poses)
    if words is not None:
        stored = {pose.slug: pose for pose in poses}
        poses = [stored[pose.slug] for pose in fitting_poses(words, list(usable.values()))]
    return Listing([_listed(pose, pictures[pose.slug]) for pose in poses], unusable)


def pose_named(database: Database, slug: str) -> ListedPose:
    """A library pose, enabled or not. Raises `UnknownName`."""
    with database.transaction() as connection:
        pose = rows.stored_pose(connection, slug)
        if pose is None:
            raise UnknownName("pose", slug, [])
        return _listed(pose, rows.picture_urls(connection)[slug])


def placed_files(database: Database) -> list[PlacedFile]:
    """Where the pictures of all poses lie, for signing."""
    with database.transaction() as connection:
        return rows.placed_files(connection)


def categories(database: Database) -> list[Category]:
    """Every category, in order."""
    with database.transaction() as connection:
        stored = rows.stored_categories(connection)
        usable, _ = usable_poses(rows.stored_poses(connection))
    poses = Counter(pose.category for pose in usable.values())
    return [Category(**vars(each), poses=poses[each.slug]) for each in stored]


def avatar_attributes(database: Database) -> list[AvatarAttribute]:
    """The attributes of an avatar, by name."""
    with database.transaction() as connection:
        return [AvatarAttribute(*each) for each in rows.avatar_attributes(connection).items()]


def error_messages(database: Database) -> list[ErrorMessage]:
    """Every error code with its messages."""
    with database.transaction() as connection:
        return rows.error_messages(connection)


def picture_kind(name: str) -> PictureKind:
    """The kind of picture of this name. Raises `UnknownName`."""
    for kind in PICTURE_KINDS:
        if kind == name:
            return kind
    raise UnknownName("kind of picture", name, list(PICTURE_KINDS))


def draw(database: Database, slug: str, *, side: int) -> DrawnPose:
    """Draw a library pose.

    Args:
        database: where the poses are.
        slug: the pose, enabled or not.
        side: width and height in pixels.

    Raises:
        UnknownName: there is no such pose.
        InvalidPose: its stored specification is one that the skeleton cannot take.
    """
    poses = {pose.slug: pose for pose in _stored(database)}
    if slug not in poses:
        raise UnknownName("pose", slug, list(poses))
    return DrawnPose(draw_library_pose(poses[slug], side))


def prepare(studio: Studio) -> Prepared:
    """Seed the library and draw the pictures that are not stored yet; a second call draws nothing."""
    with studio.database.transaction() as connection:
        rows.seed_reference_data(connection)
        poses = [pose for pose in rows.stored_poses(connection) if pose.enabled]
    maps, previews, unusable = _pictures_of_all(studio, poses)
    skipped = studio.store.traffic().skipped.operations
    sheet = store_library_sheet(studio, {slug: of_pose["openpose"] for slug, of_pose in maps.items()})
    return Prepared(len(poses), maps, previews, unusable, skipped, sheet)


def _stored(database: Database) -> list[StoredPose]:
    with database.transaction() as connection:
        return rows.stored_poses(connection)


def _listed(pose: StoredPose, pictures: PictureUrls) -> ListedPose:
    shown = {name: value for name, value in vars(pose).items() if name != "specification"}
    return ListedPose(**shown | vars(pictures))


def _pictures_of_all(
    studio: Studio, poses: list[StoredPose]
) -> tuple[dict[str, dict[MapKind, ControlMap]], int, dict[str, str]]:
    """The maps of each pose by its slug, the number of previews drawn, and why an operator's pose has no pictures."""
    maps, previews, unusable = {}, 0, {}
    for pose in poses:
        try:
            maps[pose.slug] = control_maps(studio, pose)
            previews += store_preview(studio, pose)
        except InvalidPose as invalid:
            unusable[pose.slug] = str(invalid)
        except Exception as defect:  # one pose must not take the whole library with it
            if isinstance(defect, PosegenError) or may_pass(defect):  # the store's or the database's, not the pose's
                raise
            log.exception("library pose not drawn", pose=pose.slug)
            unusable[pose.slug] = f"{type(defect).__name__}: {defect}"
    return maps, previews, unusable
