"""Gathering a generation's files into a folder under readable names, each verified. One ZIP file is in `archives`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from posegen.errors import ImageInvalid
from posegen.generations.rows import exports, poses
from posegen.generations.rows.exports import ExportRow
from posegen.generations.rows.poses import FinishedPose
from posegen.images.validation import open_image
from posegen.platforms import rows as platforms
from posegen.platforms.platform import Platform
from posegen.studio import Studio


@dataclass(frozen=True)
class GatheredFile:
    """A file on disk. `format`: the platform, or `image` or `thumbnail`; `size`: bytes."""

    path: Path
    pose: UUID
    format: str
    size: int


def gather_files(studio: Studio, generation_id: UUID, folder: Path) -> list[GatheredFile]:
    """Copy every picture of a generation into `folder`, verified against its hash and its platform's size.

    Raises `StorageError` for an object that is missing or corrupt, and `ImageInvalid` for one that does not open or has
    another size than its platform's.
    """
    with studio.database.transaction() as connection:
        finished = poses.finished_poses(connection, generation_id)
        derived = exports.exports_of(connection, generation_id)
        known = platforms.stored_platforms(connection)
    gathered = []
    for pose in finished:
        place = folder / f"{pose.position + 1:02}-{pose.library_pose}"
        image = (pose.image_store, pose.image_key, pose.image_sha256)
        thumbnail = (pose.thumbnail_store, pose.thumbnail_key, pose.thumbnail_sha256)
        gathered.append(_gather(studio, image, place, pose, "image", pose.size))
        gathered.append(_gather(studio, thumbnail, place, pose, "thumbnail", None))
        gathered += [
            _gather(studio, _stored(row), place, pose, row.format, _size_of(row, known))
            for row in derived
            if row.pose_id == pose.id and row.status == "completed"
        ]
    return gathered


def _gather(
    studio: Studio,
    stored: tuple[str, str, str],
    place: Path,
    pose: FinishedPose,
    name: str,
    size: tuple[int, int] | None,
) -> GatheredFile:
    store, key, sha256 = stored
    data = studio.read(store, key, sha256)
    height, width = open_image(data).shape[:2]
    if size is not None and (width, height) != size:
        raise ImageInvalid(f"{key} is {width}x{height}; {name} asks for {size[0]}x{size[1]}")
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{name}{Path(key).suffix}"
    path.write_bytes(data)
    return GatheredFile(path, pose.id, name, len(data))


def _stored(row: ExportRow) -> tuple[str, str, str]:
    """Store, key and SHA-256."""
    return row.store or "", row.key or "", row.sha256 or ""


def _size_of(row: ExportRow, known: Mapping[str, Platform]) -> tuple[int, int] | None:
    """Width and height in pixels, or None for a platform that is not there any more."""
    platform = known.get(row.format)
    return None if platform is None else (platform.width, platform.height)
