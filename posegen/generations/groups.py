"""Groups: several generations of one user and project that are followed, cancelled and archived together.

Like `service.py`: its functions take ids and plain values, and open the transactions. `service.quote` has the price of
a group before it is submitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posegen.database.connection import Connection, Database
from posegen.database.rows import column, existing
from posegen.errors import GroupUnknown
from posegen.generations import service
from posegen.generations.reading import archives
from posegen.generations.reading.archives import DEFAULT_FORMATS, GenerationArchive
from posegen.generations.service import AlreadyEnded, Cancelled
from posegen.studio import Studio


@dataclass(frozen=True)
class Group:
    """The name of a group."""

    user_id: UUID
    project_id: str
    group_name: str


@dataclass(frozen=True)
class GroupProgress:
    """The sums over the generations of a group. `finished_at`: None until all of them have ended."""

    generations: int
    generations_ended: int
    poses_total: int
    poses_completed: int
    poses_failed: int
    credits_spent: int
    credits_held: int
    credits_released: int
    credits_refunded: int
    created_at: datetime
    finished_at: datetime | None


def progress(database: Database, group: Group) -> GroupProgress:
    """Where a group stands. Raises `GroupUnknown`."""
    statement = """
        select count(*) as generations, count(finished_at) as generations_ended,
               sum(poses_total) as poses_total, sum(poses_completed) as poses_completed,
               sum(poses_failed) as poses_failed, sum(credits_spent)::bigint as credits_spent,
               sum(credits_held)::bigint as credits_held, sum(credits_released)::bigint as credits_released,
               sum(credits_refunded)::bigint as credits_refunded, min(created_at) as created_at,
               case when count(*) = count(finished_at) then max(finished_at) end as finished_at
        from generation_results where generation_id = any(%s)
    """
    with database.transaction() as connection:
        return existing(connection, GroupProgress, statement, [_generations(connection, group)])


def cancel(database: Database, group: Group, *, actor: str) -> list[Cancelled | AlreadyEnded]:
    """Cancel the generations of a group, each in a transaction of its own, the oldest first. Raises `GroupUnknown`."""
    with database.transaction() as connection:
        generations = _generations(connection, group)
    return [service.cancel(database, generation, actor=actor) for generation in generations]


def plan_archive(studio: Studio, group: Group, *, formats: Sequence[str] = DEFAULT_FORMATS) -> GenerationArchive:
    """The archive of all pictures of a group, with a folder for each generation, in the order of the requests.

    Raises `GroupUnknown`, `UnknownName` for a format, and `ArchiveFailed` when there is nothing to put into it.
    """
    with studio.database.transaction() as connection:
        generations = _generations(connection, group)
    return archives.plan_archive_of_many(
        studio, generations, name=f"{group.project_id} {group.group_name}", formats=formats
    )


def _generations(connection: Connection, group: Group) -> list[UUID]:
    statement = """
        select id from generations where user_id = %s and project_id = %s and group_name = %s
        order by submitted_at, id
    """
    found = column(connection, statement, [group.user_id, group.project_id, group.group_name])
    if not found:
        raise GroupUnknown(group.project_id, group.group_name)
    return found
