"""The pictures of a generation as one ZIP archive, planned from rows and read from the stores, each file verified.

The format lives in `archive_file`; the caller, which writes it to a file or a response, decides where it begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO
from uuid import UUID

from posegen.errors import ArchiveFailed, GenerationUnknown
from posegen.generations.reading import archive_rows as archives
from posegen.generations.reading.archive_file import Archive, Entry
from posegen.generations.reading.archive_names import safe_part, unique_paths
from posegen.generations.reading.archive_rows import ArchivedGeneration, FinishedPlace, StoredFile
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
class Missing:
    """A file that was asked for and does not exist. `number`: of the pose within the generation, from 1."""

    number: int
    library_pose: str
    format: str


@dataclass(frozen=True)
class GenerationArchive:
    """An archive whose size and tag are known before its first byte.

    `folder`: what all its files lie in; `tag`: the same for the same files in the same order, and for no others;
    `missing`: what it lacks of what was asked for.
    """

    folder: str
    tag: str
    missing: tuple[Missing, ...]
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
    wanted = list(dict.fromkeys(formats))
    with studio.database.transaction() as connection:
        generation = archives.archived_generation(connection, generation_id)
        if generation is None:
            raise GenerationUnknown(generation_id)
        finished = archives.finished_places(connection, generation_id)
        stored = archives.stored_files(connection, generation_id, wanted)
        known = platforms.stored_platforms(connection)
    _check_formats(wanted, stored, known)
    chosen = numbered({place.position + 1: place for place in finished}, poses)
    found = {(file.position, file.format): file for file in stored}
    pairs = [(place, name) for place in chosen for name in wanted]
    present = [(place, found[place.position, name]) for place, name in pairs if (place.position, name) in found]
    missing = tuple(
        Missing(place.position + 1, place.library_pose, name)
        for place, name in pairs
        if (place.position, name) not in found
    )
    if not present:
        raise ArchiveFailed(
            f"Generation {generation_id} has no file to put into an archive: {len(chosen)} completed poses, none of "
            f"them as {' or '.join(wanted) or 'anything'}. `posegen regenerate` makes exports that are missing."
        )
    return _planned(studio, generation, present, missing)


def _planned(
    studio: Studio,
    generation: ArchivedGeneration,
    present: list[tuple[FinishedPlace, StoredFile]],
    missing: tuple[Missing, ...],
) -> GenerationArchive:
    folder = safe_part(cut(generation.project_id or "poses", _LONGEST_NAME)) + f"-{str(generation.id)[:8]}"
    names = unique_paths(
        f"{folder}/{safe_part(f'{place.position + 1:02}-{place.library_pose}')}/{_file_name(file)}"
        for place, file in present
    )
    files = tuple(file for _, file in present)
    entries = [Entry(name, file.size, file.crc32, generation.asked_at) for name, file in zip(names, files, strict=True)]
    told = "\n".join(f"{entry.name}\0{file.sha256}" for entry, file in zip(entries, files, strict=True))
    tag = hashlib.sha256(told.encode()).hexdigest()[:32]
    return GenerationArchive(folder, tag, missing, Archive(entries), files, studio)


def _file_name(file: StoredFile) -> str:
    return safe_part(file.format + PurePosixPath(file.key).suffix)


def _check_formats(wanted: list[str], stored: list[StoredFile], known: Mapping[str, Platform]) -> None:
    """A platform that an operator has taken away may still have exports."""
    present = {IMAGE, *(file.format for file in stored)}
    for name in wanted:
        if name not in present:
            platform_named(name, known)
