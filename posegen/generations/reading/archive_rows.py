"""Statements about what goes into the archive of a generation: its files, with everything that a ZIP has to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import many, one


@dataclass(frozen=True)
class ArchivedGeneration:
    """Whose archive it is. `asked_at`: when it was asked for."""

    id: UUID
    project_id: str | None
    asked_at: datetime


@dataclass(frozen=True)
class FinishedPlace:
    """A completed pose and its place in the generation, from 0."""

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
        select position, library_pose from generated_poses
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
