"""Statements about control images of customers: at most one for each generation, which all its poses follow."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import one


@dataclass(frozen=True)
class ControlImage:
    """The control image of a generation.

    `source`: the id of an upload, or a URL; `is_left_out`: whether its poses follow the maps of their library poses
    instead; `store`, `key`, `sha256`: of the map that was made of it, None until it is made.
    """

    user_id: UUID
    source: str
    is_left_out: bool
    store: str | None
    key: str | None
    sha256: str | None

    @property
    def map(self) -> tuple[str, str, str] | None:
        """Store, key and SHA-256 of its map, where it is made."""
        if self.store is None or self.key is None or self.sha256 is None:
            return None
        return self.store, self.key, self.sha256


@dataclass(frozen=True)
class StoredMap:
    """A map that was made of a control image."""

    object_id: int
    store: str
    key: str
    sha256: str


@dataclass(frozen=True)
class UploadedImage:
    """The object of an upload."""

    store: str
    key: str
    sha256: str


def plan(connection: Connection, generation_id: UUID, source: str) -> None:
    """Insert the control image of a generation; nothing of it is read yet."""
    connection.execute("insert into control_images (generation_id, source) values (%s, %s)", [generation_id, source])


def find(connection: Connection, generation_id: UUID) -> ControlImage | None:
    """The control image of a generation, or None without one."""
    statement = """
        select g.user_id, c.source, c.is_left_out, o.store, o.key, o.sha256
        from control_images c join generations g on g.id = c.generation_id left join objects o on o.id = c.object_id
        where c.generation_id = %s
    """
    return one(connection, ControlImage, statement, [generation_id])


def uploaded(connection: Connection, upload: UUID, user_id: UUID) -> UploadedImage | None:
    """The picture of a completed upload of this user, or None."""
    statement = """
        select o.store, o.key, o.sha256 from uploads u join objects o on o.id = u.object_id
        where u.id = %s and u.user_id = %s and u.status = 'completed'
    """
    return one(connection, UploadedImage, statement, [upload, user_id])


def made_of(connection: Connection, user_id: UUID, source_sha256: str) -> StoredMap | None:
    """The map that was made of the same file for another generation of this user, or None."""
    statement = """
        select o.id as object_id, o.store, o.key, o.sha256
        from control_images c join objects o on o.id = c.object_id
        where c.source_sha256 = %s and o.user_id = %s limit 1
    """
    return one(connection, StoredMap, statement, [source_sha256, user_id])


def put_map(connection: Connection, generation_id: UUID, source_sha256: str, object_id: int) -> None:
    """Set the map of a generation. `source_sha256`: of the file that it was made of."""
    connection.execute(
        "update control_images set source_sha256 = %s, object_id = %s where generation_id = %s",
        [source_sha256, object_id, generation_id],
    )


def leave_out(connection: Connection, generation_id: UUID) -> None:
    """Note that the poses of a generation do not follow its control image, in this attempt and all later ones."""
    connection.execute("update control_images set is_left_out = true where generation_id = %s", [generation_id])
