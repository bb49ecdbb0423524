"""Statements that read everything about one generation, for `posegen explain`. They change nothing.

Each goes through an index on the generation, so that the size of the tables does not matter. What the rows mean
together is in `posegen.generations.reading.history`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.json_documents import UnreadableJson, as_object
from posegen.database.rows import column, many, one

_ID_DIGITS = 32
_BEGINNING = re.compile(r"[0-9a-f-]+", re.ASCII)


@dataclass(frozen=True)
class GenerationRow:
    """A generation with its request, its hold and what its error code says. Credits in whole numbers.

    `is_held`: by a worker whose lease has not expired.
    """

    generation_id: UUID
    user_id: UUID
    user_name: str | None
    project_id: str | None
    idempotency_key: str | None
    poses: list[str]
    categories: list[str]
    prompt: str | None
    negative_prompt: str | None
    avatar: dict[str, Any] | UnreadableJson
    variations: int
    seed: int | None
    formats: list[str]
    fit: str | None
    backend: str | None
    control_weight: float
    priority: int
    status: str
    error_code: str | None
    error_detail: str | None
    operator_message: str | None
    poses_total: int
    poses_completed: int
    poses_failed: int
    dispatch: int
    token: int
    run_id: str | None
    attempts: int
    lost_leases: int
    not_before: datetime
    lease_expires_at: datetime | None
    is_held: bool
    submitted_at: datetime
    queued_at: datetime | None
    dispatched_at: datetime | None
    started_at: datetime | None
    progressed_at: datetime | None
    finished_at: datetime | None
    retired_at: datetime | None
    credits_spent: int
    credits_held: int
    credits_released: int
    credits_refunded: int


@dataclass(frozen=True)
class PoseRow:
    """A pose. Durations in milliseconds; `delete_after`: its images are hidden, and are deleted then."""

    pose_id: UUID
    position: int
    library_pose: str
    variation: int
    seed: int
    price: int
    status: str
    error_code: str | None
    error_detail: str | None
    backend_failures: int
    quality_retries: int
    render_ms: int | None
    store_ms: int | None
    generation_ms: int | None
    completed_at: datetime | None
    delete_after: datetime | None
    delete_reason: str | None
    images_deleted_at: datetime | None


@dataclass(frozen=True)
class ExportRow:
    """An export of the pose at `position`. `size`: bytes; `export_ms`: milliseconds."""

    position: int
    format: str
    status: str
    size: int | None
    export_ms: int | None
    error_code: str | None
    error_detail: str | None
    created_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True)
class EntryRow:
    """A movement of credits for the generation or one of its poses."""

    kind: str
    amount: int
    pose_id: UUID | None
    reason: str
    actor: str
    created_at: datetime


@dataclass(frozen=True)
class ObjectRow:
    """An object that is recorded for the generation. `size`: bytes."""

    store: str
    key: str
    size: int


@dataclass(frozen=True)
class AuditRow:
    """An action on the generation, other than ledger entries."""

    actor: str
    action: str
    detail: dict[str, Any]
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", as_object(self.detail))


def ids_beginning_with(connection: Connection, beginning: str, *, most: int) -> list[UUID]:
    """The generations whose ids begin so, `most` of them at most; none for what no id begins with."""
    digits = beginning.lower().replace("-", "")
    if not _BEGINNING.fullmatch(beginning.lower()) or not 0 < len(digits) <= _ID_DIGITS:
        return []
    first, last = UUID(digits.ljust(_ID_DIGITS, "0")), UUID(digits.ljust(_ID_DIGITS, "f"))
    statement = "select id from generations where id between %s and %s order by id limit %s"
    return column(connection, statement, [first, last, most])


def generation_row(connection: Connection, generation_id: UUID) -> GenerationRow | None:
    """The generation, or None when there is none."""
    statement = """
        select g.id as generation_id, g.user_id, u.name as user_name, r.project_id, r.idempotency_key, r.poses,
               r.categories, r.prompt, r.negative_prompt, r.avatar, r.variations, r.seed, g.formats, g.fit,
               coalesce(g.backend, r.backend) as backend, r.control_weight, g.priority, g.status, g.error_code,
               g.error_detail, e.operator_message, g.poses_total, g.poses_completed, g.poses_failed, g.dispatch,
               g.token, g.run_id, g.attempts, g.lost_leases, g.not_before, g.lease_expires_at,
               g.status = 'running' and g.lease_expires_at >= now() as is_held, g.submitted_at, g.queued_at,
               g.dispatched_at, g.started_at, g.progressed_at, g.finished_at, g.retired_at,
               coalesce(h.captured, 0) as credits_spent,
               coalesce(h.amount - h.captured - h.released, 0) as credits_held,
               coalesce(h.released, 0) as credits_released, coalesce(h.refunded, 0) as credits_refunded
        from generations g
        join generation_requests r on r.id = g.id
        left join users u on u.id = g.user_id
        left join holds h on h.generation_id = g.id
        left join error_codes e on e.code = g.error_code
        where g.id = %s
    """
    return one(connection, GenerationRow, statement, [generation_id])


def pose_rows(connection: Connection, generation_id: UUID) -> list[PoseRow]:
    """The poses, by position."""
    statement = """
        select id as pose_id, position, library_pose, variation, seed, price, status, error_code, error_detail,
               backend_failures, quality_retries, render_ms, store_ms, generation_ms, completed_at, delete_after,
               delete_reason, images_deleted_at
        from generated_poses where generation_id = %s order by position
    """
    return many(connection, PoseRow, statement, [generation_id])


def export_rows(connection: Connection, generation_id: UUID) -> list[ExportRow]:
    """The exports of all poses, by position and format."""
    statement = """
        select p.position, e.format, e.status, e.size, e.export_ms, e.error_code, e.error_detail, e.created_at,
               e.deleted_at
        from generated_poses p join exports e on e.pose_id = p.id
        where p.generation_id = %s order by p.position, e.format
    """
    return many(connection, ExportRow, statement, [generation_id])


def entry_rows(connection: Connection, generation_id: UUID) -> list[EntryRow]:
    """The movements of credits, in order."""
    statement = """
        select kind, amount, pose_id, reason, actor, created_at from ledger_entries
        where generation_id = %s order by id
    """
    return many(connection, EntryRow, statement, [generation_id])


def object_rows(connection: Connection, generation_id: UUID) -> list[ObjectRow]:
    """The objects, by store and key; the contact sheet among them, which counts against no quota."""
    statement = """
        select store, key, size from objects where generation_id = %(id)s
        union
        select o.store, o.key, o.size from generations g join objects o on o.id = g.contact_sheet_object
        where g.id = %(id)s
        order by store, key
    """
    return many(connection, ObjectRow, statement, {"id": generation_id})


def audit_rows(connection: Connection, generation_id: UUID) -> list[AuditRow]:
    """What `audit_trail` has of it beside the ledger, in order; the view itself knows no index for a generation."""
    statement = "select actor, action, detail, created_at from audit_entries where subject = %s order by id"
    return many(connection, AuditRow, statement, [str(generation_id)])
