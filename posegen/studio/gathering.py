"""Gathering a generation's files into a folder under names that people can read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from posegen.database import exports, poses
from posegen.database.exports import ExportRow
from posegen.database.poses import FinishedPose
from posegen.errors import ImageInvalid
from posegen.images.platforms import PLATFORMS
from posegen.images.validation import open_image
from posegen.studio.poses import SIDE
from posegen.studio.studio import Studio


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
    gathered = []
    for pose in finished:
        place = folder / f"{pose.position + 1:02}-{pose.library_pose}"
        gathered.append(_gather(studio, pose.image_key, pose.image_sha256, place, pose, "image", (SIDE, SIDE)))
        gathered.append(_gather(studio, pose.thumbnail_key, pose.thumbnail_sha256, place, pose, "thumbnail", None))
        gathered += [
            _gather(studio, row.key or "", row.sha256 or "", place, pose, row.format, _size_of(row))
            for row in derived
            if row.pose_id == pose.id and row.status == "completed"
        ]
    return gathered


def _gather(
    studio: Studio,
    key: str,
    sha256: str,
    place: Path,
    pose: FinishedPose,
    name: str,
    size: tuple[int, int] | None,
) -> GatheredFile:
    data = studio.store.get(key, sha256=sha256)
    height, width = open_image(data).shape[:2]
    if size is not None and (width, height) != size:
        raise ImageInvalid(f"{key} is {width}x{height}; {name} asks for {size[0]}x{size[1]}")
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{name}{Path(key).suffix}"
    path.write_bytes(data)
    return GatheredFile(path, pose.id, name, len(data))


def _size_of(row: ExportRow) -> tuple[int, int] | None:
    """Width and height in pixels, or None for a platform that this version no longer knows."""
    platform = PLATFORMS.get(row.format)
    return None if platform is None else (platform.width, platform.height)
