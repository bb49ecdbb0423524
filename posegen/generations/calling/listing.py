"""Hosted backends and their calls as operators look at them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import LiteralString
from uuid import UUID

from posegen.backends.breaker_rows import open_breakers
from posegen.backends.licences import licence_of
from posegen.backends.registry import Backends
from posegen.database.connection import Connection
from posegen.database.rows import many
from posegen.generations.calling.rows import OPEN


class Which(StrEnum):
    """Which calls are meant. `unused`: billed, and no pose has their picture."""

    ALL = "all"
    OPEN = "open"
    UNCERTAIN = "uncertain"
    UNUSED = "unused"


@dataclass(frozen=True)
class ListedCall:
    """A call.

    `seconds`: from being sent to its file, None before; `failures`: submits without an effect; `token`: of the lease
    under which it was planned, or sent last; `seed`: that was asked for, and `seed_returned`: that came back with the
    file, as the provider wrote it; `licence`: None once the recipe is forgotten.
    """

    id: UUID
    generation_id: UUID
    pose_id: UUID
    position: int
    purpose: str
    attempt: int
    backend: str
    model: str
    licence: str | None
    state: str
    token: int
    far_id: str | None
    planned_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    delivered_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    failures: int
    seed: int
    seed_returned: object
    billed_usd: Decimal | None
    bill_source: str | None
    error_code: str | None
    error: str | None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None


_LISTED: LiteralString = """
    select c.id, c.generation_id, c.pose_id, p.position, c.purpose, c.attempt, c.backend, c.model,
           c.recipe ->> 'licence' as licence, c.state, c.token, c.far_id, c.planned_at, c.sent_at, c.accepted_at,
           c.delivered_at, c.expires_at, c.ended_at,
           extract(epoch from c.delivered_at - c.sent_at)::double precision as seconds, c.failures, c.seed,
           c.facts -> 'seed' as seed_returned, c.billed_usd, c.bill_source, c.error_code, c.error
    from backend_calls c join generated_poses p on p.id = c.pose_id
"""


_CONDITIONS: dict[Which, LiteralString] = {
    Which.ALL: "true",
    Which.OPEN: f"c.state in {OPEN}",
    Which.UNCERTAIN: "c.state = 'uncertain'",
    Which.UNUSED: "c.state <> 'used' and (c.billed_usd > 0 or c.state = 'uncertain')",
}


def list_calls(connection: Connection, which: Which, *, generation: UUID | None, limit: int) -> list[ListedCall]:
    """The newest calls first: `limit` of them at most, and only those of one generation if one is given."""
    statement = f"""
        {_LISTED} where {_CONDITIONS[which]} and (%(generation)s::uuid is null or c.generation_id = %(generation)s)
        order by c.planned_at desc, c.id limit %(limit)s
    """
    return many(connection, ListedCall, statement, {"generation": generation, "limit": limit})


def calls_of(connection: Connection, generation_id: UUID) -> list[ListedCall]:
    """The calls of a generation, by the position of their pose and in their order."""
    statement = f"{_LISTED} where c.generation_id = %s order by p.position, c.planned_at, c.attempt"
    return many(connection, ListedCall, statement, [generation_id])


def calls_behind(connection: Connection, poses: Collection[UUID], sha256: str, *, limit: int = 20) -> list[ListedCall]:
    """The calls for these poses, and those that have delivered a file with this hash; the oldest first."""
    statement = f"""
        {_LISTED} where c.pose_id = any(%s) or c.object_id = any(array(select id from objects where sha256 = %s))
        order by c.planned_at, c.attempt limit %s
    """
    return many(connection, ListedCall, statement, [list(poses), sha256, limit])


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


def list_backends(connection: Connection, backends: Backends) -> list[ListedBackend]:
    """Every backend that can be used, or that a file describes, with what the database knows of it."""
    broken = {row.backend for row in open_breakers(connection)}
    counted = f"select backend, count(*) as calls from backend_calls where state in {OPEN} group by backend"
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
            control_kinds=each.map_kinds,
            negative_prompt=each.capabilities.negative_prompt,
            seeds=each.capabilities.seeds,
            file=backends.file_of(name),
            why_not=backends.why_not(name),
        )
        for name, each in backends.described.items()
        if name in backends.descriptions or backends.file_of(name) is not None
    ]
