"""Statements about the audit: who did what beside the ledger. Its rows are append-only; the view shows both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.database.json_documents import as_object
from posegen.database.keyset import page
from posegen.database.rows import value


@dataclass(frozen=True)
class AuditLine:
    """An action in the audit trail. `entry`: a number of its own; `subject`: the id of what it was done to."""

    entry: int
    created_at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", as_object(self.detail))


def record(connection: Connection, *, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Add a line in the same transaction as what it tells of."""
    connection.execute(
        "insert into audit_entries (actor, action, subject, detail) values (%s, %s, %s, %s)",
        [actor, action, subject, Jsonb(dict(detail))],
    )


def trail(
    connection: Connection,
    *,
    since: datetime | None = None,
    action: str | None = None,
    subject: str | None = None,
    limit: int,
    after: tuple[datetime, int] | None = None,
) -> list[AuditLine]:
    """A page of lines, the latest first; only those of an action or about a subject where one is named."""
    return page(
        connection,
        AuditLine,
        "select entry, created_at, actor, action, subject, detail from audit_trail",
        order=("created_at", "entry"),
        limit=limit,
        after=after,
        where={"created_at >= %s": since, "action = %s": action, "subject = %s": subject},
    )


def latest_detail(connection: Connection, *, action: str, subject: str) -> dict[str, Any] | None:
    """What the last line of an action about a subject says, or None when there is none."""
    statement = "select detail from audit_entries where action = %s and subject = %s order by id desc limit 1"
    detail = value(connection, statement, [action, subject])
    return None if detail is None else as_object(detail)
