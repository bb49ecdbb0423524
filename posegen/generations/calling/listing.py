"""Calls of hosted backends as operators look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import LiteralString
from uuid import UUID

from posegen.database.connection import Database
from posegen.database.rows import many


class Which(StrEnum):
    """Which calls are meant. `unused`: billed, and no pose has their picture."""

    ALL = "all"
    OPEN = "open"
    UNCERTAIN = "uncertain"
    UNUSED = "unused"


@dataclass(frozen=True)
class ListedCall:
    """A call. `seconds`: from being sent to its file; None before."""

    id: UUID
    generation_id: UUID
    pose_id: UUID
    position: int
    purpose: str
    attempt: int
    backend: str
    model: str
    state: str
    far_id: str | None
    planned_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    billed_usd: Decimal | None
    bill_source: str | None
    error: str | None


_CONDITIONS: dict[Which, LiteralString] = {
    Which.ALL: "true",
    Which.OPEN: "c.ended_at is null",
    Which.UNCERTAIN: "c.state = 'uncertain'",
    Which.UNUSED: "c.state <> 'used' and (c.billed_usd > 0 or c.state = 'uncertain')",
}


def list_calls(
    database: Database, which: Which = Which.ALL, *, generation: UUID | None = None, limit: int = 50
) -> list[ListedCall]:
    """The newest calls first.

    Args:
        database: where they are.
        which: all, or those of one kind.
        generation: only those of one generation.
        limit: calls at most.
    """
    statement = f"""
        select c.id, c.generation_id, c.pose_id, p.position, c.purpose, c.attempt, c.backend, c.model, c.state,
               c.far_id, c.planned_at, c.sent_at, c.ended_at,
               extract(epoch from c.delivered_at - c.sent_at)::double precision as seconds,
               c.billed_usd, c.bill_source, c.error
        from backend_calls c join generated_poses p on p.id = c.pose_id
        where {_CONDITIONS[which]} and (%(generation)s::uuid is null or c.generation_id = %(generation)s)
        order by c.planned_at desc, c.id limit %(limit)s
    """
    with database.transaction() as connection:
        return many(connection, ListedCall, statement, {"generation": generation, "limit": limit})
