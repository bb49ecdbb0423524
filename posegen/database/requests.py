"""Statements that ask for pictures: the same doors that foreign backends use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import errors, sql
from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.errors import IdempotencyConflict, RequestRefused
from posegen.lifecycle.error_codes import ErrorCode


def insert_request(connection: Connection, user_id: UUID, values: Mapping[str, Any]) -> UUID:
    """Insert a request with these columns; the others have their defaults.

    Raises `RequestRefused` (invalid_request) when the database refuses a type or a range.
    """
    columns = {"user_id": user_id, **{name: _adapted(value) for name, value in values.items()}}
    statement = sql.SQL("insert into generation_requests ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(sql.Placeholder() * len(columns))
    )
    return UUID(str(_asked(connection, statement, list(columns.values()))["id"]))


def submit(connection: Connection, user_id: UUID, idempotency_key: str, values: Mapping[str, Any]) -> tuple[UUID, bool]:
    """Submit with an idempotency key; answers the generation and whether it was there already.

    Raises `IdempotencyConflict` when the key came with another body, `RequestRefused` for a type or a range.
    """
    named = {"user_id": user_id, "idempotency_key": idempotency_key} | {
        name: _adapted(value) for name, value in values.items()
    }
    arguments = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder()) for name in named
    )
    statement = sql.SQL("select generation_id, replayed from submit_generation({})").format(arguments)
    row = _asked(connection, statement, list(named.values()))
    return UUID(str(row["generation_id"])), bool(row["replayed"])


def _asked(connection: Connection, statement: sql.Composed, values: list[Any]) -> dict[str, Any]:
    try:
        row = connection.execute(statement, values).fetchone()
    except (errors.CheckViolation, errors.DataError) as refused:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, refused.diag.message_primary or str(refused)) from None
    except errors.RaiseException as conflict:
        if conflict.sqlstate != "PG409":
            raise
        raise IdempotencyConflict(f"{conflict.diag.message_primary}. {conflict.diag.message_hint}") from None
    assert row is not None, "both statements answer a row"
    return row


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value
