"""Rows as typed objects: how every statement of Posegen is run and read.

A class that rows become takes the selected columns by name: a dataclass, or any callable with these parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, TypeAlias, TypeVar

from psycopg.rows import class_row

from posegen.database.connection import Connection

T = TypeVar("T")

Values: TypeAlias = Sequence[Any] | Mapping[str, Any]
"""Of the placeholders of a statement: by position or by name."""


def many(connection: Connection, kind: type[T], statement: LiteralString, values: Values = ()) -> list[T]:
    """Every row of a statement."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement, values or None).fetchall()


def one(connection: Connection, kind: type[T], statement: LiteralString, values: Values = ()) -> T | None:
    """The first row of a statement, or None when it has none."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement, values or None).fetchone()


def existing(connection: Connection, kind: type[T], statement: LiteralString, values: Values = ()) -> T:
    """The one row of a statement that always has one, such as an aggregate or an `insert ... returning`."""
    found = one(connection, kind, statement, values)
    assert found is not None, f"no row: {statement}"
    return found


def column(connection: Connection, statement: LiteralString, values: Values = ()) -> list[Any]:
    """The only column of every row."""
    return [next(iter(row.values())) for row in connection.execute(statement, values or None)]


def value(connection: Connection, statement: LiteralString, values: Values = ()) -> Any:
    """The only column of the first row, or None when there is no row."""
    return next(iter(column(connection, statement, values)), None)


def changed(connection: Connection, statement: LiteralString, values: Values = ()) -> int:
    """How many rows a statement inserted, updated or deleted."""
    return connection.execute(statement, values or None).rowcount
