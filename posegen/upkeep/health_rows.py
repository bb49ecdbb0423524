"""What health is judged by, read from the rows. The judgement is `posegen.upkeep.health`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString, TypeVar

from posegen.database.connection import Connection
from posegen.database.rows import existing, many
from posegen.upkeep.metrics import LastLook
from posegen.work.failing_steps import FailingStep, failing_steps

T = TypeVar("T")


@dataclass(frozen=True)
class Ended:
    """Generations that ended in a span of time, without cancelled ones. `failed`: for reasons of ours."""

    generations: int
    failed: int

    @property
    def failed_share(self) -> float:
        """0 to 1."""
        return self.failed / self.generations if self.generations else 0.0


@dataclass(frozen=True)
class Waiting:
    """Generations that wait. `oldest_seconds`: since its request."""

    generations: int
    oldest_seconds: float


@dataclass(frozen=True)
class OpenBreaker:
    """A backend whose breaker is open, and for how long it has been."""

    backend: str
    seconds: float
    last_error: str | None


@dataclass(frozen=True)
class LocalObjects:
    """What lies in the local store. `poses`: counted up to a limit; `bytes`: None when the limit was reached."""

    poses: int
    bytes: int | None


@dataclass(frozen=True)
class Seen:
    """What one look at the rows has found. `full_accounts`: how many have less space left than they should."""

    last_hour: Ended
    week_before: Ended
    waiting: Waiting
    breakers: Sequence[OpenBreaker]
    full_accounts: int
    local: LocalObjects
    looks: Sequence[LastLook]
    failing_steps: Sequence[FailingStep] = ()


def look(connection: Connection, *, not_ours: Sequence[str], account_share: float, move_poses: int) -> Seen:
    """Look at everything.

    `not_ours`: error codes of failures that only their customer can do something about; `account_share`: of its space,
    from which on an account counts as full; `move_poses`: more need not be counted.
    """
    return Seen(
        last_hour=_ended(connection, "now() - interval '1 hour'", "now()", not_ours),
        week_before=_ended(
            connection, "now() - interval '1 hour' - interval '7 days'", "now() - interval '1 hour'", not_ours
        ),
        waiting=existing(
            connection,
            Waiting,
            """
            select count(*) as generations,
                   coalesce(extract(epoch from now() - min(oldest)), 0)::float8 as oldest_seconds
            from (select submitted_at as oldest from generations where status = 'submitted'
                  union all select submitted_at from generations where status = 'queued') waiting
            """,
        ),
        breakers=many(
            connection,
            OpenBreaker,
            """
            select backend, extract(epoch from now() - opened_at)::float8 as seconds, last_error
            from backend_breakers where opened_at is not null order by backend
            """,
        ),
        full_accounts=existing(
            connection,
            _Number,
            """
            select count(*) as number from accounts
            where storage_used + storage_reserved >= %(share)s * storage_limit and storage_limit > 0
            """,
            {"share": account_share},
        ).number,
        local=_local(connection, move_poses),
        looks=many(connection, LastLook, "select look, findings, looked_at from upkeep_findings order by look"),
        failing_steps=failing_steps(connection),
    )


@dataclass(frozen=True)
class _Number:
    number: int


def _ended(connection: Connection, begin: LiteralString, end: LiteralString, not_ours: Sequence[str]) -> Ended:
    """Index `generations_by_end`."""
    return existing(
        connection,
        Ended,
        f"""
        select count(*) as generations,
               count(*) filter (where status = 'failed' and error_code <> all(%(not_ours)s)) as failed
        from generations where finished_at >= {begin} and finished_at < {end} and status <> 'cancelled'
        """,
        {"not_ours": list(not_ours)},
    )


def _local(connection: Connection, most: int) -> LocalObjects:
    """Bytes are added up only while there are few poses, and with them few objects: the look stays quick."""
    poses = existing(
        connection,
        _Number,
        """
        select count(*) as number
        from (select from objects where store = 'local' and key like 'poses/%%' limit %(most)s) first_ones
        """,
        {"most": most},
    ).number
    if poses >= most:
        return LocalObjects(poses, None)
    statement = "select coalesce(sum(size), 0)::bigint as number from objects where store = 'local'"
    found = existing(connection, _Number, statement)
    return LocalObjects(poses, found.number)
