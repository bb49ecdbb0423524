"""Requests for pictures: what one says, and the two statements that store it, which foreign backends use as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.database.rows import value
from posegen.error_codes import ErrorCode
from posegen.errors import IdempotencyConflict, RequestRefused

# PostgreSQL chooses a function by the types of its arguments: a number that is too large would find none.
_INTEGERS: dict[str, LiteralString] = {"variations": "integer", "seed": "bigint", "priority": "integer"}

_RANGES = {
    "project_id_length": "the project id must be 1 to 200 characters long",
    "poses_length": "there may be at most 1,000 poses; 50 pictures can be made in one generation",
    "categories_length": "there may be at most 1,000 categories",
    "prompt_storable": "the prompt must be at most 100,000 characters long to be stored, and 2,000 to be accepted",
    "poses_size": "the poses may have at most 100,000 bytes together",
    "categories_size": "the categories may have at most 100,000 bytes together",
    "formats_size": "the formats may have at most 100,000 bytes together",
    "avatar_is_an_object": "the avatar must be a JSON object",
    "avatar_bounded": "the avatar may have at most 20,000 bytes, 16 levels, and numbers of 400 digits",
    "variations_in_range": "variations must be 1 to 50",
    "seed_in_range": "the seed must be 0 to 4,294,967,295",
    "formats_length": "there may be at most 1,000 formats",
    "fit_known": "the fit must be cover or contain; without one the platform and the figure decide",
    "backend_length": "the backend's name must be 1 to 100 characters long",
    "control_weight_in_range": "the control weight must be 0 to 2",
    "negative_prompt_storable": "the negative prompt must be at most 100,000 characters long to be stored, and 2,000 "
    "to be accepted",
    "control_kind_known": "the control kind must be openpose or depth; without one the backend decides",
    "control_image_length": "the control image must be the id of an upload or a URL of 1 to 2,000 characters",
    "control_start_in_range": "the control start must be at least 0, and below 1",
    "control_end_in_range": "the control end must be above 0, and at most 1",
    "control_span_in_order": "the control start must be below the control end",
    "priority_in_range": "the priority must be -10 to 10",
    "group_name_length": "the group name must be 1 to 200 characters long",
    "a_group_lies_in_a_project": "a group name needs a project id: the group lies in this project",
    "generation_requests_retry_of_fkey": "there is no generation that could be retried under the id in retry_of",
    "idempotency_key_length": "the idempotency key must be 1 to 200 characters long",
}
"""What the constraints of `generation_requests` say, by their names."""


@dataclass(frozen=True)
class GenerationRequest:
    """What a user asks for: the columns of `generation_requests`, as `docs/reference/database.md` has them.

    None stands for the default of the column.
    """

    poses: Sequence[str] = ()
    categories: Sequence[str] = ()
    formats: Sequence[str] = ()
    fit: str | None = None
    avatar: Mapping[str, str] = field(default_factory=dict)
    variations: int = 1
    prompt: str | None = None
    seed: int | None = None
    backend: str | None = None
    control_weight: float | None = None
    negative_prompt: str | None = None
    allow_degraded: bool | None = None
    control_kind: str | None = None
    control_image: str | None = None
    control_start: float | None = None
    control_end: float | None = None
    priority: int | None = None
    project_id: str | None = None
    retry_of: UUID | None = None
    group_name: str | None = None
    private: bool | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """The columns that are asked for, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


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
    """Submit with an idempotency key; returns the generation and whether it was there already.

    Raises `IdempotencyConflict` when the key came with another body, `RequestRefused` for a type or a range.
    """
    named = {"user_id": user_id, "idempotency_key": idempotency_key} | {
        name: _adapted(value) for name, value in values.items()
    }
    arguments = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), _placeholder(name)) for name in named
    )
    statement = sql.SQL("select generation_id, replayed from submit_generation({})").format(arguments)
    row = _asked(connection, statement, list(named.values()))
    return UUID(str(row["generation_id"])), bool(row["replayed"])


def check_ranges(connection: Connection, request: GenerationRequest) -> None:
    """Check a request against the constraints of `generation_requests`, without a row.

    Raises `RequestRefused` (invalid_request) when the database would refuse a type or a range.
    """
    constraints = """
        select string_agg(format('when not %s then %L', pg_get_expr(conbin, conrelid), conname), ' ' order by conname)
        from pg_constraint where conrelid = 'generation_requests'::regclass and contype = 'c'
    """
    checks = str(value(connection, constraints)).replace("%", "%%")
    statement = f"select case {checks} end from jsonb_populate_record(null::generation_requests, %s)"
    # JSON has no UUID, and no NaN.
    given = {name: str(said) if isinstance(said, UUID | float) else said for name, said in request.columns.items()}
    with _refusals_in_words(), connection.transaction():
        broken = value(connection, statement, [Jsonb(given)])
    if broken is not None:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, _RANGES[broken])


def _asked(connection: Connection, statement: sql.Composed, values: list[Any]) -> dict[str, Any]:
    with _refusals_in_words():
        row = connection.execute(statement, values).fetchone()
    assert row is not None, "both statements return a row"
    return row


@contextmanager
def _refusals_in_words() -> Iterator[None]:
    try:
        yield
    except (errors.CheckViolation, errors.ForeignKeyViolation, errors.DataError) as refused:
        said = refused.diag.message_primary or str(refused)
        raise RequestRefused(ErrorCode.INVALID_REQUEST, _RANGES.get(refused.diag.constraint_name or "", said)) from None
    except UnicodeEncodeError as broken:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, f"{broken.object!r} is no text: send UTF-8") from None
    except psycopg.ProgrammingError as conflict:
        if conflict.sqlstate != "PG409":
            raise
        raise IdempotencyConflict(f"{conflict.diag.message_primary}. {conflict.diag.message_hint}") from None


def _placeholder(name: str) -> sql.Composable:
    return sql.Placeholder() + sql.SQL(f"::{_INTEGERS[name]}") if name in _INTEGERS else sql.Placeholder()


def _adapted(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return Jsonb(value) if isinstance(value, dict) else value
