"""The audit: the ledger replayed from its first entry against balances, holds and prices, and every difference named.

Constraints and triggers keep them equal; this finds what was written past them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import LiteralString

from posegen.database.connection import Connection
from posegen.database.rows import existing, many


@dataclass(frozen=True)
class Difference:
    """A number that is recorded otherwise than its entries give. `what`: account, hold or pose; in credits."""

    what: str
    id: str
    number: str
    recorded: int
    replayed: int


@dataclass(frozen=True)
class Audit:
    """What was replayed, and what differs. `in_circulation`: available, held and spent of all accounts, in credits."""

    entries: int
    accounts: int
    granted: int
    in_circulation: int
    differences: list[Difference] = field(default_factory=list)


_TOTALS: LiteralString = """
select (select count(*) from ledger_entries) as entries, count(*) as accounts,
       coalesce((select sum(amount) from ledger_entries where source = 'issued'), 0)::bigint as granted,
       coalesce(sum(credits_available + credits_held + credits_spent), 0)::bigint as in_circulation
from accounts
"""

_DIFFERENCES: LiteralString = """
with replayed as (
    select user_id, sum(amount) filter (where source = 'issued') as granted,
           sum(case 'available' when target then amount when source then -amount else 0 end) as available,
           sum(case 'held' when target then amount when source then -amount else 0 end) as held,
           sum(case 'spent' when target then amount when source then -amount else 0 end) as spent
    from ledger_entries group by user_id
), by_generation as (
    select generation_id, sum(amount) filter (where kind = 'hold') as amount,
           sum(amount) filter (where kind = 'capture') as captured,
           sum(amount) filter (where kind = 'release') as released,
           sum(amount) filter (where kind = 'refund') as refunded
    from ledger_entries where generation_id is not null group by generation_id
), by_pose as (
    select pose_id, sum(amount) filter (where kind = 'capture') as captured from ledger_entries
    where pose_id is not null group by pose_id
)
select 'account' as what, a.user_id::text as id, d.number, d.recorded, coalesce(d.replayed, 0)::bigint as replayed
from accounts a left join replayed r using (user_id)
cross join lateral (values
    ('granted', a.credits_granted, r.granted), ('available', a.credits_available, r.available),
    ('held', a.credits_held, r.held), ('spent', a.credits_spent, r.spent)
) d (number, recorded, replayed)
where d.recorded <> coalesce(d.replayed, 0)
union all
select 'hold', coalesce(h.generation_id, g.generation_id)::text, d.number, coalesce(d.recorded, 0),
       coalesce(d.replayed, 0)::bigint
from holds h full join by_generation g on g.generation_id = h.generation_id
cross join lateral (values
    ('amount', h.amount, g.amount), ('captured', h.captured, g.captured), ('released', h.released, g.released),
    ('refunded', h.refunded, g.refunded)
) d (number, recorded, replayed)
where coalesce(d.recorded, 0) <> coalesce(d.replayed, 0)
union all
select 'pose', p.id::text, 'price', case p.status when 'completed' then p.price else 0 end,
       coalesce(b.captured, 0)::bigint
from generated_poses p left join by_pose b on b.pose_id = p.id
where case p.status when 'completed' then p.price else 0 end <> coalesce(b.captured, 0)
order by 1, 2, 3
"""


def audit(connection: Connection) -> Audit:
    """Replay everything, on one snapshot. The transaction must be a fresh one."""
    connection.execute("set transaction isolation level repeatable read read only")
    audited = existing(connection, Audit, _TOTALS)
    return replace(audited, differences=many(connection, Difference, _DIFFERENCES))
