"""Statements about projects: the names under which a user's generations and designs lie, as the requests gave them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.keyset import page


@dataclass(frozen=True)
class Project:
    """What a user has asked for under one name. `last_used_at`: when the latest request was made."""

    project_id: str
    generations: int
    poses_completed: int
    designs: int
    last_used_at: datetime


def projects_of(
    connection: Connection, user_id: UUID, *, limit: int, after: tuple[datetime, str] | None
) -> list[Project]:
    """A page of a user's projects, the one that was used last first."""
    return page(
        connection,
        Project,
        """
        select project_id, generations, poses_completed, designs, last_used_at from (
            select user_id, project_id, sum(generations)::bigint as generations,
                   sum(poses_completed)::bigint as poses_completed, sum(designs)::bigint as designs,
                   max(last_used_at) as last_used_at
            from (
                select user_id, project_id, count(*) as generations, sum(poses_completed) as poses_completed,
                       0 as designs, max(submitted_at) as last_used_at
                from generations where project_id is not null group by user_id, project_id
                union all
                select user_id, project_id, 0, 0, count(*), max(created_at)
                from design_requests where project_id is not null group by user_id, project_id
            ) parts group by user_id, project_id
        ) projects
        """,
        order=("last_used_at", "project_id"),
        limit=limit,
        after=after,
        where={"user_id = %s": user_id},
    )
