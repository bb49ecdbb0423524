"""Lists of generations and of pictures, a page at a time, by keyset: the thousandth page costs as much as the first.

The ids of a page come from an index of the table, and the view is read by these ids, so that no more rows are joined
than are shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, LiteralString, NamedTuple, TypeVar
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import column, many
from posegen.generations.reading import results
from posegen.generations.reading.results import GenerationResult, PoseResult
from posegen.states import GenerationStatus, PoseStatus

T = TypeVar("T")

LARGEST_PAGE = 100
_FEW = 500


class Order(StrEnum):
    """Which rows come first."""

    NEWEST = "newest"
    OLDEST = "oldest"


class Cursor(NamedTuple):
    """The place of the last row of a page. `at`: the time that the list is ordered by."""

    at: datetime
    id: UUID


@dataclass(frozen=True)
class Page(Generic[T]):
    """Part of a list. `next`: where the next page begins; None on the last one."""

    data: list[T]
    next: Cursor | None


@dataclass(frozen=True)
class GenerationFilter:
    """Which generations are listed, and in which order; they are ordered by the time at which they were asked for.

    Attributes:
        user_id: only those of one user.
        statuses: only those in one of these states; all if empty.
        project_id: only those of one project.
        group_name: only those of one group.
        since: only those asked for at this time or later.
        until: only those asked for before this time.
        order: the newest or the oldest first.
    """

    user_id: UUID | None = None
    statuses: Collection[GenerationStatus] = ()
    project_id: str | None = None
    group_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    order: Order = Order.NEWEST

    def conditions(self) -> Iterator[LiteralString]:
        """The conditions on `generations g`."""
        if self.user_id is not None:
            yield "g.user_id = %(user_id)s"
        if self.statuses:
            yield "g.status = any(%(statuses)s)"
        if self.project_id is not None:
            yield "g.project_id = %(project_id)s"
        if self.group_name is not None:
            yield "g.group_name = %(group_name)s"


@dataclass(frozen=True)
class PoseFilter:
    """Which poses are listed, and in which order.

    Completed poses are ordered by the time of their completion, and hidden pictures are left out. Poses of another
    status are ordered by the time at which they were accepted.

    Attributes:
        user_id: only those of one user.
        status: of the poses.
        category: only those of one category of the library, by slug.
        library_pose: only those of one library pose, by slug.
        format: only those with a completed export for this platform.
        project_id: only those of one project.
        group_name: only those of one group.
        is_favourite: only favourites, or only others.
        since: only those whose time is this or later.
        until: only those whose time is before this.
        order: the newest or the oldest first.
    """

    user_id: UUID | None = None
    status: PoseStatus = PoseStatus.COMPLETED
    category: str | None = None
    library_pose: str | None = None
    format: str | None = None
    project_id: str | None = None
    group_name: str | None = None
    is_favourite: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    order: Order = Order.NEWEST

    def conditions(self) -> Iterator[LiteralString]:
        """The conditions on `generated_poses p`. A literal status lets prepared statements use the partial indexes."""
        if self.status is PoseStatus.COMPLETED:
            yield "p.status = 'completed' and p.delete_after is null"
        else:
            yield "p.status = %(status)s and p.status <> 'completed'"
        if self.user_id is not None:
            yield "p.user_id = %(user_id)s"
        if self.library_pose is not None:
            yield "p.library_pose = %(library_pose)s"
        if self.category is not None:
            yield "p.library_pose = any(array(select slug from library_poses where category = %(category)s))"
        if self.project_id is not None:
            yield "p.project_id = %(project_id)s"
        if self.group_name is not None:
            of_whom: LiteralString = "g.user_id = %(user_id)s and " if self.user_id is not None else ""
            in_what: LiteralString = "g.project_id = %(project_id)s and " if self.project_id is not None else ""
            yield (
                "p.generation_id = any(array(select g.id from generations g"
                f" where {of_whom}{in_what}g.group_name = %(group_name)s))"
            )
        if self.is_favourite is not None:
            yield "p.is_favourite" if self.is_favourite else "not p.is_favourite"
        if self.format is not None:
            # A scalar subquery: the planner, which misjudges how many poses have the export, would sort them all.
            yield (
                "(select true from exports e where e.pose_id = p.id and e.user_id = p.user_id"
                " and e.format = %(format)s and e.status = 'completed' and e.deleted_at is null)"
            )


def page_of_generations(
    connection: Connection, which: GenerationFilter, *, after: Cursor | None, limit: int
) -> Page[GenerationResult]:
    """A page of generations. `after`: the cursor of the page before; `limit`: 1 to 100."""
    places, more = _places(connection, "generations g", "g.submitted_at", "g.id", which, after, limit)
    if not places:  # planning the statement on the view takes milliseconds
        return Page([], None)
    found = {each.generation_id: each for each in results.results_of(connection, [place.id for place in places])}
    return Page([found[place.id] for place in places], more)


def page_of_poses(connection: Connection, which: PoseFilter, *, after: Cursor | None, limit: int) -> Page[PoseResult]:
    """A page of poses with their URLs. `after`: the cursor of the page before; `limit`: 1 to 100."""
    time: LiteralString = "p.completed_at" if which.status is PoseStatus.COMPLETED else "p.created_at"
    few = _few_with_export(connection, which)
    only: LiteralString = "true" if few is None else "p.id = any(%(few)s)"
    places, more = _places(connection, "generated_poses p", time, "p.id", which, after, limit, only=only, few=few)
    if not places:
        return Page([], None)
    found = {each.pose_id: each for each in results.poses_with_ids(connection, [place.id for place in places])}
    return Page([found[place.id] for place in places], more)


def _few_with_export(connection: Connection, which: PoseFilter) -> list[UUID] | None:
    """The poses of the user that have the export, if they are few: a walk through all poses would look for them long.

    None where they are many, or where the filter names no format or no user.
    """
    if which.format is None or which.user_id is None:
        return None
    statement = """
        select pose_id from exports
        where user_id = %s and format = %s and status = 'completed' and deleted_at is null limit %s
    """
    found = column(connection, statement, [which.user_id, which.format, _FEW + 1])
    return found if len(found) <= _FEW else None


def _places(
    connection: Connection,
    table: LiteralString,
    time: LiteralString,
    key: LiteralString,
    which: GenerationFilter | PoseFilter,
    after: Cursor | None,
    limit: int,
    *,
    only: LiteralString = "true",
    few: list[UUID] | None = None,
) -> tuple[list[Cursor], Cursor | None]:
    """The places of the rows of a page, in order, and the cursor of the next page."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise ValueError(f"A page has 1 to {LARGEST_PAGE} rows, not {limit}")
    newest = which.order is Order.NEWEST
    conditions = [*which.conditions(), only]
    if which.since is not None:
        conditions.append(f"{time} >= %(since)s")
    if which.until is not None:
        conditions.append(f"{time} < %(until)s")
    if after is not None:
        conditions.append(f"({time}, {key}) {'<' if newest else '>'} (%(after_at)s, %(after_id)s)")
    direction: LiteralString = "desc" if newest else "asc"
    # Written out: the plan of a prepared statement would count on a tenth of the table.
    statement = (
        f"select {time} as at, {key} as id from {table} where {' and '.join(conditions)}"
        f" order by {time} {direction}, {key} {direction} limit {limit + 1}"
    )
    values = {
        name: list(value) if isinstance(value, tuple | list | set | frozenset) else value
        for name, value in {**vars(which), "few": few}.items()
    }
    if after is not None:
        values |= {"after_at": after.at, "after_id": after.id}
    found = many(connection, Cursor, statement, values)
    places = found[:limit]
    return places, places[-1] if len(found) > limit else None
