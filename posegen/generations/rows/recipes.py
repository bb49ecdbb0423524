"""Statements about recipes and the poses and files they have made: for rendering again, and for `posegen inspect`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import many, one


@dataclass(frozen=True)
class StoredRecipe:
    """A pose and its recipe, as far as it came.

    `has_ended`: whether its generation has; `asked_at`: when that was asked for.
    """

    pose_id: UUID
    generation_id: UUID
    has_ended: bool
    status: str
    recipe: dict[str, Any] | None
    recipe_hash: str | None
    image_store: str | None
    image_key: str | None
    image_sha256: str | None
    asked_at: datetime

    @property
    def image(self) -> tuple[str, str, str] | None:
        """Store, key and SHA-256 of the picture, where there is one."""
        if self.image_store is None or self.image_key is None or self.image_sha256 is None:
            return None
        return self.image_store, self.image_key, self.image_sha256


@dataclass(frozen=True)
class PoseOfRecipe:
    """A pose that a recipe has made. `number`: within its generation, from 1."""

    pose_id: UUID
    generation_id: UUID
    number: int
    library_pose: str
    recipe: dict[str, Any]


@dataclass(frozen=True)
class KnownFile:
    """An object with certain bytes. `role`: image, original, thumbnail, or a platform; None where no pose has it."""

    store: str
    key: str
    pose_id: UUID | None
    role: str | None


def stored_recipe(connection: Connection, pose_id: UUID) -> StoredRecipe | None:
    """The recipe of a pose, or None when there is no such pose."""
    statement = """
        select p.id as pose_id, p.generation_id, g.finished_at is not null as has_ended, p.status, p.recipe,
               p.recipe_hash, o.store as image_store, o.key as image_key, o.sha256 as image_sha256,
               r.created_at as asked_at
        from generated_poses p
        join generations g on g.id = p.generation_id
        join generation_requests r on r.id = p.generation_id
        left join objects o on o.id = p.image_object
        where p.id = %s
    """
    return one(connection, StoredRecipe, statement, [pose_id])


def poses_of_recipe(connection: Connection, recipe_hash: str, *, limit: int = 20) -> list[PoseOfRecipe]:
    """The poses that this recipe has made, the first one first."""
    statement = """
        select id as pose_id, generation_id, position + 1 as number, library_pose, recipe
        from generated_poses where recipe_hash = %s and status = 'completed'
        order by completed_at, id limit %s
    """
    return many(connection, PoseOfRecipe, statement, [recipe_hash, limit])


def files_with(connection: Connection, sha256: str, *, limit: int = 20) -> list[KnownFile]:
    """The objects that have exactly these bytes, and what they are of which pose."""
    statement = """
        select o.store, o.key, uses.pose_id, uses.role
        from objects o left join lateral (
            select id as pose_id, 'image' as role from generated_poses where image_object = o.id
            union all
            select id, 'original' from generated_poses where original_object = o.id and image_object <> o.id
            union all
            select id, 'thumbnail' from generated_poses where thumbnail_object = o.id
            union all
            select pose_id, 'thumbnail' from thumbnails where object_id = o.id
            union all
            select pose_id, format from exports where object_id = o.id and status = 'completed'
        ) uses on true
        where o.sha256 = %s order by o.id, uses.role limit %s
    """
    return many(connection, KnownFile, statement, [sha256, limit])
