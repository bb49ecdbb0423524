"""Statements about the steps of the sensors' ticks: what failed, how often, and whether it works again.

One row for each cause of each step. `posegen.work.steps` counts and logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from posegen import incidents
from posegen.database.connection import Connection
from posegen.database.rows import column, existing, many
from posegen.database.texts import storable

INCIDENT = "step_failing"
"""The kind of the incident that a failing step opens."""
QUIET_SECONDS = 60
"""A step that has not failed for so long works again: what fails and works in turn is one failure."""


@dataclass(frozen=True)
class FailingStep:
    """A step that fails now. `cause`: kind and place of the error; `detail`: its message; `failures`: since ever."""

    tick: str
    step: str
    cause: str
    detail: str
    failures: int
    failing_since: datetime

    @property
    def subject(self) -> str:
        """What an incident is about."""
        return f"{self.tick}: {self.step}"[:200]

    @property
    def summary(self) -> str:
        """One sentence for operators."""
        since = f"{self.failing_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"The step {self.step} of {self.tick} fails since {since} ({self.cause}): {self.detail[:500]}"


def note_failure(connection: Connection, tick: str, step: str, *, cause: str, detail: str) -> bool:
    """Count a failure, and open or keep open its incident; True when the step did not fail by this cause before."""
    noted = existing(
        connection,
        _Noted,
        """
        with before as (
            select failing_since from step_failures where tick = %(tick)s and step = %(step)s and cause = %(cause)s
        ), noted as (
            insert into step_failures as earlier (tick, step, cause, detail)
            values (%(tick)s, %(step)s, %(cause)s, %(detail)s)
            on conflict (tick, step, cause) do update set failures = earlier.failures + 1, detail = excluded.detail,
                last_at = now(), failing_since = coalesce(earlier.failing_since, now())
            returning tick, step, cause, detail, failures, failing_since
        )
        select noted.*, (select failing_since from before) is null as is_new from noted
        """,
        {"tick": tick, "step": step, "cause": storable(cause)[:300], "detail": storable(" ".join(detail.split()))},
    )
    incidents.note_found(connection, kind=INCIDENT, subject=noted.subject, severity="critical", summary=noted.summary)
    return noted.is_new


def note_success(connection: Connection, tick: str, step: str) -> None:
    """The step works: what it failed by is over, unless that was only just now."""
    connection.execute(
        """
        update step_failures set failing_since = null
        where tick = %s and step = %s and failing_since is not null and last_at < now() - make_interval(secs => %s)
        """,
        [tick, step, QUIET_SECONDS],
    )


def failing_of(connection: Connection, tick: str) -> set[str]:
    """The steps of this tick that failed the last time, or a moment before."""
    statement = "select distinct step from step_failures where tick = %s and failing_since is not null"
    return set(column(connection, statement, [tick]))


def failing_steps(connection: Connection) -> list[FailingStep]:
    """Every step that fails now, by the cause that it failed by last."""
    statement = """
        select distinct on (tick, step) tick, step, cause, detail, failures, failing_since from step_failures
        where failing_since is not null order by tick, step, last_at desc
    """
    return many(connection, FailingStep, statement)


@dataclass(frozen=True)
class _Noted(FailingStep):
    is_new: bool
