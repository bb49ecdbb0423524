"""Statements that say how the whole is doing: whether work moves, what fails, which objects came last.

For diagnosis. Each statement reads an index over what is open or new, never a whole table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import psycopg

from posegen.database.connection import Connection, Database
from posegen.database.rows import column, existing, many, value


@dataclass(frozen=True)
class Movement:
    """How many generations wait and are under way, and for how many seconds the slowest of each kind has been so.

    `at_far_ends`: those under way whose backend is hosted; `not_judged`: submitted; `not_claimed`: queued, due, and not
    held back by a breaker; neither counts what waits for the file of backends; `not_claimed_hosted`: the same of hosted
    backends; `not_begun`: claimed; `not_swept`: its lease ran out. None where there is none.
    """

    waiting: int
    under_way: int
    at_far_ends: int
    not_judged: float | None
    not_claimed: float | None
    not_claimed_hosted: float | None
    not_begun: float | None
    not_swept: float | None


@dataclass(frozen=True)
class Failures:
    """Generations that ended with one error code. `example`: the one that ended last."""

    code: str
    number: int
    example: UUID


_MOVEMENT: LiteralString = """
with due as (
    select extract(epoch from now() - min(greatest(queued_at, not_before)))::double precision as seconds,
           backend = any(%(hosted)s) as hosted
    from generations
    where status = 'queued' and not_before <= now()
        and backend not in (select backend from backend_breakers where opened_at is not null)
        and backend <> all(%(undescribed)s)
    group by hosted
)
select (select count(*) from generations where status in ('submitted', 'queued')) as waiting,
       (select count(*) from generations where status in ('dispatched', 'running')) as under_way,
       (select count(*) from generations where status in ('dispatched', 'running') and backend = any(%(hosted)s))
           as at_far_ends,
       (select extract(epoch from now() - min(submitted_at)) from generations
        where status = 'submitted' and coalesce(backend, %(default)s) <> all(%(undescribed)s))
           ::double precision as not_judged,
       (select seconds from due where not hosted) as not_claimed,
       (select seconds from due where hosted) as not_claimed_hosted,
       (select extract(epoch from now() - min(dispatched_at)) from generations where status = 'dispatched')
           ::double precision as not_begun,
       (select extract(epoch from now() - min(lease_expires_at)) from generations
        where status = 'running' and lease_expires_at < now())::double precision as not_swept
"""


def movement(
    connection: Connection, *, hosted: Collection[str] = (), undescribed: Collection[str] = (), default: str = ""
) -> Movement:
    """Whether work moves, right now.

    Args:
        connection: a transaction.
        hosted: the names of the hosted backends.
        undescribed: those that the operator's file does not describe now: what waits for it is no sign of a defect.
        default: the backend of requests that name none.
    """
    values = {"hosted": list(hosted), "undescribed": list(undescribed), "default": default}
    return existing(connection, Movement, _MOVEMENT, values)


def ended_since(connection: Connection, *, seconds: float) -> int:
    """How many generations ended in the last `seconds`."""
    statement = "select count(*) from generations where finished_at > now() - make_interval(secs => %s)"
    return int(value(connection, statement, [seconds]))


def failures_since(connection: Connection, codes: Sequence[str], *, seconds: float) -> list[Failures]:
    """The generations that ended with one of these codes in the last `seconds`, the most frequent code first."""
    statement = """
        select error_code as code, count(*) as number, (array_agg(id order by finished_at desc))[1] as example
        from generations where finished_at > now() - make_interval(secs => %s) and error_code = any(%s)
        group by error_code order by count(*) desc, error_code
    """
    return many(connection, Failures, statement, [seconds, list(codes)])


def newest_keys(connection: Connection, store: str, *, most: int) -> list[str]:
    """The keys of what was stored last in this store, the newest first."""
    return column(connection, "select key from objects where store = %s order by id desc limit %s", [store, most])


def has_more_than(connection: Connection, most: int) -> bool:
    """Whether the ledger or the objects have more than `most` rows; counting stops there."""
    statement = "select exists (select from ledger_entries offset %s) or exists (select from objects offset %s)"
    return bool(value(connection, statement, [most, most]))


def server_time(connection: Connection) -> datetime:
    """What the clock of the database server says."""
    now: datetime = value(connection, "select clock_timestamp()")
    return now


def try_to_write(database: Database) -> None:
    """Write some pages and take them back. Raises `psycopg.Error` when the server takes no writes or its disk is full.

    A user without the right to temporary tables is let off.
    """
    with database.transaction() as connection:
        if value(connection, "select has_database_privilege(current_database(), 'temporary')"):
            # Larger than the room that is left in the pages of the catalogue.
            connection.execute(
                "create temporary table written on commit drop as select md5(n::text) from generate_series(1, 2000) n"
            )
        raise psycopg.Rollback
