"""Pages of long lists by keyset: rows in descending order, each page from behind the last row of the one before.

A page costs the same wherever in the list it is, as long as an index has the conditions and the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString, TypeAlias, TypeVar
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import many

T = TypeVar("T")

Place: TypeAlias = tuple[datetime, UUID]
"""Time and id of a row, by which most lists are sorted."""


def page(
    connection: Connection,
    kind: type[T],
    selection: LiteralString,
    *,
    order: Sequence[LiteralString],
    limit: int,
    after: Sequence[object] | None = None,
    where: Mapping[LiteralString, object] | None = None,
) -> list[T]:
    """One page of a statement.

    Args:
        connection: an open transaction.
        kind: the class that rows become.
        selection: the statement, up to its condition.
        order: the columns that it is sorted by, each descending; together they are unique.
        limit: rows on a page.
        after: the values of these columns in the last row of the page before; None for the first page.
        where: values by conditions with one placeholder each; a condition whose value is None is left out.

    Returns:
        At most `limit + 1` rows: the last one tells that there is another page.
    """
    conditions: dict[LiteralString, Sequence[object]] = {
        condition: [value] for condition, value in (where or {}).items() if value is not None
    }
    if after is not None:
        conditions[f"({', '.join(order)}) < ({', '.join(['%s'] * len(order))})"] = after
    restricted = f"where {' and '.join(conditions)}" if conditions else ""
    sorted_by = ", ".join([f"{column} desc" for column in order])
    return many(
        connection,
        kind,
        f"{selection} {restricted} order by {sorted_by} limit %s",
        [*(value for values in conditions.values() for value in values), limit + 1],
    )
