"""Metrics: numbers for `/metrics`, by a handful of quick statements on one snapshot.

Numbers that only grow are kept in `tallies` up to a mark and counted from their rows after it, so that cleaning up does
not take them down. How the numbers are called and shown is `posegen.web.metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import dict_row

from posegen.database import session
from posegen.database.connection import Connection
from posegen.database.rows import existing, many, value
from posegen.generations.calling.rows import OPEN
from posegen.policy.policy import CATEGORY_OF_DETAIL, Category

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 5
"""What Prometheus waits for is 10 s unless it is told otherwise."""
LATE_MINUTES = 15
"""Only what is older goes into the tallies: no transaction of Posegen's is that long."""


@dataclass(frozen=True)
class Waiting:
    """Generations in one of the states before their start. `oldest_seconds`: since its request."""

    status: str
    generations: int
    oldest_seconds: float


@dataclass(frozen=True)
class Tally:
    """A number that only grows.

    `name`: finished, failed or requeued, with the status, error code or reason as `label`; or one of calls. `calls` has
    a backend and the state that they ended in as `label`, `calls_micro_usd` a backend and the source of the bill;
    `calls_delivered` and `calls_ms`, from being sent to the file, have a backend.
    """

    name: str
    label: str
    total: int


@dataclass(frozen=True)
class OpenCalls:
    """Calls of a hosted backend that have not ended, in one state. `oldest_seconds`: since the oldest was planned."""

    backend: str
    state: str
    calls: int
    oldest_seconds: float


@dataclass(frozen=True)
class Latencies:
    """Quantiles of the last hour, in seconds. `of`: the backend; empty for recoveries."""

    of: str
    number: int
    median: float
    p95: float
    longest: float


@dataclass(frozen=True)
class StoreTraffic:
    """What a store was asked for since it is counted; see `posegen.storage.traffic`."""

    store: str
    operation: str
    operations: int
    bytes: int
    errors: int
    seconds: float


@dataclass(frozen=True)
class LastLook:
    """What the last pass of `reconcile` or `verify` has left."""

    look: str
    findings: int
    looked_at: datetime


@dataclass(frozen=True)
class OpenIncidents:
    """How many incidents of a kind are open."""

    kind: str
    severity: str
    incidents: int


@dataclass(frozen=True)
class StepFailures:
    """How often a step of a sensor's tick has failed since ever, and whether it fails now."""

    tick: str
    step: str
    failures: int
    is_failing: bool


@dataclass(frozen=True)
class Numbers:
    """All of it, as it was at one moment. `breakers`: whether the breaker of a backend is open;
    `refusals`: of the content policy in the last hour, by category, `backend` for a backend's own policy.
    """

    waiting: list[Waiting]
    under_way: dict[str, int]
    tallies: list[Tally]
    open_calls: list[OpenCalls]
    recoveries: Latencies
    renderings: list[Latencies]
    refusals: dict[str, int]
    breakers: dict[str, bool]
    traffic: list[StoreTraffic]
    credits_held: int
    looks: list[LastLook]
    incidents: list[OpenIncidents]
    steps: list[StepFailures]


# Index `generations_submitted`; of `generations_queued` all entries, as many as wait.
_WAITING: LiteralString = """
    select 'submitted' as status, count(*) as generations,
           coalesce(extract(epoch from now() - min(submitted_at)), 0)::float8 as oldest_seconds
    from generations where status = 'submitted'
    union all
    select 'queued', count(*), coalesce(extract(epoch from now() - min(submitted_at)), 0)::float8
    from generations where status = 'queued'
"""

# Index `generations_under_way`.
_UNDER_WAY: LiteralString = """
    select status, count(*) as number from generations where status in ('dispatched', 'running') group by status
"""

# Indexes `generations_by_end`, `events_of_requeues` and `backend_calls_by_planned`. Where a generation was put back
# because its worker was lost, the number of its lost leases is greater than in the event before.
_SINCE: LiteralString = """
    ended as materialized (
        select status, error_code from generations where finished_at >= %(begin)s and finished_at < %(end)s
    ), requeues as (
        select case when (e.detail ->> 'lost_leases')::integer > coalesce((before.detail ->> 'lost_leases')::integer, 0)
               then 'lost_lease' else 'error' end as reason
        from events e left join lateral (
            select detail from events b
            where b.generation_id = e.generation_id and b.sequence < e.sequence and b.kind = 'requeued'
            order by b.sequence desc limit 1
        ) before on true
        where e.kind = 'requeued' and e.created_at >= %(begin)s and e.created_at < %(end)s
    ), calls as materialized (
        select backend, state, settled_at, bill_source, billed_usd, delivered_at, sent_at
        from backend_calls where planned_at >= %(begin)s and planned_at < %(end)s
    ), since as (
        select 'calls' as name, backend || ' ' || state as label, count(*) as number
        from calls where settled_at is not null group by backend, state
        union all
        select 'calls_micro_usd', backend || ' ' || bill_source, sum(billed_usd * 1000000)::bigint
        from calls where billed_usd is not null group by backend, bill_source
        union all
        select 'calls_delivered', backend, count(delivered_at) from calls group by backend
        union all
        select 'calls_ms', backend, coalesce(sum(extract(epoch from delivered_at - sent_at) * 1000), 0)::bigint
        from calls group by backend
        union all
        select 'finished', status, count(*) from ended group by status
        union all
        select 'failed', error_code, count(*) from ended where status = 'failed' group by error_code
        union all
        select 'requeued', reason, count(*) from requeues group by reason
    )
"""

_TALLIES: LiteralString = f"""
    with {_SINCE}
    select name, label, sum(number)::bigint as total
    from (select name, label, total as number from tallies union all select name, label, number from since) both_parts
    group by name, label order by name, label
"""

_MOVE_MARK: LiteralString = f"""
    with {_SINCE}
    insert into tallies as earlier (name, label, total) select name, label, number from since
    on conflict (name, label) do update set total = earlier.total + excluded.total
"""

# Index `one_open_call_for_each_pose`, all entries.
_OPEN_CALLS: LiteralString = f"""
    select backend, state, count(*) as calls,
           extract(epoch from now() - min(planned_at))::float8 as oldest_seconds
    from backend_calls where state in {OPEN} group by backend, state order by backend, state
"""

# A call counts in the span in which it was planned. The mark stays before the oldest one of which something may still
# be learned. Indexes `one_open_call_for_each_pose` and `backend_calls_to_settle`.
_NEXT_MARK: LiteralString = f"""
    select greatest(%(begin)s, least(
        now() - interval '{LATE_MINUTES} minutes',
        (select min(planned_at) from backend_calls where state in {OPEN}),
        (select min(planned_at) from backend_calls where ended_at is not null and settled_at is null)))
"""

# Index `events_of_requeues`, then the primary key of events.
_RECOVERIES: LiteralString = """
    with recovered as (
        select extract(epoch from again.created_at - e.created_at)::float8 as seconds
        from events e cross join lateral (
            select created_at from events s
            where s.generation_id = e.generation_id and s.sequence > e.sequence and s.kind = 'started'
            order by s.sequence limit 1
        ) again
        where e.kind = 'requeued' and e.created_at > now() - interval '1 hour'
    )
    select '' as of, count(*) as number,
           coalesce(percentile_cont(0.5) within group (order by seconds), 0) as median,
           coalesce(percentile_cont(0.95) within group (order by seconds), 0) as p95,
           coalesce(max(seconds), 0) as longest
    from recovered
"""

# Index `generated_poses_by_completion`, which has all that is asked for.
_RENDERINGS: LiteralString = """
    select backend as of, count(*) as number,
           percentile_cont(0.5) within group (order by render_ms / 1000.0) as median,
           percentile_cont(0.95) within group (order by render_ms / 1000.0) as p95,
           max(render_ms / 1000.0)::float8 as longest
    from generated_poses
    where completed_at > now() - interval '1 hour' and render_ms is not null
    group by backend order by backend
"""

# Index `generations_by_end`.
_REFUSALS: LiteralString = f"""
    select coalesce({CATEGORY_OF_DETAIL}, 'backend') as category, count(*) as number from generations
    where finished_at > now() - interval '1 hour' and status = 'failed' and error_code = 'inappropriate_prompt'
    group by 1
"""

# Four rows for each store and day.
_TRAFFIC: LiteralString = """
    select store, operation, sum(operations)::bigint as operations, sum(bytes)::bigint as bytes,
           sum(errors)::bigint as errors, sum(seconds)::float8 as seconds
    from store_traffic group by store, operation order by store, operation
"""

# One row for each cause that was ever met.
_STEPS: LiteralString = """
    select tick, step, sum(failures)::bigint as failures, bool_or(failing_since is not null) as is_failing
    from step_failures group by tick, step order by tick, step
"""

_INCIDENTS: LiteralString = """
    select kind, severity, count(*) as incidents from incidents where closed_at is null
    group by kind, severity order by kind, severity
"""


def read_numbers(url: str) -> Numbers:
    """The numbers of this moment, over a connection of their own: a scrape and the work do not wait for each other.

    Raises `psycopg.Error` when the database does not respond in time.
    """
    with session.connect(
        url,
        application="posegen metrics",
        row_factory=dict_row,
        autocommit=False,
        connect_seconds=CONNECT_SECONDS,
        statement_timeout=f"{STATEMENT_SECONDS}s",
    ) as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        return numbers(connection)


def numbers(connection: Connection) -> Numbers:
    """The numbers, in the transaction that is open."""
    return Numbers(
        waiting=many(connection, Waiting, _WAITING),
        under_way={row["status"]: row["number"] for row in connection.execute(_UNDER_WAY)},
        tallies=many(connection, Tally, _TALLIES, {"begin": _mark(connection), "end": "infinity"}),
        open_calls=many(connection, OpenCalls, _OPEN_CALLS),
        recoveries=existing(connection, Latencies, _RECOVERIES),
        renderings=many(connection, Latencies, _RENDERINGS),
        refusals=dict.fromkeys(map(str, Category), 0)
        | {row["category"]: row["number"] for row in connection.execute(_REFUSALS)},
        breakers={
            row["backend"]: row["open"]
            for row in connection.execute(
                "select backend, opened_at is not null as open from backend_breakers order by backend"
            )
        },
        traffic=many(connection, StoreTraffic, _TRAFFIC),
        credits_held=value(connection, "select coalesce(sum(credits_held), 0)::bigint from accounts"),
        looks=many(connection, LastLook, "select look, findings, looked_at from upkeep_findings order by look"),
        incidents=many(connection, OpenIncidents, _INCIDENTS),
        steps=many(connection, StepFailures, _STEPS),
    )


def move_mark(connection: Connection) -> None:
    """Take into the tallies what ended up to some minutes ago, so that scrapes need not count it again.

    A call that has not ended, or that upkeep still looks for at the far end, is not passed.
    """
    begin = _mark(connection, lock=True)
    end = value(connection, _NEXT_MARK, {"begin": begin})
    connection.execute(_MOVE_MARK, {"begin": begin, "end": end})
    connection.execute("update tally_mark set counted_to = %s", [end])


def note_findings(connection: Connection, look: str, findings: int) -> None:
    """Write down what a pass of `reconcile` or `verify` has left."""
    connection.execute(
        """
        insert into upkeep_findings (look, findings) values (%s, %s)
        on conflict (look) do update set findings = excluded.findings, looked_at = now()
        """,
        [look, findings],
    )


def _mark(connection: Connection, *, lock: bool = False) -> str:
    """As text: the first mark is older than any time that Python knows."""
    return str(value(connection, f"select counted_to::text from tally_mark {'for update' if lock else ''}"))
