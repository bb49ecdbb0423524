"""Writing values of users as foreign backends do, with the refusals of the database in words.

Which tables take requests, and what their constraints demand, lies in the homes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

import psycopg
from psycopg import sql

from posegen.database.connection import Connection
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused


def insert_request(
    connection: Connection, table: str, columns: Mapping[str, object], demands: Mapping[str, str]
) -> UUID:
    """Insert a request; returns its id.

    Args:
        connection: an open transaction, which goes on after a refusal.
        table: the table of the requests.
        columns: values by name; those that are None have their defaults.
        demands: what each constraint of the table demands, by its name.

    Raises:
        RequestRefused: the database refuses a value (invalid_request).
    """
    given = {name: value for name, value in columns.items() if value is not None}
    names, values = map(sql.Identifier, given), sql.Placeholder() * len(given)
    statement = sql.SQL("insert into {} ({}) values ({}) returning id").format(
        sql.Identifier(table), sql.SQL(", ").join(names), sql.SQL(", ").join(values)
    )
    with refusals_in_words(connection, demands):
        (row,) = connection.execute(statement, list(given.values()))
    return UUID(str(row["id"]))


@contextmanager
def refusals_in_words(connection: Connection, demands: Mapping[str, str]) -> Iterator[None]:
    """Run a block as a savepoint of the transaction, which goes on after a refusal.

    Args:
        connection: an open transaction.
        demands: what each constraint demands, by its name.

    Raises:
        RequestRefused: the database refuses a value (invalid_request).
    """
    try:
        with connection.transaction():
            yield
    except (psycopg.errors.CheckViolation, psycopg.DataError) as refused:
        said = refused.diag.message_primary or str(refused)
        detail = demands.get(refused.diag.constraint_name or "", said)
        raise RequestRefused(ErrorCode.INVALID_REQUEST, detail) from None
