"""The pictures of a generation as one ZIP archive, planned from rows and read from the stores, each file verified.

The format lives in `archive_file`; the caller, which writes it to a file or a response, decides where it begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import BinaryIO
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import many, one
from posegen.errors import ArchiveFailed, GenerationUnknown
from posegen.generations.reading.archive_file import Archive, Entry
from posegen.generations.reading.archive_names import safe_part, unique_paths
from posegen.generations.rows.poses import numbered
from posegen.graphemes import cut
from posegen.platforms import rows as platforms
from posegen.platforms.platform import Platform, platform_named
from posegen.studio import Studio

DEFAULT_FORMATS = ("instagram_post", "tiktok")
IMAGE = "image"
"""Stands among the formats for the pose itself, as the PNG that it was stored as."""
_LONGEST_NAME = 60  # characters of a project's name in a folder's


@dataclass(frozen=True)
class ArchivedGeneration:
    """Whose archive it is. `asked_at`: when it was asked for."""

    id: UUID
    project_id: str | None
    asked_at: datetime


@dataclass(frozen=True)
class FinishedPlace:
    """A completed pose and its place in the generation, from 0."""

    id: UUID
    position: int
    library_pose: str


@dataclass(frozen=True)
class StoredFile:
    """A stored file of a pose. `format`: the platform, or `image`; `size`: bytes; `crc32`: 0 to 2^32-1."""

    position: int
    format: str
    store: str
    key: str
    sha256: str
    crc32: int
    size: int


@dataclass(frozen=True)
class Missing:
    """A file that was asked for and does not exist. `number`: of the pose within the generation, from 1."""

    number: int
    library_pose: str
    format: str


@dataclass(frozen=True)
class GenerationArchive:
    """An archive whose size and tag are known before its first byte.

    `folder`: what all its files lie in; `tag`: the same for the same files in the same order, and for no others;
    `missing`: what it lacks of what was asked for; `poses`: those with a file in it, each of which a download counts
    once (`single_poses.count_downloads`).
    """

    folder: str
    tag: str
    missing: tuple[Missing, ...]
    poses: tuple[UUID, ...]
    _archive: Archive
    _files: tuple[StoredFile, ...]
    _studio: Studio

    @property
    def size(self) -> int:
        """Bytes: the Content-Length."""
        return self._archive.size

    @property
    def names(self) -> list[str]:
        """The files' paths, in the archive's order."""
        return [entry.name for entry in self._archive.entries]

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`, in constant memory.

        Every file is compared with its SHA-256 before its last bytes are given: a damaged one ends the stream too
        early, with `ObjectCorrupt`. Raises `ObjectMissing` and other `StorageError`s likewise.
        """
        return self._archive.stream(self._open, start, stop)

    def _open(self, index: int) -> BinaryIO:
        file = self._files[index]
        return self._studio.store_named(file.store).open(file.key, sha256=file.sha256)


def plan_archive(
    studio: Studio,
    generation_id: UUID,
    *,
    formats: Sequence[str] = DEFAULT_FORMATS,
    poses: Collection[int] | None = None,
) -> GenerationArchive:
    """The archive of a generation's pictures in these formats, as they are stored now.

    `poses`: their numbers within the generation, from 1; all of them unless some are named. Poses that are not
    completed have no pictures, and are not counted as missing.
    Raises `GenerationUnknown`, `PoseNumberUnknown`, `UnknownName` for a format, and `ArchiveFailed` when there is
    nothing to put into it.
    """
    with studio.database.transaction() as connection:
        known = platforms.stored_platforms(connection)
        part = _part(connection, generation_id, formats, poses, known)
    folder = safe_part(cut(part.generation.project_id or "poses", _LONGEST_NAME)) + f"-{str(generation_id)[:8]}"
    if not part.present:
        raise ArchiveFailed(
            f"Generation {generation_id} has no file to put into an archive: {part.chosen} completed poses, none of "
            f"them as {' or '.join(formats) or 'anything'}. `posegen regenerate` makes exports that are missing."
        )
    return _planned(studio, folder, {folder: part})


def plan_archive_of_many(
    studio: Studio, generations: Sequence[UUID], *, name: str, formats: Sequence[str]
) -> GenerationArchive:
    """One archive of the pictures of several generations, each in a folder of its own, in this order.

    `name`: of the folder around them. Raises like `plan_archive`.
    """
    with studio.database.transaction() as connection:
        known = platforms.stored_platforms(connection)
        parts = [_part(connection, each, formats, None, known) for each in generations]
    folder = safe_part(cut(name, _LONGEST_NAME))
    if not any(part.present for part in parts):
        raise ArchiveFailed(f"None of {len(generations)} generations has a file to put into an archive.")
    return _planned(
        studio,
        folder,
        {f"{folder}/{number:02}-{str(part.generation.id)[:8]}": part for number, part in enumerate(parts, start=1)},
    )


@dataclass(frozen=True)
class _Part:
    """The files of one generation. `chosen`: how many completed poses were asked for."""

    generation: ArchivedGeneration
    chosen: int
    present: list[tuple[FinishedPlace, StoredFile]]
    missing: list[Missing]


def _part(
    connection: Connection,
    generation_id: UUID,
    formats: Sequence[str],
    poses: Collection[int] | None,
    known: Mapping[str, Platform],
) -> _Part:
    wanted = list(dict.fromkeys(formats))
    generation = archived_generation(connection, generation_id)
    if generation is None:
        raise GenerationUnknown(generation_id)
    finished = finished_places(connection, generation_id)
    stored = stored_files(connection, generation_id, wanted)
    _check_formats(wanted, stored, known)
    chosen = numbered({place.position + 1: place for place in finished}, poses)
    found = {(file.position, file.format): file for file in stored}
    pairs = [(place, name) for place in chosen for name in wanted]
    return _Part(
        generation,
        len(chosen),
        [(place, found[place.position, name]) for place, name in pairs if (place.position, name) in found],
        [
            Missing(place.position + 1, place.library_pose, name)
            for place, name in pairs
            if (place.position, name) not in found
        ],
    )


def _planned(studio: Studio, folder: str, parts: Mapping[str, _Part]) -> GenerationArchive:
    """`parts`: by the folder of each."""
    present = [(within, part.generation, place, file) for within, part in parts.items() for place, file in part.present]
    names = unique_paths(
        f"{within}/{safe_part(f'{place.position + 1:02}-{place.library_pose}')}/{_file_name(file)}"
        for within, _, place, file in present
    )
    files = tuple(file for *_, file in present)
    entries = [
        Entry(name, file.size, file.crc32, generation.asked_at)
        for name, (_, generation, _, file) in zip(names, present, strict=True)
    ]
    told = "\n".join(f"{entry.name}\0{file.sha256}" for entry, file in zip(entries, files, strict=True))
    tag = hashlib.sha256(told.encode()).hexdigest()[:32]
    missing = tuple(each for part in parts.values() for each in part.missing)
    shown = tuple(dict.fromkeys(place.id for _, _, place, _ in present))
    return GenerationArchive(folder, tag, missing, shown, Archive(entries), files, studio)


def _file_name(file: StoredFile) -> str:
    return safe_part(file.format + PurePosixPath(file.key).suffix)


def _check_formats(wanted: list[str], stored: list[StoredFile], known: Mapping[str, Platform]) -> None:
    """A platform that an operator has taken away may still have exports."""
    present = {IMAGE, *(file.format for file in stored)}
    for name in wanted:
        if name not in present:
            platform_named(name, known)


# --- statements -------------------------------------------------------------------------------------------------------


def archived_generation(connection: Connection, generation_id: UUID) -> ArchivedGeneration | None:
    """The generation, or None when there is none."""
    statement = """
        select g.id, g.project_id, r.created_at as asked_at
        from generations g join generation_requests r on r.id = g.id where g.id = %s
    """
    return one(connection, ArchivedGeneration, statement, [generation_id])


def finished_places(connection: Connection, generation_id: UUID) -> list[FinishedPlace]:
    """Its completed poses, in order."""
    statement = """
        select id, position, library_pose from generated_poses
        where generation_id = %s and status = 'completed' and delete_after is null order by position
    """
    return many(connection, FinishedPlace, statement, [generation_id])


def stored_files(connection: Connection, generation_id: UUID, formats: Sequence[str]) -> list[StoredFile]:
    """The files of its completed poses in these formats; the format `image` is the pose itself."""
    statement = """
        select p.position, made.format, o.store, o.key, o.sha256, o.crc32, o.size
        from generated_poses p
        cross join lateral (
            select 'image' as format, p.image_object as object_id
            union all
            select e.format, e.object_id from exports e where e.pose_id = p.id and e.status = 'completed'
        ) made
        join objects o on o.id = made.object_id
        where p.generation_id = %s and p.status = 'completed' and p.delete_after is null
            and made.format = any(%s)
    """
    return many(connection, StoredFile, statement, [generation_id, list(formats)])
