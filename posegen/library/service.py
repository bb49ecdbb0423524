"""What customers and operators do with the pose library, for every door: the command, Dagster, and HTTP.

A door calls these functions and shows what they return; it decides nothing itself. Which poses can be drawn is decided
in `validation`, control maps are made in `control_maps`, the statements live in `rows`.
"""

from __future__ import annotations

import json
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
from posegen.library.rows import StoredPose
from posegen.library.validation import usable_poses
from posegen.poses.control_maps import MapKind, depth_map, openpose_map
from posegen.poses.keypoints import openpose_json
from posegen.studio import Studio

log = structlog.get_logger(__name__)

PictureKind = Literal["mannequin", "openpose", "depth"]
PICTURE_KINDS: tuple[PictureKind, ...] = ("mannequin", "openpose", "depth")


@dataclass(frozen=True)
class ListedPose:
    """A library pose, built in or an operator's."""

    slug: str
    name: str
    category: str
    tags: list[str]
    description: str
    difficulty: str
    built_in: bool
    enabled: bool


@dataclass(frozen=True)
class Listing:
    """Enabled poses, in the order of the library. `unusable`: why one cannot be drawn, by its slug."""

    poses: list[ListedPose]
    unusable: dict[str, str]


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
        unusable: why a pose has none, by its slug.
        uploads_skipped: maps that the store had already.
        sheet_url: where a browser finds a sheet of all maps.
    """

    poses: int
    maps: dict[str, dict[MapKind, ControlMap]]
    unusable: dict[str, str]
    uploads_skipped: int
    sheet_url: str


def listing(database: Database, category: str | None = None) -> Listing:
    """The enabled poses, of one category or of all. Raises `UnknownName` for a category without poses."""
    poses = [pose for pose in _stored(database) if pose.enabled]
    if category is not None:
        known = sorted({pose.category for pose in poses})
        if category not in known:
            raise UnknownName("category", category, known)
        poses = [pose for pose in poses if pose.category == category]
    return Listing([_listed(pose) for pose in poses], usable_poses(poses)[1])


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
    """Seed the library and draw the control maps that are not stored yet; a second call draws nothing."""
    with studio.database.transaction() as connection:
        rows.seed_reference_data(connection)
        poses = [pose for pose in rows.stored_poses(connection) if pose.enabled]
    maps, unusable = _control_maps_of_all(studio, poses)
    skipped = studio.store.traffic().skipped.operations
    sheet = store_library_sheet(studio, {slug: of_pose["openpose"] for slug, of_pose in maps.items()})
    return Prepared(len(poses), maps, unusable, skipped, sheet)


def _stored(database: Database) -> list[StoredPose]:
    with database.transaction() as connection:
        return rows.stored_poses(connection)


def _listed(pose: StoredPose) -> ListedPose:
    return ListedPose(**{name: value for name, value in vars(pose).items() if name != "specification"})


def _control_maps_of_all(
    studio: Studio, poses: list[StoredPose]
) -> tuple[dict[str, dict[MapKind, ControlMap]], dict[str, str]]:
    """The maps of each pose by its slug, and why an operator's pose has none."""
    maps, unusable = {}, {}
    for pose in poses:
        try:
            maps[pose.slug] = control_maps(studio, pose)
        except InvalidPose as invalid:
            unusable[pose.slug] = str(invalid)
        except Exception as defect:  # one pose must not take the whole library with it
            if isinstance(defect, PosegenError) or may_pass(defect):  # the store's or the database's, not the pose's
                raise
            log.exception("library pose not drawn", pose=pose.slug)
            unusable[pose.slug] = f"{type(defect).__name__}: {defect}"
    return maps, unusable
