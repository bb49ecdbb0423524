"""Statements on the pose library, its pictures and the other lists that a request is validated against.

Seeding writes the rows of this version of Posegen; rows of operators stay unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.database.json_documents import UnreadableJson
from posegen.database.rows import many, one
from posegen.error_codes import ERROR_TEXTS
from posegen.objects.service import PlacedFile
from posegen.poses.avatar import AVATAR_ATTRIBUTES
from posegen.poses.library import CATEGORIES, LIBRARY


@dataclass(frozen=True)
class StoredPose:
    """A row of the pose library, built in or an operator's, before it is validated."""

    slug: str
    name: str
    category: str
    tags: list[str]
    description: str
    difficulty: str
    specification: dict[str, Any] | UnreadableJson
    built_in: bool
    enabled: bool


@dataclass(frozen=True)
class StoredPicture:
    """The object of a control map or a preview."""

    store: str
    key: str
    sha256: str


@dataclass(frozen=True)
class PictureUrls:
    """Where browsers find the pictures of a library pose; None for one that is not stored, or in a private store."""

    slug: str
    preview_url: str | None
    openpose_url: str | None
    depth_url: str | None


@dataclass(frozen=True)
class StoredCategory:
    """A row of the categories."""

    slug: str
    name: str
    description: str


@dataclass(frozen=True)
class ErrorMessage:
    """What an error code means to a customer and to an operator."""

    code: str
    customer_message: str
    operator_message: str


def seed_reference_data(connection: Connection) -> None:
    """Write error codes, avatar attributes, categories and the 64 poses; a second call changes nothing."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into error_codes (code, customer_message, operator_message) values (%s, %s, %s)
            on conflict (code) do update
                set customer_message = excluded.customer_message, operator_message = excluded.operator_message
                where (error_codes.customer_message, error_codes.operator_message)
                    is distinct from (excluded.customer_message, excluded.operator_message)
            """,
            [(code, text.customer, text.operator) for code, text in ERROR_TEXTS.items()],
        )
        attributes = [
            (attribute, value, position)
            for attribute, values in AVATAR_ATTRIBUTES.items()
            for position, value in enumerate(values)
        ]
        names, values, _ = zip(*attributes, strict=True)
        cursor.execute(
            """
            delete from avatar_attributes where (attribute, value) not in (select * from unnest(%s::text[], %s::text[]))
            """,
            [list(names), list(values)],
        )
        cursor.executemany(
            """
            insert into avatar_attributes (attribute, value, position) values (%s, %s, %s)
            on conflict (attribute, value) do update set position = excluded.position
                where avatar_attributes.position <> excluded.position
            """,
            attributes,
        )
        _seed_poses(connection)


def _seed_poses(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into pose_categories (slug, name, description, position) values (%s, %s, %s, %s)
            on conflict (slug) do update
                set name = excluded.name, description = excluded.description, position = excluded.position
                where (pose_categories.name, pose_categories.description, pose_categories.position)
                    is distinct from (excluded.name, excluded.description, excluded.position)
            """,
            [(c.slug, c.name, c.description, position) for position, c in enumerate(CATEGORIES)],
        )
        cursor.executemany(
            """
            insert into library_poses
                (slug, name, category, tags, description, difficulty, specification, built_in, position)
            values (%s, %s, %s, %s, %s, %s, %s, true, %s)
            on conflict (slug) do update set name = excluded.name, category = excluded.category, tags = excluded.tags,
                description = excluded.description, difficulty = excluded.difficulty,
                specification = excluded.specification, position = excluded.position
                where library_poses.built_in
                    and (library_poses.name, library_poses.category, library_poses.tags, library_poses.description,
                         library_poses.difficulty, library_poses.specification, library_poses.position)
                    is distinct from (excluded.name, excluded.category, excluded.tags, excluded.description,
                                      excluded.difficulty, excluded.specification, excluded.position)
            """,
            [
                (
                    p.slug,
                    p.name,
                    p.category,
                    list(p.tags),
                    p.description,
                    p.difficulty,
                    Jsonb(p.specification.to_json()),
                    position,
                )
                for position, p in enumerate(LIBRARY)
            ],
        )


def stored_pose(connection: Connection, slug: str) -> StoredPose | None:
    """One library pose, or None."""
    statement = """
        select slug, name, category, tags, description, difficulty, specification, built_in, enabled
        from library_poses where slug = %s
    """
    return one(connection, StoredPose, statement, [slug])


def stored_poses(connection: Connection) -> list[StoredPose]:
    """Every library pose, in the order of the library."""
    return many(
        connection,
        StoredPose,
        """
        select slug, name, category, tags, description, difficulty, specification, built_in, enabled
        from library_poses order by position, slug
        """,
    )


def stored_categories(connection: Connection) -> list[StoredCategory]:
    """Every category, in order."""
    statement = "select slug, name, description from pose_categories order by position, slug"
    return many(connection, StoredCategory, statement)


def picture_urls(connection: Connection) -> dict[str, PictureUrls]:
    """The URLs of the pictures of all poses, by their slugs; of control maps in several sizes the largest."""
    found = many(
        connection,
        PictureUrls,
        f"""
        with maps as ({_LARGEST_MAPS})
        select l.slug, preview.url as preview_url, openpose.url as openpose_url, depth.url as depth_url
        from library_poses l
        left join library_previews p on p.library_pose = l.slug
        left join object_urls preview on preview.id = p.object_id
        left join maps o on o.library_pose = l.slug and o.kind = 'openpose'
        left join object_urls openpose on openpose.id = o.object_id
        left join maps d on d.library_pose = l.slug and d.kind = 'depth'
        left join object_urls depth on depth.id = d.object_id
        """,
    )
    return {each.slug: each for each in found}


def placed_files(connection: Connection) -> list[PlacedFile]:
    """Where the pictures of all poses lie, by slug."""
    statement = f"""
        select p.library_pose as owner, 'preview_url' as field, o.store, o.key
        from library_previews p join objects o on o.id = p.object_id
        union all
        select m.library_pose, m.kind || '_url', o.store, o.key
        from ({_LARGEST_MAPS}) m join objects o on o.id = m.object_id
    """
    return many(connection, PlacedFile, statement)


_LARGEST_MAPS: LiteralString = (
    "select distinct on (library_pose, kind) * from control_maps order by library_pose, kind, width * height desc"
)


def avatar_attributes(connection: Connection) -> dict[str, list[str]]:
    """The values of each attribute, in order."""
    values: dict[str, list[str]] = {}
    for row in connection.execute("select attribute, value from avatar_attributes order by attribute, position"):
        values.setdefault(row["attribute"], []).append(row["value"])
    return values


def error_messages(connection: Connection) -> list[ErrorMessage]:
    """Every error code with its messages."""
    statement = "select code, customer_message, operator_message from error_codes order by code"
    return many(connection, ErrorMessage, statement)


def control_map(
    connection: Connection, slug: str, kind: str, side: int, specification_hash: str
) -> StoredPicture | None:
    """The control map of a pose that is stored for exactly this specification, or None. `side`: pixels."""
    return one(
        connection,
        StoredPicture,
        """
        select o.store, o.key, o.sha256 from control_maps m join objects o on o.id = m.object_id
        where m.library_pose = %s and m.kind = %s and m.width = %s and m.height = %s and m.specification_hash = %s
        """,
        [slug, kind, side, side, specification_hash],
    )


def put_control_map(
    connection: Connection, slug: str, kind: str, side: int, specification_hash: str, object_id: int
) -> None:
    """Let this object be the control map of a pose; that of an earlier specification is replaced. `side`: pixels."""
    connection.execute(
        """
        insert into control_maps (library_pose, kind, width, height, specification_hash, object_id)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (library_pose, kind, width, height) do update
            set specification_hash = excluded.specification_hash, object_id = excluded.object_id, created_at = now()
        """,
        [slug, kind, side, side, specification_hash, object_id],
    )


def preview(connection: Connection, slug: str, specification_hash: str) -> StoredPicture | None:
    """The preview of a pose that is stored for exactly this specification, or None."""
    return one(
        connection,
        StoredPicture,
        """
        select o.store, o.key, o.sha256 from library_previews p join objects o on o.id = p.object_id
        where p.library_pose = %s and p.specification_hash = %s
        """,
        [slug, specification_hash],
    )


def put_preview(connection: Connection, slug: str, specification_hash: str, object_id: int) -> None:
    """Let this object be the preview of a pose; that of an earlier specification is replaced."""
    connection.execute(
        """
        insert into library_previews (library_pose, specification_hash, object_id) values (%s, %s, %s)
        on conflict (library_pose) do update
            set specification_hash = excluded.specification_hash, object_id = excluded.object_id, created_at = now()
        """,
        [slug, specification_hash, object_id],
    )


def put_sheet(connection: Connection, object_id: int) -> None:
    """Let this object be the contact sheet of the library; an earlier one is left to the reconcile pass."""
    connection.execute(
        """
        insert into library_sheet (object_id) values (%s)
        on conflict (the_only_one) do update set object_id = excluded.object_id
        """,
        [object_id],
    )
