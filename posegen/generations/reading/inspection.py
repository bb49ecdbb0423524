"""Looking at what a generation has stored: is every row's object there, whole, and what it claims to be?

Each inspection raises `GenerationUnknown` when there is no such generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from posegen.errors import ImageInvalid, StorageError
from posegen.generations.making.quality import measures_of, problems_of
from posegen.generations.rows import exports, generations, poses
from posegen.images.headers import read_header
from posegen.platforms import rows as platforms
from posegen.studio import Studio


@dataclass(frozen=True)
class Inspection:
    """What was looked at, and a sentence for everything that is not as it should be."""

    looked_at: int
    problems: list[str]


def inspect_counts(studio: Studio, generation_id: UUID) -> Inspection:
    """Whether every pose that was asked for is completed, and every format of it is there."""
    with studio.database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id)
        finished = poses.finished_poses(connection, generation_id)
        made = {
            (row.pose_id, row.format)
            for row in exports.exports_of(connection, generation_id)
            if row.status == "completed"
        }
    problems = [
        f"pose {pose.position} has no export for {name}"
        for pose in finished
        for name in progress.formats
        if (pose.id, name) not in made
    ]
    if len(finished) != progress.poses_total:
        problems.insert(0, f"{len(finished)} of {progress.poses_total} poses are completed")
    return Inspection(looked_at=progress.poses_total, problems=problems)


def inspect_poses(studio: Studio, generation_id: UUID) -> Inspection:
    """Whether every completed pose has its image and thumbnail, whole and in the right size."""
    with studio.database.transaction() as connection:
        generations.progress_of(connection, generation_id)
        finished = poses.finished_poses(connection, generation_id)
    problems = []
    for pose in finished:
        problems += _look(studio, pose.image_store, pose.image_key, pose.image_sha256, pose.size)
        problems += _look(studio, pose.thumbnail_store, pose.thumbnail_key, pose.thumbnail_sha256, None)
    return Inspection(looked_at=2 * len(finished), problems=problems)


def inspect_quality(studio: Studio, generation_id: UUID) -> Inspection:
    """Whether what was measured on every completed pose would pass the quality gate today."""
    with studio.database.transaction() as connection:
        generations.progress_of(connection, generation_id)
        measured = measures_of(connection, generation_id)
    return Inspection(looked_at=len(measured), problems=problems_of(measured))


def inspect_exports(studio: Studio, generation_id: UUID) -> Inspection:
    """Whether every completed export has its object, whole and in its platform's size."""
    with studio.database.transaction() as connection:
        generations.progress_of(connection, generation_id)
        rows = [row for row in exports.exports_of(connection, generation_id) if row.status == "completed"]
        known = platforms.stored_platforms(connection)
    problems = []
    for row in rows:
        platform = known.get(row.format)
        size = None if platform is None else (platform.width, platform.height)
        problems += _look(studio, row.store or "", row.key or "", row.sha256 or "", size)
    return Inspection(looked_at=len(rows), problems=problems)


def _look(studio: Studio, store: str, key: str, sha256: str, size: tuple[int, int] | None) -> list[str]:
    """The hash says that these are the bytes that were encoded; decoding a print would take 100 MB to say it again."""
    try:
        header = read_header(studio.read(store, key, sha256))
    except (StorageError, ImageInvalid) as broken:
        return [str(broken)]
    found = (header.width, header.height)
    if size is not None and found != size:
        return [f"{key} is {found[0]}x{found[1]}, not {size[0]}x{size[1]}"]
    return []
