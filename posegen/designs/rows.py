"""Statements about designs: what was asked for, who renders it, and what became of it. One row is one design.

Functions take an open transaction; which of them belong together is decided in `posegen.designs.work`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import column, many, one, value
from posegen.database.texts import storable
from posegen.work.queue import Lease

REQUESTS_CHANNEL = "posegen_design_requests"
"""Something was asked for or deleted."""
STEPS_CHANNEL = "posegen_designs"
"""A design went a step on; the payload is its id, a colon, and its status."""


@dataclass(frozen=True)
class DesignRequest:
    """A request and its design. `folder`: of its keys."""

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
class DesignFiles:
    """The objects of a rendered design, by the ids of their rows. `size_used`: points."""

    preview: int
    thumbnail: int
    printed: int | None
    size_used: float
    warnings: Sequence[str]


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
    """What is left in one store of a design that is gone. `store`: None when there never was anything."""

    entry: int
    design_id: UUID
    store: str | None
    keys: list[str]


def request_of(connection: Connection, design_id: UUID) -> DesignRequest | None:
    """What was asked for, or None when there is no such design."""
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


def publish(connection: Connection, lease: Lease, files: DesignFiles) -> None:
    """Write down a rendered design, whose row is locked under this lease."""
    connection.execute(
        """
        update designs set status = 'published', preview_object = %s, thumbnail_object = %s, print_object = %s,
            size_used = %s, warnings = %s, token = token + 1, lease_expires_at = null, error_detail = null,
             finished_at = now()
        where id = %s
        """,
        [
            files.preview,
            files.thumbnail,
            files.printed,
            files.size_used,
            [storable(warning) for warning in files.warnings],
            lease.id,
        ],
    )


def objects_of(connection: Connection, design_id: UUID) -> list[DesignObject]:
    """The objects of a published design; none for another one."""
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


def result_of(connection: Connection, design_id: UUID) -> dict[str, Any] | None:
    """The design as the view `design_results` gives it, or None when there is none."""
    return connection.execute("select * from design_results where design_id = %s", [design_id]).fetchone()


def deleted_waiting(connection: Connection) -> bool:
    """Whether anything of a deleted design is left in a store."""
    return bool(value(connection, "select exists (select from deleted_designs)"))


def stores_with_deleted(connection: Connection) -> list[str]:
    """The stores in which something of a deleted design is left."""
    return column(connection, "select distinct store from deleted_designs where store is not null order by store")


def lock_deleted(connection: Connection, stores: Sequence[str], limit: int) -> list[DeletedDesign]:
    """What is left of deleted designs in these stores, the oldest first, locked."""
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
    """Nothing is left of these in their stores."""
    connection.execute("delete from deleted_designs where entry = any(%s)", [[each.entry for each in deleted]])
