"""Statements on the tables of image variants, one row for each image request, and on the pictures they are made of.

Functions take an open transaction; which of them belong together is decided in `service` and `work`. The statements on
claims and leases are those of every kind of work, in `posegen.work.queue`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString, TypeVar
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.keyset import Place, page
from posegen.database.requests import insert_request
from posegen.database.rows import changed, existing, many, one, value
from posegen.objects.service import PlacedFile
from posegen.work.queue import Lease

_DEMANDS = {
    "tool_is_a_name": "the tool must be a lower-case letter, followed by at most 62 letters, digits, '-' and '_'",
    "source_length": "the source must be 1 to 2,000 characters long",
}

T = TypeVar("T")

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
"""`found`: the objects of a key or a URL, in any store, with their owner and the row that they belong to."""

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


@dataclass(frozen=True)
class Wish:
    """What a request asks for: variants of `source`, a key or a URL, for `tool`."""

    tool: str
    source: str


@dataclass(frozen=True)
class StoredVariant:
    """An object of finished variants."""

    store: str
    key: str
    sha256: str


def insert(connection: Connection, user_id: UUID, tool: str, source: str) -> UUID:
    """Insert an image request; returns its id. Raises `RequestRefused` (invalid_request)."""
    return insert_request(connection, "image_requests", {"user_id": user_id, "tool": tool, "source": source}, _DEMANDS)


def wish_of(connection: Connection, request_id: UUID) -> Wish:
    """What a request asks for."""
    return existing(connection, Wish, "select tool, source from image_requests where id = %s", [request_id])


def complete(
    connection: Connection,
    lease: Lease,
    *,
    source: SourcePicture,
    normal_object: int,
    high_quality_object: int,
    width: int,
    height: int,
) -> bool:
    """Write down finished variants and what they are made of; returns False when the lease is lost."""
    completed = changed(
        connection,
        """
        update image_variants set status = 'completed', normal_object = %s, high_quality_object = %s, width = %s,
            height = %s, pose_id = %s, design_id = %s, upload_id = %s, variant_id = %s, token = token + 1,
            lease_expires_at = null, finished_at = now()
        where id = %s and token = %s and status = 'running'
        """,
        [
            *(normal_object, high_quality_object, width, height),
            *(source.pose_id, source.design_id, source.upload_id, source.variant_id),
            *(lease.id, lease.token),
        ],
    )
    return completed == 1


def result_of(connection: Connection, kind: type[T], request_id: UUID) -> T | None:
    """The row of a request in the view `variant_results` as an object of this class; None for an unknown request."""
    return one(connection, kind, "select * from variant_results where request_id = %s", [request_id])


def results(
    connection: Connection,
    kind: type[T],
    *,
    user_id: UUID | None,
    status: str | None,
    limit: int,
    after: Place | None,
) -> list[T]:
    """A page of the view `variant_results`, the newest first, of one user and status or of all."""
    return page(
        connection,
        kind,
        "select * from variant_results",
        order=("created_at", "request_id"),
        limit=limit,
        after=after,
        where={"user_id = %s": user_id, "status = %s": status},
    )


def delete(connection: Connection, requests: Sequence[UUID], *, user_id: UUID | None, actor: str) -> int:
    """Delete the variants of these requests, and those made of them; returns how many of the requests had any.

    `user_id`: requests of others are left out; None for any user's.
    """
    statement = """
        select delete_variants(array(
            select id from image_variants where id = any(%s) and user_id = coalesce(%s, user_id)), %s)
    """
    return int(value(connection, statement, [list(requests), user_id, actor]))


def stored_variants(connection: Connection, request_id: UUID) -> list[StoredVariant]:
    """The objects of finished variants: normal and high quality."""
    return many(
        connection,
        StoredVariant,
        """
        select o.store, o.key, o.sha256
        from image_variants v join objects o on o.id in (v.normal_object, v.high_quality_object)
        where v.id = %s order by o.id = v.high_quality_object
        """,
        [request_id],
    )


def placed_files(connection: Connection, requests: Sequence[UUID]) -> list[PlacedFile]:
    """Where finished variants lie, by their fields of `variant_results`."""
    return many(
        connection,
        PlacedFile,
        """
        select v.id::text as owner, meant.field, o.store, o.key
        from image_variants v
        cross join lateral (values ('normal_url', v.normal_object), ('high_quality_url', v.high_quality_object))
            as meant (field, object_id)
        join objects o on o.id = meant.object_id
        where v.id = any(%s)
        """,
        [list(requests)],
    )


def source_picture(connection: Connection, user_id: UUID, source: str) -> SourcePicture | None:
    """The object that a user means by a key or a URL: one of their own, or a control map, which any user may use.

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


def key_of_pose(connection: Connection, pose_id: UUID) -> str | None:
    """The key of a pose's picture; None when there is no such pose, or it has no picture."""
    key: str | None = value(
        connection,
        "select o.key from generated_poses p join objects o on o.id = p.image_object where p.id = %s",
        [pose_id],
    )
    return key


def owner_of(connection: Connection, source: str) -> UUID | None:
    """Whose picture a key or a URL stands for, or None when it belongs to no user."""
    owner: UUID | None = value(
        connection,
        _MEANT + "select owner from found where owner is not null order by id desc limit 1",
        {"source": source},
    )
    return owner
