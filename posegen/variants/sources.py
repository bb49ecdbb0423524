"""Statements about what variants are made of: what a key or a URL stands for, whose it is, and whether it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import one, value

_MEANT: LiteralString = """
    with meant as (
        select %(source)s as key
        union
        select substr(%(source)s, length(rtrim(base_url, '/')) + 2) from stores
        where starts_with(%(source)s, rtrim(base_url, '/') || '/')
    ), found as (
        select o.id, o.store, o.key, o.sha256, o.content_type, o.generation_id, o.owner, source.pose_id,
               source.design_id, source.upload_id, source.variant_id, source.is_shown
        from meant cross join stores s
        join owned_objects o on o.store = s.name and o.key = meant.key
        left join object_sources source on source.object_id = o.id
    )
"""
"""`found`: what a key or a URL stands for, in whatever stores it is, with its owner and what it belongs to."""

_STILL_SHOWN: dict[str, LiteralString] = {
    "pose_id": "select from generated_poses where id = %s and delete_after is null for share",
    "design_id": "select from designs where id = %s for share",
    "upload_id": "select from uploads where id = %s and status = 'completed' for share",
    "variant_id": "select from image_variants where id = %s and deleted_at is null for share",
}


@dataclass(frozen=True)
class SourcePicture:
    """A stored object that variants may be made of. `generation_id`: None where it belongs to no generation.

    It is a picture of a pose, a design or an upload, or none of these (a control map). `variant_id`: the variant that
    it is, which is made of the same pose, design or upload.
    """

    store: str
    key: str
    sha256: str
    content_type: str
    generation_id: UUID | None
    pose_id: UUID | None
    design_id: UUID | None
    upload_id: UUID | None
    variant_id: UUID | None


def source_picture(connection: Connection, user_id: UUID, source: str) -> SourcePicture | None:
    """The object that a user means by a key or a URL: one of their own, or a control map, which are everybody's.

    A picture that is hidden does not count, nor does a file that its pose has replaced. When several stores have the
    key, the newest object counts.
    """
    return one(
        connection,
        SourcePicture,
        _MEANT
        + """
        select store, key, sha256, content_type, generation_id, pose_id, design_id, upload_id, variant_id
        from found
        where (owner = %(user)s and coalesce(is_shown, generation_id is null))
            or (owner is null and starts_with(key, 'controlnet/'))
        order by id desc limit 1
        """,
        {"source": source, "user": user_id},
    )


def hold_source(connection: Connection, source: SourcePicture) -> bool:
    """Lock what a picture belongs to until the transaction ends; False when that is hidden or deleted by now."""
    return all(
        connection.execute(statement, [belongs_to]).fetchone() is not None
        for name, statement in _STILL_SHOWN.items()
        if (belongs_to := getattr(source, name)) is not None
    )


def owner_of(connection: Connection, source: str) -> UUID | None:
    """Whose picture a key or a URL stands for, or None when it belongs to no user."""
    owner: UUID | None = value(
        connection,
        _MEANT + "select owner from found where owner is not null order by id desc limit 1",
        {"source": source},
    )
    return owner
