"""Statements on the tables of designs: requests, results, objects, deleted designs, products and fonts.

Functions take an open transaction; which of them belong together is decided in `service` and `work`. The statements on
claims and leases are those of every kind of work, in `posegen.work.queue`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.keyset import Place, page
from posegen.database.requests import insert_request
from posegen.database.rows import changed, column, many, one, value
from posegen.database.texts import storable
from posegen.designs.products import PRODUCTS, Product
from posegen.designs.typesetting.fonts import FONTS
from posegen.objects.service import PlacedFile
from posegen.work.queue import Lease

T = TypeVar("T")

REQUESTS_CHANNEL = "posegen_design_requests"
"""A design was requested or deleted."""
STEPS_CHANNEL = "posegen_designs"
"""The status of a design has changed; the payload is its id, a colon, and the status."""

_DEMANDS = {
    "design_project_length": "the project id must be 1 to 200 characters long",
    "design_text_storable": "the text must be at most 100,000 characters long to be stored, and 500 to be accepted",
    "design_font_length": "the font's name must be 1 to 100 characters long",
    "design_size_in_range": "the size must be 1 to 2000 points",
    "design_text_colour_length": "the text's colour must be 1 to 100 characters long",
    "design_ground_colour_length": "the ground's colour must be 1 to 100 characters long",
    "design_product_length": "the product type must be 1 to 100 characters long",
    "design_watermark_storable": "the watermark must be 1 to 10,000 characters long, and at most 60 to be accepted",
}
"""What the constraints of `design_requests` demand, by their names."""


@dataclass(frozen=True)
class Font:
    """A font that can be asked for. `fallback`: the font for letters that it lacks."""

    name: str
    title: str
    fallback: str


@dataclass(frozen=True)
class DesignRequest:
    """A request and its design. `folder`: the folder of the keys of its objects."""

    id: UUID
    user_id: UUID
    folder: UUID
    text: str
    font: str
    product_type: str
    size: float | None
    text_colour: str | None
    ground_colour: str | None
    watermark: str | None
    print_file: bool
    created_at: datetime


@dataclass(frozen=True)
class DesignObject:
    """An object of a published design. `kind`: `preview`, `thumbnail` or `print`; `size`: bytes."""

    kind: str
    store: str
    key: str
    sha256: str
    size: int


@dataclass(frozen=True)
class DeletedDesign:
    """The objects that a deleted design has left in one store. `store`: None when it had none."""

    entry: int
    design_id: UUID
    store: str | None
    keys: list[str]


def seed_design_lists(connection: Connection) -> None:
    """Write the product types and the fonts of this version; a second call changes nothing."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into product_types (name, title, width, height, bleed, ground, ink, position)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (name) do update set title = excluded.title, width = excluded.width, height = excluded.height,
                bleed = excluded.bleed, ground = excluded.ground, ink = excluded.ink, position = excluded.position
                where product_types is distinct from excluded
            """,
            [
                (each.name, each.title, each.width, each.height, each.bleed, each.ground, each.ink, position)
                for position, each in enumerate(PRODUCTS.values())
            ],
        )
        cursor.executemany(
            """
            insert into design_fonts (name, title, fallback, position) values (%s, %s, %s, %s)
            on conflict (name) do update set title = excluded.title, fallback = excluded.fallback,
                position = excluded.position where design_fonts is distinct from excluded
            """,
            [(each.name, each.title, each.fallback, position) for position, each in enumerate(FONTS.values())],
        )


def product_types(connection: Connection) -> list[Product]:
    """Every product type, in order."""
    statement = "select name, title, width, height, bleed, ground, ink from product_types order by position, name"
    return many(connection, Product, statement)


def fonts(connection: Connection) -> list[Font]:
    """Every font, in order."""
    return many(connection, Font, "select name, title, fallback from design_fonts order by position, name")


def insert(connection: Connection, columns: Mapping[str, object]) -> UUID:
    """Insert a design request; returns its id. Raises `RequestRefused` (invalid_request)."""
    return insert_request(connection, "design_requests", columns, _DEMANDS)


def delete_request(connection: Connection, design_id: UUID, *, user_id: UUID | None) -> bool:
    """Delete a request and its design; their objects are noted for deletion.

    Returns False when there is none, or it belongs to another user; `user_id`: None for any user's.
    """
    statement = "delete from design_requests where id = %s and user_id = coalesce(%s, user_id)"
    return changed(connection, statement, [design_id, user_id]) == 1


def request_of(connection: Connection, design_id: UUID) -> DesignRequest | None:
    """The request of a design, or None when there is no such design."""
    return one(
        connection,
        DesignRequest,
        """
        select d.id, d.user_id, d.folder, r.text, r.font, r.product_type, r.size, r.text_colour, r.ground_colour,
               r.watermark, r.print_file, r.created_at
        from designs d join design_requests r on r.id = d.id where d.id = %s
        """,
        [design_id],
    )


def publish(
    connection: Connection, lease: Lease, objects: Sequence[int | None], *, size_used: float, warnings: Sequence[str]
) -> None:
    """Publish a rendered design, whose row is locked under this lease.

    Args:
        connection: an open transaction.
        lease: the lease on the design.
        objects: the ids of the objects of preview, thumbnail and print; None for a design without a print.
        size_used: points.
        warnings: a sentence for everything that is not as it was asked for.
    """
    connection.execute(
        """
        update designs set status = 'published', preview_object = %s, thumbnail_object = %s, print_object = %s,
            size_used = %s, warnings = %s, token = token + 1, lease_expires_at = null, error_detail = null,
            finished_at = now()
        where id = %s
        """,
        [*objects, size_used, [storable(warning) for warning in warnings], lease.id],
    )


def objects_of(connection: Connection, design_id: UUID) -> list[DesignObject]:
    """The objects of a published design; none for any other design."""
    return many(
        connection,
        DesignObject,
        """
        select meant.kind, o.store, o.key, o.sha256, o.size
        from designs d
        cross join lateral (values ('preview', d.preview_object), ('thumbnail', d.thumbnail_object),
                                   ('print', d.print_object)) as meant (kind, object_id)
        join objects o on o.id = meant.object_id
        where d.id = %s
        """,
        [design_id],
    )


def placed_files(connection: Connection, designs: Sequence[UUID]) -> list[PlacedFile]:
    """Where the pictures of published designs lie, by their fields of `design_results`."""
    return many(
        connection,
        PlacedFile,
        """
        select d.id::text as owner, meant.field, o.store, o.key
        from designs d
        cross join lateral (values ('preview_url', d.preview_object), ('thumbnail_url', d.thumbnail_object))
            as meant (field, object_id)
        join objects o on o.id = meant.object_id
        where d.id = any(%s)
        """,
        [list(designs)],
    )


def result_of(connection: Connection, kind: type[T], design_id: UUID) -> T | None:
    """The design's row of the view `design_results` as an object of this class; None when there is no such design."""
    return one(connection, kind, "select * from design_results where design_id = %s", [design_id])


def results(
    connection: Connection,
    kind: type[T],
    *,
    user_id: UUID | None,
    status: str | None,
    limit: int,
    after: Place | None,
) -> list[T]:
    """A page of the view `design_results`, the newest first, of one user and status or of all."""
    return page(
        connection,
        kind,
        "select * from design_results",
        order=("created_at", "design_id"),
        limit=limit,
        after=after,
        where={"user_id = %s": user_id, "status = %s": status},
    )


def deleted_waiting(connection: Connection) -> bool:
    """Whether entries of deleted designs are left."""
    return bool(value(connection, "select exists (select from deleted_designs)"))


def stores_with_deleted(connection: Connection) -> list[str]:
    """The stores that have objects of deleted designs."""
    return column(connection, "select distinct store from deleted_designs where store is not null order by store")


def lock_deleted(connection: Connection, stores: Sequence[str], limit: int) -> list[DeletedDesign]:
    """The objects of deleted designs in these stores, the oldest entry first, locked."""
    return many(
        connection,
        DeletedDesign,
        """
        select entry, design_id, store, keys from deleted_designs where store is null or store = any(%s)
        order by entry limit %s for update skip locked
        """,
        [list(stores), limit],
    )


def forget_deleted(connection: Connection, deleted: Sequence[DeletedDesign]) -> None:
    """Delete the entries of deleted designs whose objects are deleted."""
    connection.execute("delete from deleted_designs where entry = any(%s)", [[each.entry for each in deleted]])
