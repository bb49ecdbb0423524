"""How many rows the statements of a list read, from the plans that PostgreSQL has run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row, tuple_row

from posegen.database.connection import Connection, Database
from posegen.generations.reading.pages import Cursor, GenerationFilter, PoseFilter, page_of_generations, page_of_poses

SHOWN = 20
DEEP = 1_000
_Look = Callable[[Connection, Cursor | None], list[Any]]


@dataclass(frozen=True)
class Plan:
    """Rows of the listed table that are read for each row that is shown, at two pages."""

    what: str
    first: float
    thousandth: float


class _Recorded(psycopg.Cursor[Any]):
    """Keeps what it executes."""

    statements: list[tuple[Any, Any]] = []  # noqa: RUF012 - of all cursors

    def execute(self, query: Any, params: Any = None, **how: Any) -> _Recorded:
        """Part of `psycopg.Cursor`."""
        self.statements.append((query, params))
        return super().execute(query, params, **how)


def plans_of(database: Database, user_id: UUID) -> list[Plan]:
    """The plans of lists without filters, of one user and of all."""
    looks: dict[str, tuple[str, str, str, _Look]] = {}
    for whose, user in (("one user", user_id), ("all users", None)):
        looks[f"generations of {whose}"] = (
            "generations", "submitted_at", "true",
            lambda connection, after, user=user: page_of_generations(  # type: ignore[misc]
                connection, GenerationFilter(user_id=user), after=after, limit=SHOWN
            ).data,
        )  # fmt: skip
        looks[f"poses of {whose}"] = (
            "generated_poses", "completed_at", "status = 'completed' and delete_after is null",
            lambda connection, after, user=user: page_of_poses(  # type: ignore[misc]
                connection, PoseFilter(user_id=user), after=after, limit=SHOWN
            ).data,
        )  # fmt: skip
    with psycopg.connect(database.url, row_factory=dict_row) as connection:
        found = []
        for what, (table, time, condition, look) in looks.items():
            mine = f"user_id = '{user_id}'" if what.endswith("one user") else "true"
            place = connection.execute(
                f"select {time}, id from {table} where {condition} and {mine} order by {time} desc, id desc "
                f"offset {(DEEP - 1) * SHOWN - 1} limit 1".encode()
            ).fetchone()
            deep = None if place is None else Cursor(*place.values())
            found.append(Plan(what, *(_rows_read(connection, look, table, after) for after in (None, deep))))
    return found


def _rows_read(connection: Connection, look: _Look, table: str, after: Cursor | None) -> float:
    _Recorded.statements.clear()
    connection.cursor_factory = _Recorded
    shown = len(look(connection, after))
    connection.cursor_factory = psycopg.Cursor
    read = []
    for statement, values in list(_Recorded.statements):
        with psycopg.ClientCursor(connection, row_factory=tuple_row) as cursor:
            explained = cursor.execute(f"explain (analyze, format json) {statement}".encode(), values).fetchone()
        assert explained is not None
        read.append(
            sum(_read_by(node) for node in _nodes(explained[0][0]["Plan"]) if node.get("Relation Name") == table)
        )
    return max(read) / shown


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)


def _read_by(node: dict[str, Any]) -> float:
    removed = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])
