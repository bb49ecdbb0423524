"""Inserting a request as foreign backends do, with the refusals of the database in words.

Which tables take requests, and what their constraints demand, lies in the homes.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    try:
        with connection.transaction():
            (row,) = connection.execute(statement, list(given.values()))
    except (psycopg.errors.CheckViolation, psycopg.DataError) as refused:
        said = refused.diag.message_primary or str(refused)
        detail = demands.get(refused.diag.constraint_name or "", said)
        raise RequestRefused(ErrorCode.INVALID_REQUEST, detail) from None
    return UUID(str(row["id"]))
