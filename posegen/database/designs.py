"""Statements about designs: what was asked for, who renders it, and what became of it. One row is one design.

Functions take an open transaction; which of them belong together is decided in `posegen.lifecycle.designs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from posegen.database.connection import Connection
from posegen.database.texts import storable
from posegen.error_codes import ErrorCode

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
class DesignClaim:
    """The right to start one run for a design."""

    design_id: UUID
    claim: int
    user_id: UUID


@dataclass(frozen=True)
class DesignLease:
    """The right to write to a design, as long as nobody has claimed it since."""

    design_id: UUID
    claim: int


@dataclass(frozen=True)
class DesignProgress:
    """Where a design stands."""

    id: UUID
    user_id: UUID
    status: str
    claim: int
    claimed_at: datetime | None
    run_id: str | None
    attempts: int
    lost_leases: int


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


def waiting_ids(connection: Connection, limit: int) -> list[UUID]:
    """Drafts that may be claimed, the oldest of each user first, so that nobody waits for another's flood."""
    rows = connection.execute(
        """
        select id from (
            select id, submitted_at, row_number() over (partition by user_id order by submitted_at, id) as nth
            from designs where status = 'draft' and claimed_at is null and not_before <= now()
        ) waiting
        order by nth, submitted_at, id limit %s
        """,
        [limit],
    )
    return [row["id"] for row in rows]


def lock_waiting(connection: Connection, design_id: UUID) -> bool:
    """Lock a draft that no other process has claimed; its request is not read."""
    found = connection.execute(
        "select from designs where id = %s and status = 'draft' and claimed_at is null for update skip locked",
        [design_id],
    )
    return found.fetchone() is not None


def request_of(connection: Connection, design_id: UUID) -> DesignRequest | None:
    """What was asked for, or None when there is no such design."""
    with connection.cursor(row_factory=class_row(DesignRequest)) as cursor:
        return cursor.execute(_REQUEST + " where d.id = %s", [design_id]).fetchone()


def lock_claiming(connection: Connection) -> None:
    """Let one claimer at a time count what is under way; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtext('posegen designs'))")


def count_under_way(connection: Connection) -> int:
    """Designs that are claimed or being rendered."""
    row = connection.execute(
        "select count(*) as under_way from designs where claimed_at is not null or status = 'rendering'"
    ).fetchone()
    return int(row["under_way"]) if row else 0


def claim(connection: Connection, design_id: UUID) -> DesignClaim | None:
    """Claim a draft that nobody has claimed."""
    with connection.cursor(row_factory=class_row(DesignClaim)) as cursor:
        return cursor.execute(
            """
            update designs set claim = claim + 1, claimed_at = now()
            where id = %s and status = 'draft' and claimed_at is null returning id as design_id, claim, user_id
            """,
            [design_id],
        ).fetchone()


def claims_without_run(connection: Connection, *, older_than_seconds: float) -> list[DesignClaim]:
    """Claims whose run has not begun to work for a while: it may never have been launched."""
    with connection.cursor(row_factory=class_row(DesignClaim)) as cursor:
        return cursor.execute(
            """
            select id as design_id, claim, user_id from designs
            where claimed_at < now() - make_interval(secs => %s) order by claimed_at limit 1000
            """,
            [older_than_seconds],
        ).fetchall()


def progress_of(connection: Connection, design_id: UUID) -> DesignProgress | None:
    """Where this design stands, locked for the transaction."""
    with connection.cursor(row_factory=class_row(DesignProgress)) as cursor:
        return cursor.execute(
            """
            select id, user_id, status, claim, claimed_at, run_id, attempts, lost_leases from designs
            where id = %s for update
            """,
            [design_id],
        ).fetchone()


def start(
    connection: Connection, design_id: UUID, *, claim: int, run_id: str, lease_seconds: float
) -> DesignLease | None:
    """Turn a claimed draft into one that is being rendered; None when this claim no longer holds."""
    with connection.cursor(row_factory=class_row(DesignLease)) as cursor:
        return cursor.execute(
            """
            update designs set status = 'rendering', claimed_at = null, run_id = %s,
                lease_expires_at = now() + make_interval(secs => %s)
            where id = %s and status = 'draft' and claimed_at is not null and claim = %s
            returning id as design_id, claim
            """,
            [run_id, lease_seconds, design_id, claim],
        ).fetchone()


def hold_still(connection: Connection, lease: DesignLease) -> bool:
    """Lock the design for this transaction if the lease is still ours: the fence before every write."""
    found = connection.execute(
        "select from designs where id = %s and claim = %s and status = 'rendering' for update",
        [lease.design_id, lease.claim],
    ).fetchone()
    return found is not None


def publish(connection: Connection, lease: DesignLease, files: DesignFiles) -> None:
    """Write down a rendered design, whose row `hold_still` has locked."""
    connection.execute(
        """
        update designs set status = 'published', preview_object = %s, thumbnail_object = %s, print_object = %s,
            size_used = %s, warnings = %s, lease_expires_at = null, error_detail = null, finished_at = now()
        where id = %s
        """,
        [
            files.preview,
            files.thumbnail,
            files.printed,
            files.size_used,
            [storable(warning) for warning in files.warnings],
            lease.design_id,
        ],
    )


def fail(connection: Connection, design_id: UUID, *, code: ErrorCode, detail: str, attempts: int = 0) -> None:
    """End a design that is a draft or being rendered, whose row is locked. `attempts`: how many this adds."""
    connection.execute(
        """
        update designs set status = 'failed', error_code = %s, error_detail = %s, claimed_at = null,
            lease_expires_at = null, attempts = attempts + %s, finished_at = now()
        where id = %s
        """,
        [code, storable(detail), attempts, design_id],
    )


def put_back(
    connection: Connection,
    design_id: UUID,
    *,
    wait_seconds: float,
    detail: str | None,
    attempts: int = 0,
    lost_leases: int = 0,
) -> None:
    """Let a design wait again, whose row is locked; its next claim is out of reach of whoever had it."""
    connection.execute(
        """
        update designs set status = 'draft', claimed_at = null, lease_expires_at = null, attempts = attempts + %s,
            lost_leases = lost_leases + %s, error_detail = coalesce(%s, error_detail),
            not_before = now() + make_interval(secs => %s)
        where id = %s
        """,
        [attempts, lost_leases, detail and storable(detail), wait_seconds, design_id],
    )


def lock_expired(connection: Connection, limit: int) -> list[DesignProgress]:
    """Designs whose lease has run out, by the database's clock, locked; what somebody else has locked is left out."""
    with connection.cursor(row_factory=class_row(DesignProgress)) as cursor:
        return cursor.execute(
            """
            select id, user_id, status, claim, claimed_at, run_id, attempts, lost_leases from designs
            where status = 'rendering' and lease_expires_at < now()
            order by lease_expires_at limit %s for update skip locked
            """,
            [limit],
        ).fetchall()


def objects_of(connection: Connection, design_id: UUID) -> list[DesignObject]:
    """The objects of a published design; none for another one."""
    with connection.cursor(row_factory=class_row(DesignObject)) as cursor:
        return cursor.execute(
            """
            select meant.kind, o.store, o.key, o.sha256, o.size
            from designs d
            cross join lateral (values ('preview', d.preview_object), ('thumbnail', d.thumbnail_object),
                                       ('print', d.print_object)) as meant (kind, object_id)
            join objects o on o.id = meant.object_id
            where d.id = %s
            """,
            [design_id],
        ).fetchall()


def result_of(connection: Connection, design_id: UUID) -> dict[str, Any] | None:
    """The design as the view `design_results` gives it, or None when there is none."""
    return connection.execute("select * from design_results where design_id = %s", [design_id]).fetchone()


def deleted_waiting(connection: Connection) -> bool:
    """Whether anything of a deleted design is left in a store."""
    return connection.execute("select from deleted_designs limit 1").fetchone() is not None


def stores_with_deleted(connection: Connection) -> list[str]:
    """The stores in which something of a deleted design is left."""
    rows = connection.execute("select distinct store from deleted_designs where store is not null order by store")
    return [row["store"] for row in rows]


def lock_deleted(connection: Connection, stores: Sequence[str], limit: int) -> list[DeletedDesign]:
    """What is left of deleted designs in these stores, the oldest first, locked."""
    with connection.cursor(row_factory=class_row(DeletedDesign)) as cursor:
        return cursor.execute(
            """
            select entry, design_id, store, keys from deleted_designs where store is null or store = any(%s)
            order by entry limit %s for update skip locked
            """,
            [list(stores), limit],
        ).fetchall()


def forget_deleted(connection: Connection, deleted: Sequence[DeletedDesign]) -> None:
    """Nothing is left of these in their stores."""
    connection.execute("delete from deleted_designs where entry = any(%s)", [[each.entry for each in deleted]])


_REQUEST = """
    select d.id, d.user_id, d.folder, r.text, r.font, r.product_type, r.size, r.text_colour, r.ground_colour,
           r.watermark, r.print_file, r.created_at
    from designs d join design_requests r on r.id = d.id
"""
