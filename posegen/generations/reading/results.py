"""What became of requests, read through the views that foreign backends read: for the command and for reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from posegen.database.connection import Connection
from posegen.states import GenerationStatus


@dataclass(frozen=True)
class GenerationResult:
    """One generation as its customer sees it."""

    generation_id: UUID
    user_id: UUID
    status: GenerationStatus
    error_code: str | None
    error_message: str | None
    error_detail: str | None
    prompt: str | None
    formats: list[str]
    poses_total: int
    poses_completed: int
    poses_failed: int
    credits_spent: int
    credits_held: int
    credits_released: int
    credits_refunded: int
    created_at: datetime
    finished_at: datetime | None
    seconds_to_finish: float | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", GenerationStatus(self.status))


_COLUMNS = """
    generation_id, user_id, status, error_code, error_message, error_detail, prompt, formats, poses_total,
    poses_completed, poses_failed, credits_spent, credits_held, credits_released, credits_refunded, created_at,
    finished_at,
    seconds_to_finish
"""


def results_of(connection: Connection, generations: Sequence[UUID]) -> list[GenerationResult]:
    """These generations, the oldest first."""
    with connection.cursor(row_factory=class_row(GenerationResult)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from generation_results where generation_id = any(%s) order by created_at",
            [list(generations)],
        ).fetchall()


def latest_results(connection: Connection, limit: int) -> list[GenerationResult]:
    """The generations that were asked for last, the latest first."""
    with connection.cursor(row_factory=class_row(GenerationResult)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from generation_results order by created_at desc, generation_id limit %s", [limit]
        ).fetchall()


def pose_results(connection: Connection, generation_id: UUID) -> list[dict[str, Any]]:
    """The poses of a generation with their URLs, as the view gives them."""
    return connection.execute(
        "select * from pose_results where generation_id = %s order by position", [generation_id]
    ).fetchall()
