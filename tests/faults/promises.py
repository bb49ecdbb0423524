"""What is promised, as queries that name what breaks it. They share nothing with the product's own invariants."""

from __future__ import annotations

from typing import LiteralString

# Who took which token, and who wrote under it; the database says so itself, whatever the workers believe.
AUDIT: LiteralString = """
create schema faults;
create table faults.leases (
    generation_id uuid not null, token integer not null, worker text not null, primary key (generation_id, token));
create table faults.writes (
    id bigint generated always as identity primary key, generation_id uuid not null, pose_id uuid, what text not null,
    token integer not null, status text not null, worker text not null);

create function faults.note_lease() returns trigger language plpgsql as $$
begin
    if new.status = 'running' and new.token is distinct from old.token then
        insert into faults.leases values (new.id, new.token, coalesce(current_setting('faults.worker', true), ''));
    elsif old.status in ('completed', 'partial', 'failed', 'cancelled') and new.status <> old.status then
        insert into faults.writes (generation_id, what, token, status, worker)
        values (new.id, 'left its end', new.token, old.status, coalesce(current_setting('faults.worker', true), ''));
    end if;
    return null;
end $$;
create trigger note_lease after update of status, token on generations
    for each row execute function faults.note_lease();

create function faults.note_pose() returns trigger language plpgsql as $$
begin
    insert into faults.writes (generation_id, pose_id, what, token, status, worker)
    select g.id, new.id, new.status, g.token, g.status, coalesce(current_setting('faults.worker', true), '')
    from generations g where g.id = new.generation_id;
    return null;
end $$;
create trigger note_pose after update of status on generated_poses
    for each row when (new.status in ('completed', 'failed')) execute function faults.note_pose();

create function faults.note_export() returns trigger language plpgsql as $$
begin
    insert into faults.writes (generation_id, pose_id, what, token, status, worker)
    select g.id, p.id, 'export', g.token, g.status, coalesce(current_setting('faults.worker', true), '')
    from generated_poses p join generations g on g.id = p.generation_id where p.id = new.pose_id;
    return null;
end $$;
create function faults.note_other_lease() returns trigger language plpgsql as $$
begin
    if new.status in ('rendering', 'running') and new.token is distinct from old.token then
        insert into faults.leases values (new.id, new.token, coalesce(current_setting('faults.worker', true), ''));
    elsif new.status in ('published', 'completed') and new.status <> old.status then
        insert into faults.writes (generation_id, what, token, status, worker)
        values (new.id, new.status, old.token, case old.status when 'rendering' then 'running' else old.status end,
                coalesce(current_setting('faults.worker', true), ''));
    elsif old.status in ('published', 'completed', 'failed', 'cancelled') and new.status <> old.status then
        insert into faults.writes (generation_id, what, token, status, worker)
        values (new.id, 'left its end', new.token, old.status, coalesce(current_setting('faults.worker', true), ''));
    end if;
    return null;
end $$;
create trigger note_other_lease after update of status, token on designs
    for each row execute function faults.note_other_lease();
create trigger note_other_lease after update of status, token on image_variants
    for each row execute function faults.note_other_lease();
create trigger note_export after insert or update on exports for each row when (new.deleted_at is null)
    execute function faults.note_export();
"""

LOST: LiteralString = """
select format('%%s is %%s', a.id, coalesce(g.status, 'gone')) as what
from unnest(%s::uuid[]) a (id) left join generations g on g.id = a.id
where g.finished_at is null
union all
select format('pose %%s of the ended %%s is still %%s', p.id, g.id, p.status)
from generations g join generated_poses p on p.generation_id = g.id
where g.finished_at is not null and p.status in ('pending', 'running')
union all
select format('completed %%s has %%s of %%s poses', g.id, count(p.id), g.poses_total)
from generations g left join generated_poses p on p.generation_id = g.id and p.status = 'completed'
where g.status = 'completed' group by g.id having count(p.id) <> g.poses_total
"""

LOST_BESIDE: LiteralString = """
select format('design %%s is %%s: %%s', a.id, coalesce(d.status, 'gone'), d.error_detail) as what
from unnest(%(designs)s::uuid[]) a (id) left join designs d on d.id = a.id
where d.status is distinct from 'published' or d.preview_object is null or d.thumbnail_object is null
union all
select format('image request %%s is %%s: %%s', a.id, coalesce(v.status, 'gone'), v.error_detail)
from unnest(%(image_requests)s::uuid[]) a (id) left join image_variants v on v.id = a.id
where v.status is distinct from 'completed' or v.normal_object is null or v.high_quality_object is null
"""

CHARGES: LiteralString = """
with moved as (
    select p.id, p.status, p.price,
           count(l.id) filter (where l.kind = 'capture') as captures,
           count(l.id) filter (where l.kind = 'release') as releases,
           count(l.id) filter (where l.kind = 'refund') as refunds,
           coalesce(sum(l.amount) filter (where l.kind in ('capture', 'release')), 0) as amount
    from generated_poses p left join ledger_entries l on l.pose_id = p.id group by p.id
)
select format('pose %s is %s with %s captures, %s releases, %s refunds, %s of %s credits moved', id, status, captures,
              releases, refunds, amount, price) as what
from moved
where (captures, releases, amount) is distinct from case
          when status = 'completed' then (1::bigint, 0::bigint, price::numeric)
          when status in ('failed', 'cancelled') then (0::bigint, 1::bigint, price::numeric)
          else (0::bigint, 0::bigint, 0::numeric) end
   or refunds > captures
union all
select format('the hold of %s is %s: %s captured, %s released', h.generation_id, h.amount, h.captured, h.released)
from holds h join generations g on g.id = h.generation_id
where (g.finished_at is not null and h.captured + h.released <> h.amount)
   or h.captured <> (select coalesce(sum(p.price), 0) from generated_poses p
                     where p.generation_id = g.id and p.status = 'completed')
union all
select format('account %s: %s available, %s held, %s spent; the ledger says %s, %s, %s', a.user_id, a.credits_available,
              a.credits_held, a.credits_spent, l.available, l.held, l.spent)
from accounts a join (
    select user_id,
           sum(case 'available' when target then amount when source then -amount else 0 end) as available,
           sum(case 'held' when target then amount when source then -amount else 0 end) as held,
           sum(case 'spent' when target then amount when source then -amount else 0 end) as spent
    from ledger_entries group by user_id
) l using (user_id)
where (a.credits_available, a.credits_held, a.credits_spent) is distinct from (l.available, l.held, l.spent)
union all
select format('account %s uses %s bytes and reserves %s; its objects have %s', a.user_id, a.storage_used,
              a.storage_reserved, coalesce(o.used, 0))
from accounts a left join (
    select coalesce(g.user_id, o.user_id) as user_id, sum(o.size) as used
    from objects o left join generations g on g.id = o.generation_id group by 1
) o using (user_id)
where a.storage_used <> coalesce(o.used, 0)
   or a.storage_reserved <> (select coalesce(sum(g.storage_reserved), 0) from generations g where g.user_id = a.user_id)
   or exists (select from generations g where g.user_id = a.user_id and g.finished_at is not null
              and g.storage_reserved <> 0)
"""

STALE: LiteralString = """
select format('%s of %s by %s, who did not hold token %s (%s)', w.what, coalesce(w.pose_id, w.generation_id),
              coalesce(nullif(w.worker, ''), 'nobody'), w.token, w.status) as what
from faults.writes w
left join faults.leases l on (l.generation_id, l.token) = (w.generation_id, w.token)
where w.what = 'left its end' or w.status <> 'running' or l.worker is distinct from w.worker
union all
select format('%s of %s comes after its end', e.kind, e.generation_id)
from events e join generations g on g.id = e.generation_id
where g.finished_at is not null and e.kind not in ('refunded')
  and e.sequence > (select min(x.sequence) from events x where x.generation_id = e.generation_id
                    and x.kind in ('completed', 'partial', 'failed', 'cancelled'))
union all
select format('the events of %s are %s, numbered up to %s', g.id, count(e.sequence), g.last_event)
from generations g left join events e on e.generation_id = g.id where g.retired_at is null
group by g.id having count(e.sequence) <> g.last_event or coalesce(max(e.sequence), 0) <> g.last_event
"""

# The far end knows a pose by its seed, which no two poses of one world share.
COMPLETED: LiteralString = """
select p.seed, extract(epoch from p.completed_at)::float8 as at, p.id, o.key, o.sha256, f.key as delivered,
    (p.recipe->>'width')::integer as side
from generated_poses p join objects o on o.id = p.image_object
left join backend_calls c on c.pose_id = p.id and c.state = 'used' left join objects f on f.id = c.object_id
where p.status = 'completed'
"""

RECOVERED: LiteralString = """
select extract(epoch from min(created_at))::float8 - %(at)s as seconds from events
where generation_id = %(id)s and extract(epoch from created_at) > %(at)s
  and kind in ('started', 'completed', 'partial', 'failed', 'cancelled')
"""
