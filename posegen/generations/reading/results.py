"""What became of requests, read through the views that foreign backends read.

A new column of a view is a field here, in the place that it has in the view. What is for operators is in `history`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import LiteralString
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import many
from posegen.generations.rows import exports
from posegen.states import GenerationStatus


@dataclass(frozen=True)
class GenerationResult:
    """One generation as its customer sees it."""

    generation_id: UUID
    user_id: UUID
    project_id: str | None
    status: GenerationStatus
    error_code: str | None
    error_message: str | None
    error_detail: str | None
    prompt: str | None
    formats: list[str]
    backend: str | None
    poses_total: int
    poses_completed: int
    poses_failed: int
    credits_spent: int
    credits_held: int
    credits_released: int
    credits_refunded: int
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    seconds_to_finish: float | None
    group_name: str | None
    private: bool
    retry_of: UUID | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", GenerationStatus(self.status))


@dataclass(frozen=True)
class PoseResult:
    """One pose as its customer sees it: the columns of `pose_results`, in their order.

    `effective_ppi`: of each print, by format, how many of the pose's pixels an inch of paper shows.
    """

    pose_id: UUID
    generation_id: UUID
    user_id: UUID
    project_id: str | None
    position: int
    library_pose: str
    pose_name: str
    category: str
    variation: int
    status: str
    error_code: str | None
    error_message: str | None
    error_detail: str | None
    image_url: str | None
    thumbnail_url: str | None
    original_url: str | None
    exports: dict[str, str]
    prompt_used: str
    seed_used: int
    control_weight: float
    backend: str
    generation_seconds: Decimal | None
    generation_status: str
    poses_completed: int
    poses_total: int
    credits: int
    is_favourite: bool
    download_count: int
    created_at: datetime
    completed_at: datetime | None
    delete_after: datetime | None
    images_deleted_at: datetime | None
    thumbnails: dict[str, str]
    negative_prompt_used: str | None
    control_kind: str | None
    control_start: float | None
    control_end: float | None
    degraded: list[str]
    effective_ppi: dict[str, float] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """Within its generation, from 1."""
        return self.position + 1


_COLUMNS = ", ".join(each.name for each in fields(GenerationResult))
_POSE_COLUMNS = ", ".join(each.name for each in fields(PoseResult) if each.name != "effective_ppi")


def results_of(connection: Connection, generations: Collection[UUID]) -> list[GenerationResult]:
    """These generations, the oldest first."""
    statement = f"select {_COLUMNS} from generation_results where generation_id = any(%s) order by created_at"
    return many(connection, GenerationResult, statement, [list(generations)])


def pose_results(connection: Connection, generation_id: UUID) -> list[PoseResult]:
    """The poses of a generation with their URLs, by position."""
    return _poses(connection, "generation_id = %s", generation_id)


def poses_with_ids(connection: Connection, poses: Collection[UUID]) -> list[PoseResult]:
    """These poses with their URLs, in any order; hidden ones have no URLs."""
    return _poses(connection, "pose_id = any(%s)", list(poses))


def _poses(connection: Connection, condition: LiteralString, value: object) -> list[PoseResult]:
    statement = f"select {_POSE_COLUMNS} from pose_results where {condition} order by position"
    poses = many(connection, PoseResult, statement, [value])
    prints = exports.print_resolutions(connection, [pose.pose_id for pose in poses])
    return [replace(pose, effective_ppi=prints.get(pose.pose_id, {})) for pose in poses]
