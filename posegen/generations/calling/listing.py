"""Hosted backends and their calls as operators look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import LiteralString
from uuid import UUID

from posegen.backends.breaker_rows import open_breakers
from posegen.backends.licences import licence_of
from posegen.backends.registry import Backends
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


@dataclass(frozen=True)
class ListedBackend:
    """A backend that settings describe.

    Attributes:
        licence: the licensed model; empty where none is recorded.
        licence_name: of its licence.
        licence_class: what that means for pictures that are sold.
        price_date: when the price was read; empty for one of POSEGEN_BACKEND_COSTS.
        offered: a request may name it.
        open_calls: under way now, over all workers.
        file: that describes it; None for one that is built in.
        why_not: why it cannot be used, with the fix; empty when it can.
    """

    name: str
    wire: str
    model: str
    licence: str
    licence_name: str
    licence_class: str
    price_usd: Decimal | None
    price_date: str
    concurrency: int
    offered: bool
    breaker_open: bool
    open_calls: int
    control_kinds: tuple[str, ...]
    negative_prompt: bool
    seeds: bool
    file: str | None
    why_not: str


def list_backends(database: Database, backends: Backends) -> list[ListedBackend]:
    """Every backend that can be used, or that a file describes, with what the database knows of it."""
    with database.transaction() as connection:
        broken = {row.backend for row in open_breakers(connection)}
        counted = "select backend, count(*) as calls from backend_calls where ended_at is null group by backend"
        under_way = {row["backend"]: int(row["calls"]) for row in connection.execute(counted)}
    return [
        ListedBackend(
            name=name,
            wire=each.wire,
            model=each.model,
            licence=each.licence,
            licence_name=licence_of(each.licence).name if each.licence else "",
            licence_class=licence_of(each.licence).licence_class if each.licence else "",
            price_usd=each.price,
            price_date=each.price_date,
            concurrency=each.concurrency,
            offered=name in backends.offered,
            breaker_open=name in broken,
            open_calls=under_way.get(name, 0),
            control_kinds=each.capabilities.control_kinds,
            negative_prompt=each.capabilities.negative_prompt,
            seeds=each.capabilities.seeds,
            file=backends.file_of(name),
            why_not=backends.why_not(name),
        )
        for name, each in backends.described.items()
        if name in backends.descriptions or backends.file_of(name) is not None
    ]
