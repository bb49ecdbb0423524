"""What is to be seen when the dust has settled: every promise that was broken, as a sentence.

Nothing here asks the code that made the promise: the statements, the counting and the hashing are the tests' own. What
`posegen verify` finds comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import numpy as np

from posegen.database.connection import Database
from posegen.errors import PosegenError
from posegen.images.validation import open_image
from posegen.storage.keys import is_registered
from posegen.storage.protocol import ObjectStore
from posegen.upkeep.reconciling import reconcile
from tests.backends import painted
from tests.faults.far_end import Call

CATEGORIES = (
    "lost",
    "wrong charges",
    "stale commits",
    "orphans",
    "corrupt",
    "repeated calls",
    "broken invariants",
)

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
create trigger note_export after insert or update on exports for each row execute function faults.note_export();
"""

_LOST: LiteralString = """
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

_CHARGES: LiteralString = """
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
    select g.user_id, sum(o.size) as used from objects o join generations g on g.id = o.generation_id group by 1
) o using (user_id)
where a.storage_used <> coalesce(o.used, 0)
   or a.storage_reserved <> (select coalesce(sum(g.storage_reserved), 0) from generations g where g.user_id = a.user_id)
   or exists (select from generations g where g.user_id = a.user_id and g.finished_at is not null
              and g.storage_reserved <> 0)
"""

_STALE: LiteralString = """
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
from generations g left join events e on e.generation_id = g.id
group by g.id having count(e.sequence) <> g.last_event or coalesce(max(e.sequence), 0) <> g.last_event
"""

# The far end knows a pose by its seed, which no two poses of one world share.
_COMPLETED: LiteralString = """
select seed, extract(epoch from completed_at)::float8 as at, p.id, o.key, o.sha256
from generated_poses p join objects o on o.id = p.image_object where p.status = 'completed'
"""

DEAD_HERE = "dead on this machine"
SILENT = "silent"

_RECOVERED: LiteralString = """
select extract(epoch from min(created_at))::float8 - %(at)s as seconds from events
where generation_id = %(id)s and extract(epoch from created_at) > %(at)s
  and kind in ('started', 'completed', 'partial', 'failed', 'cancelled')
"""


@dataclass(frozen=True)
class Evidence:
    """What was found. `broken`: sentences by category; the rest is counted for the scorecard.

    `recoveries`: how each loss could be noticed, and the seconds until somebody went on; `unfinished`: what killed
    writers left in the store; `stopped_calls`: for finished poses, by workers who were stopped on their way to them.
    """

    broken: dict[str, list[str]]
    generations: int
    poses: int
    calls: int
    objects: int
    orphans_removed: int
    unfinished: int
    statuses: dict[str, int]
    stopped_calls: int
    recoveries: list[tuple[str, float]]

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not any(self.broken.values())

    def __str__(self) -> str:
        lines = [f"{category}: {what}" for category, found in self.broken.items() for what in found]
        return "\n".join(lines) or "clean"


@dataclass(frozen=True)
class Loss:
    """Somebody who had a generation was out of reach. `at`: since when, seconds since the epoch.

    `how`: what others can know of it, `DEAD_HERE` (its machine drops its lock) or `SILENT` (its lease runs out).
    """

    at: float
    generation: UUID
    how: str


@dataclass(frozen=True)
class Scene:
    """Where to look. `accepted`: what was promised; `calls`: what the far end has seen.

    `verify`: what `posegen verify` says, one sentence for each violation; `reconcile`: whether that is done first.
    """

    database: Database
    store: ObjectStore
    accepted: list[UUID]
    calls: list[Call]
    losses: list[Loss] = field(default_factory=list)
    verify: Callable[[], list[str]] = lambda: []
    reconcile: bool = True


def look(scene: Scene) -> Evidence:
    """Everything that can be seen. Nobody may be at work any more."""
    completed = _rows(scene.database, _COMPLETED)
    reconciled = _reconcile(scene)
    repeated = _repeated(scene.calls, completed)
    objects = _rows(scene.database, "select key, sha256 from objects")
    statuses = _rows(scene.database, "select status, count(*) as number from generations group by status")
    broken = {
        "lost": _sentences(scene.database, _LOST, [scene.accepted]),
        "wrong charges": _sentences(scene.database, _CHARGES),
        "stale commits": _sentences(scene.database, _STALE),
        "orphans": [*(f"{key} belongs to no row" for key in _orphans(scene)), *reconciled.again],
        "corrupt": _corrupt(scene.store, objects, completed),
        "repeated calls": [what for what, excused in repeated if not excused],
        "broken invariants": scene.verify(),
    }
    return Evidence(
        broken=broken,
        generations=len(scene.accepted),
        poses=len(completed),
        calls=len(scene.calls),
        objects=len(objects),
        orphans_removed=reconciled.orphans,
        unfinished=reconciled.unfinished,
        statuses={row["status"]: row["number"] for row in statuses},
        stopped_calls=sum(excused for _, excused in repeated),
        recoveries=[(loss.how, _recovery(scene.database, loss)) for loss in scene.losses],
    )


def _orphans(scene: Scene) -> list[str]:
    known = {row["key"] for row in _rows(scene.database, "select key from objects")}
    return [entry.key for entry in scene.store.list() if is_registered(entry.key) and entry.key not in known]


@dataclass(frozen=True)
class _Reconciled:
    """What the product's own reconciling has removed, and what it finds when it is asked a second time."""

    orphans: int = 0
    unfinished: int = 0
    again: tuple[str, ...] = ()


def _reconcile(scene: Scene) -> _Reconciled:
    """Without any grace: nobody is about to write a row."""
    if not scene.reconcile:
        return _Reconciled()
    first, second = (reconcile(scene.database, [scene.store], grace=timedelta(0), repair=True).found for _ in range(2))
    removed = {found.kind: found.repaired for found in first}
    again = tuple(f"reconciling again finds {found.number} {found.says}" for found in second if found.repaired)
    return _Reconciled(removed.get("orphan", 0), removed.get("unfinished", 0), again)


def _corrupt(store: ObjectStore, objects: Iterable[Mapping[str, Any]], poses: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every object is read again, and every picture has to be the one that was asked for."""
    seeds = {row["key"]: row["seed"] for row in poses}
    problems = []
    for row in objects:
        try:
            data = store.get(row["key"], sha256=row["sha256"])
            if row["key"] in seeds and not np.array_equal(open_image(data), painted(seeds[row["key"]])):
                problems.append(f"{row['key']} is the picture of another recipe")
        except PosegenError as unreadable:
            problems.append(str(unreadable))
    return problems


def _repeated(calls: Iterable[Call], completed: Iterable[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """Calls for poses that were finished already, and whether their worker could not have known.

    It made sure of its lease before the pose was finished, and was stopped before it sent the call: no check can close
    that gap, only a service that knows tokens could.
    """
    done = {row["seed"]: (row["at"], row["id"]) for row in completed}
    late = [call for call in calls if call.seed in done and call.began > done[call.seed][0]]
    found = []
    for call in late:
        finished, pose = done[call.seed]
        what = f"pose {pose} was rendered again {call.began - finished:.2f} s after it was finished"
        found.append((what, 0 < call.checked < finished))
    return found


def _recovery(database: Database, loss: Loss) -> float:
    (row,) = _rows(database, _RECOVERED, {"at": loss.at, "id": loss.generation})
    return float("inf") if row["seconds"] is None else float(row["seconds"])


def _sentences(database: Database, query: LiteralString, values: Any = None) -> list[str]:
    return [row["what"] for row in _rows(database, query, values)]


def _rows(database: Database, query: LiteralString, values: Any = None) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.execute(query, values).fetchall()
