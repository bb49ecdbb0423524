"""What reports count: one set-based statement for each table, over a span of time.

A generation belongs to the span in which it ended, together with its poses and exports, because what has ended never
changes; a ledger entry and an object belong to the span in which they were written, and a call of a hosted backend to
the one in which it was planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from posegen.database.connection import Connection
from posegen.policy.policy import CATEGORY_OF_DETAIL

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Counted:
    """A table of a report. `columns`: in their order, also where there is no row."""

    columns: tuple[str, ...]
    statement: LiteralString


_ENDED: LiteralString = """
    ended as materialized (
        select * from generations where finished_at >= %(begin)s and finished_at < %(end)s
    )"""
_POSES: LiteralString = f"""
    {_ENDED}, made as materialized (
        select p.* from generated_poses p join ended on ended.id = p.generation_id
    )"""

TOTALS = Counted(
    ("generations", "completed", "partial", "failed", "cancelled", "poses", "poses_completed", "poses_failed", "users"),
    f"""
    with {_ENDED}
    select count(*) as generations,
           count(*) filter (where status = 'completed') as completed,
           count(*) filter (where status = 'partial') as partial,
           count(*) filter (where status = 'failed') as failed,
           count(*) filter (where status = 'cancelled') as cancelled,
           coalesce(sum(poses_total), 0)::bigint as poses,
           coalesce(sum(poses_completed), 0)::bigint as poses_completed,
           coalesce(sum(poses_failed), 0)::bigint as poses_failed,
           count(distinct user_id) as users
    from ended
    """,
)

CREDITS = Counted(
    ("granted", "held", "used", "released", "refunded"),
    """
    select coalesce(sum(amount) filter (where kind = 'grant'), 0)::bigint as granted,
           coalesce(sum(amount) filter (where kind = 'hold'), 0)::bigint as held,
           coalesce(sum(amount) filter (where kind = 'capture'), 0)::bigint as used,
           coalesce(sum(amount) filter (where kind = 'release'), 0)::bigint as released,
           coalesce(sum(amount) filter (where kind = 'refund'), 0)::bigint as refunded
    from ledger_entries where created_at >= %(begin)s and created_at < %(end)s
    """,
)

PHASES = Counted(
    ("phase", "measured", "average", "p50", "p95", "p99"),
    f"""
    with {_POSES}, measured as (
        select 1 as place, 'duration' as phase, extract(epoch from finished_at - submitted_at)::float8 as seconds
        from ended where started_at is not null
        union all
        select 2, 'queue wait', extract(epoch from started_at - submitted_at)::float8
        from ended where started_at is not null
        union all
        select 3, 'render', render_ms / 1000.0 from made where render_ms is not null
        union all
        select 4, 'store', store_ms / 1000.0 from made where store_ms is not null
        union all
        select 5, 'export', e.export_ms / 1000.0 from exports e join made on made.id = e.pose_id
        where e.export_ms is not null
    )
    select phase, count(*) as measured, avg(seconds)::float8 as average,
           percentile_cont(0.50) within group (order by seconds) as p50,
           percentile_cont(0.95) within group (order by seconds) as p95,
           percentile_cont(0.99) within group (order by seconds) as p99
    from measured group by place, phase order by place
    """,
)

ERRORS = Counted(
    ("error_code", "generations", "poses", "exports", "credits_refunded", "examples"),
    f"""
    with {_POSES}, failures as (
        select error_code, id as generation_id, null::uuid as pose_id, 'generation' as what
        from ended where error_code is not null and status in ('failed', 'cancelled')
        union all
        select error_code, generation_id, id, 'pose' from made where status = 'failed'
        union all
        select e.error_code, made.generation_id, made.id, 'export'
        from exports e join made on made.id = e.pose_id where e.status = 'failed'
    ), refunds as (
        select coalesce(p.error_code, g.error_code) as error_code, sum(l.amount) as credits
        from ledger_entries l
        join generations g on g.id = l.generation_id
        join generated_poses p on p.id = l.pose_id
        where l.kind = 'refund' and l.created_at >= %(begin)s and l.created_at < %(end)s
        group by 1
    ), counted as (
        select error_code,
               count(*) filter (where what = 'generation') as generations,
               count(*) filter (where what = 'pose') as poses,
               count(*) filter (where what = 'export') as exports,
               (array_agg(distinct generation_id::text order by generation_id::text))[1:3] as examples
        from failures group by error_code
    )
    select coalesce(c.error_code, r.error_code, 'none') as error_code, coalesce(c.generations, 0) as generations,
           coalesce(c.poses, 0) as poses, coalesce(c.exports, 0) as exports,
           coalesce(r.credits, 0)::bigint as credits_refunded, coalesce(c.examples, '{{}}') as examples
    from counted c full join refunds r on r.error_code = c.error_code
    order by generations desc, poses desc, exports desc, error_code
    """,
)

USERS = Counted(
    ("user_id", "name", "generations", "poses_completed", "credits_used"),
    f"""
    with {_ENDED}, used as (
        select user_id, sum(amount)::bigint as credits from ledger_entries
        where kind = 'capture' and created_at >= %(begin)s and created_at < %(end)s group by user_id
    ), asked as (
        select user_id, count(*) as generations, sum(poses_completed)::bigint as poses_completed
        from ended group by user_id
    )
    select coalesce(a.user_id, used.user_id)::text as user_id, u.name, coalesce(a.generations, 0) as generations,
           coalesce(a.poses_completed, 0) as poses_completed, coalesce(used.credits, 0) as credits_used
    from asked a
    full join used on used.user_id = a.user_id
    left join users u on u.id = coalesce(a.user_id, used.user_id)
    order by credits_used desc, poses_completed desc, generations desc, 1
    """,
)

# A generation that a backend's own policy ended has no category.
REFUSALS = Counted(
    ("user_id", "name", "category", "generations"),
    f"""
    with {_ENDED}
    select ended.user_id::text as user_id, u.name, coalesce({CATEGORY_OF_DETAIL}, 'backend') as category,
           count(*) as generations
    from ended left join users u on u.id = ended.user_id
    where ended.status = 'failed' and ended.error_code = 'inappropriate_prompt'
    group by 1, 2, 3 order by generations desc, 1, 3
    """,
)

POPULAR_POSES = Counted(
    ("library_pose", "category", "poses", "generations", "favourites", "downloads"),
    f"""
    with {_POSES}
    select made.library_pose, l.category, count(*) as poses, count(distinct made.generation_id) as generations,
           count(*) filter (where made.is_favourite) as favourites, sum(made.download_count)::bigint as downloads
    from made join library_poses l on l.slug = made.library_pose
    where made.status = 'completed' group by 1, 2 order by poses desc, 1
    """,
)

FORMATS = Counted(
    ("format", "completed", "failed", "bytes"),
    f"""
    with {_POSES}
    select e.format, count(*) filter (where e.status = 'completed') as completed,
           count(*) filter (where e.status = 'failed') as failed, coalesce(sum(e.size), 0)::bigint as bytes
    from exports e join made on made.id = e.pose_id
    group by e.format order by completed desc, e.format
    """,
)

BACKENDS = Counted(
    ("backend", "completed", "failed", "average", "p50", "p95", "credits_used"),
    f"""
    with {_POSES}
    select backend, count(*) filter (where status = 'completed') as completed,
           count(*) filter (where status = 'failed') as failed,
           (avg(render_ms) / 1000.0)::float8 as average,
           percentile_cont(0.50) within group (order by render_ms / 1000.0) as p50,
           percentile_cont(0.95) within group (order by render_ms / 1000.0) as p95,
           coalesce(sum(price) filter (where status = 'completed'), 0)::bigint as credits_used
    from made group by backend order by completed desc, backend
    """,
)

# Also hosted backends of the poses that ended, whose calls belong to an earlier span.
CALLS = Counted(
    (
        *("backend", "calls", "used", "unused", "uncertain", "open", "without_bill"),
        *("usd", "usd_response", "usd_invoice", "usd_price_list", "usd_a_pose"),
    ),
    f"""
    with {_POSES}, hosted as (
        select backend from (select distinct backend from made) named
        where exists (select from backend_calls c where c.backend = named.backend)
    ), called as (
        select backend, count(*) as calls, count(*) filter (where state = 'used') as used,
               count(*) filter (where state <> 'used' and ended_at is not null and billed_usd > 0) as unused,
               count(*) filter (where state = 'uncertain') as uncertain,
               count(*) filter (where ended_at is null) as open,
               count(*) filter (where state in ('used', 'rejected') and billed_usd is null) as without_bill,
               sum(billed_usd) as usd, sum(billed_usd) filter (where bill_source = 'response') as usd_response,
               sum(billed_usd) filter (where bill_source = 'invoice') as usd_invoice,
               sum(billed_usd) filter (where bill_source = 'price_list') as usd_price_list,
               sum(billed_usd) filter (where purpose = 'pose')
                   / nullif(count(*) filter (where state = 'used' and purpose = 'pose'), 0) as usd_a_pose
        from backend_calls where planned_at >= %(begin)s and planned_at < %(end)s group by backend
    )
    select backend, coalesce(calls, 0) as calls, coalesce(used, 0) as used, coalesce(unused, 0) as unused,
           coalesce(uncertain, 0) as uncertain, coalesce(open, 0) as open, coalesce(without_bill, 0) as without_bill,
           coalesce(usd, 0)::float8 as usd, coalesce(usd_response, 0)::float8 as usd_response,
           coalesce(usd_invoice, 0)::float8 as usd_invoice, coalesce(usd_price_list, 0)::float8 as usd_price_list,
           usd_a_pose::float8 as usd_a_pose
    from called full join hosted using (backend) order by usd desc, backend
    """,
)

_STORED: LiteralString = """
    kept as (
        select store, kind, owner as user_id, created_at < %(begin)s as before, count(*) as objects, sum(size) as bytes
        from owned_objects where created_at < %(end)s group by 1, 2, 3, 4
        union all
        select store, kind, user_id, created_on < (%(begin)s at time zone 'utc')::date, sum(objects), sum(bytes)
        from deleted_objects_by_day
        where created_on < (%(end)s at time zone 'utc')::date
            and deleted_on >= (%(end)s at time zone 'utc')::date
        group by 1, 2, 3, 4
    )"""

_BY_KIND: LiteralString = """
    select store, kind, sum(objects)::bigint as objects, sum(bytes)::bigint as bytes,
           (sum(bytes) / sum(objects))::float8 as average,
           coalesce(sum(objects) filter (where not before), 0)::bigint as objects_added,
           coalesce(sum(bytes) filter (where not before), 0)::bigint as bytes_added
    from kept group by store, kind order by store, kind"""
_BY_USER: LiteralString = """
    select user_id::text as user_id, sum(objects)::bigint as objects, sum(bytes)::bigint as bytes,
           coalesce(sum(bytes) filter (where not before), 0)::bigint as bytes_added
    from kept where user_id is not null group by user_id order by bytes desc, 1"""

STORAGE = Counted(
    ("store", "kind", "objects", "bytes", "average", "objects_added", "bytes_added"), f"with {_STORED} {_BY_KIND}"
)
STORAGE_USERS = Counted(("user_id", "objects", "bytes", "bytes_added"), f"with {_STORED} {_BY_USER}")
# Both of them by one walk through the objects, which takes seconds when there are millions.
_BOTH: LiteralString = f"""
    with {_STORED}, by_kind as ({_BY_KIND}), by_user as ({_BY_USER})
    select 'kind' as by, row_number() over () as place, to_jsonb(by_kind) as row from by_kind
    union all
    select 'user', row_number() over (), to_jsonb(by_user) from by_user
    order by 1, 2
"""

# A day counts in full, from the one on which an object was made to the one before it was deleted: so a deletion changes
# nothing in what was said of earlier days.
KEPT = Counted(
    ("store", "byte_days"),
    """
    with span as (
        select (%(begin)s at time zone 'utc')::date as first, (%(end)s at time zone 'utc')::date as after
    ), kept as (
        select o.store, o.size::numeric * (span.after - greatest((o.created_at at time zone 'utc')::date, span.first))
            as byte_days
        from objects o, span where o.created_at < %(end)s
        union all
        select d.store, d.bytes::numeric * (least(d.deleted_on, span.after) - greatest(d.created_on, span.first))
        from deleted_objects_by_day d, span where d.created_on < span.after and d.deleted_on > span.first
    )
    select store, sum(byte_days)::bigint as byte_days from kept group by store order by store
    """,
)

TRAFFIC = Counted(
    ("store", "operation", "operations", "bytes"),
    """
    select store, operation, sum(operations)::bigint as operations, sum(bytes)::bigint as bytes
    from store_traffic where day >= (%(begin)s at time zone 'utc')::date and day < (%(end)s at time zone 'utc')::date
    group by store, operation order by store, operation
    """,
)

DAYS = Counted(
    ("day", "generations", "poses_completed", "credits_used", "bytes_added"),
    """
    with days as (
        select d::date as day from generate_series((%(begin)s at time zone 'utc')::date,
                                                   (%(end)s at time zone 'utc')::date - 1, interval '1 day') d
    ), ended as (
        select (finished_at at time zone 'utc')::date as day, count(*) as generations,
               sum(poses_completed)::bigint as poses_completed
        from generations where finished_at >= %(begin)s and finished_at < %(end)s group by 1
    ), used as (
        select (created_at at time zone 'utc')::date as day, sum(amount)::bigint as credits from ledger_entries
        where kind = 'capture' and created_at >= %(begin)s and created_at < %(end)s group by 1
    ), added as (
        select day, sum(bytes)::bigint as bytes from (
            select (created_at at time zone 'utc')::date as day, sum(size) as bytes from objects
            where created_at >= %(begin)s and created_at < %(end)s group by 1
            union all
            select created_on, sum(bytes) from deleted_objects_by_day
            where created_on >= (%(begin)s at time zone 'utc')::date and created_on < (%(end)s at time zone 'utc')::date
                and deleted_on > created_on
            group by 1
        ) parts group by day
    )
    select days.day, coalesce(generations, 0) as generations, coalesce(poses_completed, 0) as poses_completed,
           coalesce(credits, 0) as credits_used, coalesce(bytes, 0) as bytes_added
    from days left join ended using (day) left join used using (day) left join added using (day) order by day
    """,
)


TABLES: Mapping[str, Counted] = {
    "totals": TOTALS,
    "credits": CREDITS,
    "phases": PHASES,
    "errors": ERRORS,
    "users": USERS,
    "refusals": REFUSALS,
    "poses": POPULAR_POSES,
    "formats": FORMATS,
    "backends": BACKENDS,
    "calls": CALLS,
    "storage": STORAGE,
    "storage_users": STORAGE_USERS,
    "kept": KEPT,
    "traffic": TRAFFIC,
    "days": DAYS,
}


"""The tables of a report, by their names."""


def count(connection: Connection, table: Counted, *, begin: datetime, end: datetime) -> Rows:
    """The rows of a table over the span from `begin` to before `end`."""
    return [*connection.execute(table.statement, {"begin": begin, "end": end})]


def count_all(
    connection: Connection, tables: Mapping[str, Counted], *, begin: datetime, end: datetime
) -> dict[str, Rows]:
    """Several tables of one span, by their names."""
    together: dict[Counted, Rows] = {}
    if {STORAGE, STORAGE_USERS} <= {*tables.values()}:
        rows = [*connection.execute(_BOTH, {"begin": begin, "end": end})]
        for table, by in ((STORAGE, "kind"), (STORAGE_USERS, "user")):
            together[table] = [row["row"] for row in rows if row["by"] == by]
    return {
        name: together[table] if table in together else count(connection, table, begin=begin, end=end)
        for name, table in tables.items()
    }
