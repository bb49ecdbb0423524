"""Statements about exports: one row is one platform's version of a pose. How one is made is in `making.exports`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import changed, many
from posegen.database.texts import storable
from posegen.error_codes import ErrorCode
from posegen.storage.protocol import ObjectInfo


@dataclass(frozen=True)
class ExportRow:
    """A stored export. `width`, `height`: pixels; `size`: bytes; `effective_ppi`: of prints, in the pose's pixels."""

    pose_id: UUID
    position: int
    format: str
    status: str
    width: int | None
    height: int | None
    fit: Literal["contain", "cover"] | None
    effective_ppi: float | None
    store: str | None
    key: str | None
    sha256: str | None
    size: int | None
    error_code: str | None
    error_detail: str | None


@dataclass(frozen=True)
class MadeExport:
    """An export that is stored and verified. `width`, `height`: pixels; `effective_ppi`: of prints.

    `export_ms`: milliseconds that it took; platforms with the same bytes share them.
    """

    format: str
    stored: ObjectInfo
    width: int
    height: int
    fit: Literal["contain", "cover"]
    effective_ppi: float | None
    export_ms: int


@dataclass(frozen=True)
class FailedExport:
    """An export that cannot be made."""

    format: str
    code: ErrorCode
    detail: str


def put_export(connection: Connection, pose: UUID, made: MadeExport, *, object_id: int) -> bool:
    """Set the export of a pose; an earlier one is replaced. False when the pose's images are deleted."""
    statement = """
        insert into exports (pose_id, format, status, object_id, width, height, fit, effective_ppi, size, export_ms)
        select id, %s, 'completed', %s, %s, %s, %s, %s, %s, %s
        from generated_poses where id = %s and delete_after is null for share
        on conflict (pose_id, format) do update set status = 'completed', object_id = excluded.object_id,
            width = excluded.width, height = excluded.height, fit = excluded.fit,
            effective_ppi = excluded.effective_ppi, size = excluded.size, export_ms = excluded.export_ms,
            error_code = null, error_detail = null, created_at = now()
    """
    size = made.stored.size
    values = [made.format, object_id, made.width, made.height, made.fit, made.effective_ppi, size, made.export_ms, pose]
    return changed(connection, statement, values) == 1


def put_failure(connection: Connection, pose: UUID, failed: FailedExport) -> None:
    """Insert an export that could not be made; one that was made before stays."""
    connection.execute(
        """
        insert into exports (pose_id, format, status, error_code, error_detail) values (%s, %s, 'failed', %s, %s)
        on conflict (pose_id, format) do update
            set error_code = excluded.error_code, error_detail = excluded.error_detail
            where exports.status = 'failed'
        """,
        [pose, failed.format, failed.code, storable(failed.detail)],
    )


def exports_of(connection: Connection, generation_id: UUID) -> list[ExportRow]:
    """The exports of a generation's shown poses, by pose and format."""
    statement = """
        select e.pose_id, p.position, e.format, e.status, e.width, e.height, e.fit, e.effective_ppi, o.store, o.key,
               o.sha256, o.size, e.error_code, e.error_detail
        from exports e join generated_poses p on p.id = e.pose_id left join objects o on o.id = e.object_id
        where p.generation_id = %s and p.delete_after is null order by p.position, e.format
    """
    return many(connection, ExportRow, statement, [generation_id])


def print_resolutions(connection: Connection, poses: Collection[UUID]) -> dict[UUID, dict[str, float]]:
    """Of those of these poses that have prints and are shown, by format: their own pixels to an inch of paper."""
    statement = """
        select e.pose_id, e.format, e.effective_ppi from exports e join generated_poses p on p.id = e.pose_id
        where e.pose_id = any(%s) and e.effective_ppi is not null and p.delete_after is null order by e.format
    """
    found: dict[UUID, dict[str, float]] = {}
    for row in connection.execute(statement, [list(poses)]):
        found.setdefault(row["pose_id"], {})[row["format"]] = round(row["effective_ppi"], 1)
    return found
