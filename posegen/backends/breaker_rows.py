"""Statements about circuit breakers: one row for each backend that has ever failed, shared by all workers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from posegen.database.connection import Connection
from posegen.database.rows import changed, existing, many, one
from posegen.database.texts import storable


@dataclass(frozen=True)
class BreakerRow:
    """What is known of a backend. `wait`: seconds until it may be tried again, None while the breaker is closed.

    `failures`: consecutive failed calls; `openings`: consecutive times that the breaker opened.
    """

    backend: str
    failures: int
    openings: int
    wait: float | None
    last_error: str | None

    @property
    def is_open(self) -> bool:
        """Whether the breaker is open, or the backend is being tried."""
        return self.wait is not None

    @property
    def may_be_tried(self) -> bool:
        """Whether it is open and its time is over."""
        return self.wait is not None and self.wait <= 0


_COLUMNS = "backend, failures, openings, extract(epoch from retry_at - now())::double precision as wait, last_error"


def breaker_of(connection: Connection, backend: str) -> BreakerRow | None:
    """The breaker of a backend, or None when no call has ever failed."""
    return one(connection, BreakerRow, f"select {_COLUMNS} from backend_breakers where backend = %s", [backend])


def open_breakers(connection: Connection) -> list[BreakerRow]:
    """The breakers that are open, or just being tried."""
    return many(connection, BreakerRow, f"select {_COLUMNS} from backend_breakers where opened_at is not null")


def take_probe(connection: Connection, backend: str, *, seconds: float) -> bool:
    """Take the right to try a backend whose pause is over; False when another process has taken it."""
    statement = """
        update backend_breakers set probe_ends = now() + make_interval(secs => %s)
        where backend = %s and retry_at <= now() and coalesce(probe_ends, '-infinity') < now()
    """
    return changed(connection, statement, [seconds, backend]) == 1


def count_failure(connection: Connection, backend: str, error: str) -> BreakerRow:
    """Count a failed call; returns the row as it is now, locked for the transaction."""
    statement = f"""
        insert into backend_breakers (backend, failures, last_error) values (%s, 1, %s)
        on conflict (backend) do update set failures = backend_breakers.failures + 1,
            last_error = excluded.last_error, updated_at = now()
        returning {_COLUMNS}
    """
    return existing(connection, BreakerRow, statement, [backend, storable(error)])


def open_breaker(connection: Connection, backend: str, *, seconds: float) -> None:
    """Open the breaker for so long, from now on."""
    connection.execute(
        """
        with before as (select opened_at from backend_breakers where backend = %(backend)s), opened as (
            update backend_breakers set opened_at = coalesce(opened_at, now()), probe_ends = null,
                retry_at = now() + make_interval(secs => %(seconds)s), openings = openings + 1, updated_at = now()
            where backend = %(backend)s
        )
        insert into backend_outages (backend, opened_at)
        select %(backend)s, now() from before where opened_at is null on conflict do nothing
        """,
        {"backend": backend, "seconds": seconds},
    )


def close_breaker(connection: Connection, backend: str) -> bool:
    """Close the breaker after a successful call; True when that ended an outage."""
    statement = """
        update backend_breakers set failures = 0, openings = 0, opened_at = null, retry_at = null, probe_ends = null,
            updated_at = now()
        where backend = %s and (failures > 0 or opened_at is not null)
    """
    if not changed(connection, statement, [backend]):
        return False
    # Of those from long ago, no generation's time limit needs to know any more.
    connection.execute("delete from backend_outages where closed_at < now() - interval '90 days'")
    statement = "update backend_outages set closed_at = now() where backend = %s and closed_at is null"
    return changed(connection, statement, [backend]) == 1


def note_undescribed(connection: Connection, backends: Collection[str]) -> None:
    """Keep an outage for each backend that the operator's file does not describe now, and end those of all others.

    It opens no breaker: nothing has failed, and no pause is left when the file is mended.
    """
    names = list(backends)
    if names:
        connection.execute(
            """
            with named as (select distinct unnest(%(names)s::text[]) as backend), known as (
                insert into backend_breakers (backend) select backend from named on conflict do nothing
            )
            insert into backend_outages (backend, opened_at)
            select backend, now() from named
            where not exists (select from backend_outages o where o.backend = named.backend and o.closed_at is null)
            """,
            {"names": names},
        )
    connection.execute(
        """
        update backend_outages o set closed_at = now()
        where closed_at is null and backend <> all(%s)
            and not exists (select from backend_breakers b where b.backend = o.backend and b.opened_at is not null)
        """,
        [names],
    )
