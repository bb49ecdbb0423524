"""The invariants of the design, each as a query that counts what it looked at and names what breaks it.

What no query can see, such as bytes in a store, is looked at in `posegen.upkeep.verification`, which also runs these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from posegen.settings import Settings

_TERMINAL: LiteralString = "('completed', 'partial', 'failed', 'cancelled')"
# What moves a generation from hand to hand; the other events tell of work within.
_STEPS: LiteralString = (
    "('submitted', 'queued', 'dispatched', 'started', 'released', 'requeued', 'held_back', 'completed', 'partial', "
    "'failed', 'cancelled')"
)
# What may happen to a generation after its end.
_AFTERWARDS: LiteralString = (
    "('exports_stored', 'thumbnail_stored', 'refunded', 'images_deleted', 'images_restored', 'variant_stored')"
)


@dataclass(frozen=True)
class Bounds:
    """What is allowed. `sweep_slack`: seconds that a sweep may be late while the platform runs."""

    most_attempts: int = 3
    most_lost_leases: int = 5
    sweep_slack: int = 30

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """As the settings say."""
        return cls(most_attempts=settings.posegen_max_attempts, most_lost_leases=settings.posegen_max_lost_leases)


@dataclass(frozen=True)
class Invariant:
    """A rule. `counted`: how many cases there are; `broken`: a row with a column `what` for each case against it.

    The queries may read the numbers of `Bounds` as `current_setting('posegen.NAME')`.
    """

    name: str
    says: str
    counted: LiteralString
    broken: LiteralString


FENCED = Invariant(
    "I1",
    "only the holder of its token writes to a generation",
    "select count(*) from events where detail ? 'token' and kind <> 'started'",
    f"""
    select format('generation %s, event %s: %s with token %s after %s with token %s', e.generation_id, e.sequence,
                  e.kind, coalesce(e.detail ->> 'token', 'none'), before.kind, before.token) as what
    from events e
    left join lateral (
        select s.kind, s.detail ->> 'token' as token from events s
        where s.generation_id = e.generation_id and s.sequence < e.sequence and s.kind in {_STEPS}
        order by s.sequence desc limit 1
    ) before on true
    where e.detail ? 'token' and e.kind <> 'started' and case
        when e.detail ->> 'token' is null then coalesce(before.kind not in {_TERMINAL}, true)
        else before.kind is distinct from 'started' or before.token is distinct from e.detail ->> 'token' end
    """,
)

MADE_ONCE = Invariant(
    "I2",
    "every pose has the id that follows from its place, and was completed once at most",
    "select count(*) from generated_poses",
    """
    select format('pose %s was completed %s times', detail ->> 'pose', count(*)) as what
    from events where kind = 'pose_completed' group by detail ->> 'pose' having count(*) > 1
    union all
    select format('generation %s has %s poses, not %s', g.id, count(p.id), g.poses_total)
    from generations g left join generated_poses p on p.generation_id = g.id
    group by g.id having count(p.id) <> g.poses_total
    """,
)

WRITTEN_WHOLE = Invariant(
    "I3",
    "a completed pose has its objects, its capture, its event and its place in the progress",
    "select count(*) from generated_poses where status = 'completed'",
    """
    select format('pose %s is completed without an object', p.id) as what from generated_poses p
    left join objects image on image.id = p.image_object
    left join objects thumbnail on thumbnail.id = p.thumbnail_object
    where p.status = 'completed' and p.images_deleted_at is null and (image.id is null or thumbnail.id is null)
    union all
    select format('pose %s was deleted and has a file of the format %s', p.id, e.format) from generated_poses p
    join exports e on e.pose_id = p.id and e.object_id is not null where p.images_deleted_at is not null
    union all
    select format('pose %s is completed without a capture', p.id) from generated_poses p
    left join ledger_entries l on l.pose_id = p.id and l.kind = 'capture' where p.status = 'completed' and l.id is null
    union all
    select format('pose %s has a capture and is %s', p.id, p.status) from generated_poses p
    join ledger_entries l on l.pose_id = p.id and l.kind = 'capture' where p.status <> 'completed'
    union all
    select format('pose %s is %s without an event', p.id, p.status) from generated_poses p
    where p.status in ('completed', 'failed')
        and exists (select from events e where e.generation_id = p.generation_id)
        and not exists (select from events e where e.generation_id = p.generation_id
                        and e.kind = 'pose_' || p.status and e.detail ->> 'pose' = p.id::text)
    union all
    select format('generation %s counts %s completed and %s failed poses; there are %s and %s', g.id, g.poses_completed,
                  g.poses_failed, count(*) filter (where p.status = 'completed'),
                  count(*) filter (where p.status = 'failed'))
    from generations g left join generated_poses p on p.generation_id = g.id group by g.id
    having g.poses_completed <> count(*) filter (where p.status = 'completed')
        or g.poses_failed <> count(*) filter (where p.status = 'failed')
    """,
)

BALANCES = Invariant(
    "I5",
    "no balance is negative, granted = available + held + spent, and a replay of the ledger gives the same",
    "select count(*) from accounts",
    """
    select format('account %s has %s granted, %s available, %s held, %s spent; its entries give %s, %s, %s, %s',
                  a.user_id, a.credits_granted, a.credits_available, a.credits_held, a.credits_spent,
                  e.granted, e.available, e.held, e.spent) as what
    from accounts a
    left join (
        select user_id, sum(amount) filter (where source = 'issued') as granted,
               sum(case 'available' when target then amount when source then -amount else 0 end) as available,
               sum(case 'held' when target then amount when source then -amount else 0 end) as held,
               sum(case 'spent' when target then amount when source then -amount else 0 end) as spent
        from ledger_entries group by user_id
    ) e on e.user_id = a.user_id
    where (a.credits_granted, a.credits_available, a.credits_held, a.credits_spent)
        is distinct from (coalesce(e.granted, 0), coalesce(e.available, 0), coalesce(e.held, 0), coalesce(e.spent, 0))
        or least(a.credits_available, a.credits_held, a.credits_spent) < 0
        or a.credits_granted <> a.credits_available + a.credits_held + a.credits_spent
    """,
)

HOLDS = Invariant(
    "I6",
    "a hold is captured and released to its amount and no further, and no pose is charged or given back twice",
    "select count(*) from holds",
    f"""
    select format('generation %s: %s held, %s captured, %s released; its entries give %s, %s, %s', h.generation_id,
                  h.amount, h.captured, h.released, e.held, e.captured, e.released) as what
    from holds h
    join generations g on g.id = h.generation_id
    left join (
        select generation_id, sum(amount) filter (where kind = 'hold') as held,
               coalesce(sum(amount) filter (where kind = 'capture'), 0) as captured,
               coalesce(sum(amount) filter (where kind = 'release'), 0) as released
        from ledger_entries where generation_id is not null group by generation_id
    ) e on e.generation_id = h.generation_id
    where (h.amount, h.captured, h.released) is distinct from (e.held, e.captured, e.released)
        or h.captured + h.released > h.amount
        or (g.status in {_TERMINAL} and h.captured + h.released <> h.amount)
    union all
    select format('pose %s was captured or released %s times', pose_id, count(*)) from ledger_entries
    where kind in ('capture', 'release') group by pose_id having count(*) > 1
    union all
    select format('generation %s was held for %s times', generation_id, count(*)) from ledger_entries
    where kind = 'hold' group by generation_id having count(*) > 1
    """,
)

PAID_AS_MADE = Invariant(
    "I7",
    "what is captured is the price of what was made, what is held that of what is open, and a refund has its capture",
    "select count(*) from generations",
    f"""
    select format('generation %s is %s: %s captured for poses of %s, %s held for open poses of %s', g.id, g.status,
                  coalesce(h.captured, 0), p.made, coalesce(h.amount - h.captured - h.released, 0), p.open) as what
    from generations g
    left join holds h on h.generation_id = g.id
    left join lateral (
        select coalesce(sum(price) filter (where status = 'completed'), 0) as made,
               coalesce(sum(price) filter (where status in ('pending', 'running')), 0) as open
        from generated_poses where generation_id = g.id
    ) p on true
    where coalesce(h.captured, 0) <> p.made or coalesce(h.amount - h.captured - h.released, 0) <> p.open
        or (g.status in {_TERMINAL} and p.open <> 0)
    union all
    select format('generation %s has ended and still has %s open poses', g.id, count(*)) from generations g
    join generated_poses p on p.generation_id = g.id and p.status in ('pending', 'running')
    where g.status in {_TERMINAL} group by g.id
    union all
    select format('pose %s has %s refunds of %s credits together for a capture of %s', r.pose_id, count(*),
                  sum(r.amount), coalesce(max(c.amount), 0))
    from ledger_entries r left join ledger_entries c on c.pose_id = r.pose_id and c.kind = 'capture'
    where r.kind = 'refund' group by r.pose_id having count(*) > 1 or sum(r.amount) > coalesce(max(c.amount), 0)
    """,
)

SPACE = Invariant(
    "I8",
    "used and reserved space stay below the limit, and are those of the objects and generations",
    "select count(*) from accounts",
    """
    select format('account %s has %s bytes used, %s reserved, %s at most; its objects have %s, its generations %s',
                  a.user_id, a.storage_used, a.storage_reserved, a.storage_limit, coalesce(o.bytes, 0),
                  coalesce(g.reserved, 0)) as what
    from accounts a
    left join (select user_id, sum(storage_reserved) as reserved from generations group by user_id) g
        on g.user_id = a.user_id
    left join space_by_user o on o.user_id = a.user_id
    where a.storage_used <> coalesce(o.bytes, 0) or a.storage_reserved <> coalesce(g.reserved, 0)
        or a.storage_used + a.storage_reserved > a.storage_limit
    """,
)

ASKED_ONCE = Invariant(
    "I9",
    "every request has its generation, and an idempotency key has one request",
    "select count(*) from generation_requests",
    """
    select format('request %s has no generation', r.id) as what from generation_requests r
    left join generations g on g.id = r.id where g.id is null
    union all
    select format('user %s has %s requests with one idempotency key', user_id, count(*)) from generation_requests
    where idempotency_key is not null group by user_id, idempotency_key having count(*) > 1
    """,
)

FINAL = Invariant(
    "I10",
    "nothing happens after the end, and every step has its place in the events",
    "select count(*) from generations",
    f"""
    select format('generation %s: %s after %s', e.generation_id, e.kind, ended.kind) as what
    from events ended join events e on e.generation_id = ended.generation_id and e.sequence > ended.sequence
    where ended.kind in {_TERMINAL} and e.kind not in {_AFTERWARDS}
    union all
    select format('generation %s is %s, its last event of %s says otherwise', g.id, g.status, g.last_event)
    from generations g
    left join (
        select generation_id, count(*) as events, max(sequence) as latest,
               max(kind) filter (where kind in {_TERMINAL}) as ended
        from events group by generation_id
    ) e on e.generation_id = g.id
    where case
        when e.generation_id is null then g.status not in {_TERMINAL}
        else (e.events, e.latest) is distinct from (g.last_event::bigint, g.last_event)
            or e.ended is distinct from case when g.status in {_TERMINAL} then g.status end end
    """,
)

BOUNDED = Invariant(
    "I11",
    "a generation with as many errors or lost leases as are allowed has ended",
    f"select count(*) from generations where status not in {_TERMINAL}",
    f"""
    select format('generation %s is %s after %s errors and %s lost leases', id, status, attempts, lost_leases) as what
    from generations where status not in {_TERMINAL}
        and (attempts >= current_setting('posegen.most_attempts')::integer
             or lost_leases >= current_setting('posegen.most_lost_leases')::integer)
    """,
)

SWEPT = Invariant(
    "I12",
    "no lease outlives its time and the next sweep",
    "select count(*) from generations where status = 'running'",
    """
    select format('generation %s: its lease expired at %s and was not recovered', id, lease_expires_at) as what
    from generations where status = 'running'
        and lease_expires_at < now() - make_interval(secs => current_setting('posegen.sweep_slack')::integer)
    """,
)

COUNTED = Invariant(
    "I13",
    "errors and lost leases are those of the events: to be asked to stop, or to wait for a backend, costs no attempt",
    "select count(*) from generations where last_event > 0",
    """
    select format('generation %s counts %s errors and %s lost leases, its events %s and %s in %s times', g.id,
                  g.attempts, g.lost_leases, e.attempts, e.lost_leases, e.times) as what
    from generations g
    join lateral (
        select count(*) filter (where kind = 'requeued') as times,
               coalesce(max((detail ->> 'attempts')::integer) filter (where kind = 'requeued'), 0) as attempts,
               coalesce(max((detail ->> 'lost_leases')::integer) filter (where kind = 'requeued'), 0) as lost_leases
        from events where generation_id = g.id having count(*) > 0
    ) e on true
    where (g.attempts, g.lost_leases, g.attempts + g.lost_leases)
        is distinct from (e.attempts, e.lost_leases, e.times::integer)
    """,
)


def _called_once(those: LiteralString) -> Invariant:
    """`those`: the condition on the generation that poses and calls have to meet."""
    return Invariant(
        "I15",
        "a completed pose of a hosted backend has one used call, whose file is its original; no call for a pose "
        "outlives its generation, or exceeds its budget",
        f"select count(*) from backend_calls where purpose = 'pose' and {those}",
        f"""
        with poses as not materialized (
            select * from generated_poses where {those}
        ), calls as not materialized (
            select * from backend_calls where purpose = 'pose' and {those}
        )
        select format('pose %s is completed with %s used calls', p.id, count(c.id) filter (where c.state = 'used'))
                   as what
        from poses p left join calls c on c.pose_id = p.id
        where p.status = 'completed' and p.images_deleted_at is null group by p.id
        having count(c.id) filter (where c.state = 'used') <> case when bool_or(p.recipe ? 'model') then 1 else 0 end
        union all
        select format('pose %s has another original than its used call %s', p.id, c.id)
        from calls c join poses p on p.id = c.pose_id
        where c.state = 'used' and p.original_object is distinct from c.object_id
        union all
        select format('call %s is %s, and its generation %s is %s', c.id, c.state, g.id, g.status)
        from calls c join generations g on g.id = c.generation_id
        where c.ended_at is null and g.status in {_TERMINAL}
        union all
        select format('pose %s has %s calls that may be billed, and a budget of %s', pose_id, count(*), max(budget))
        from calls where state in ('used', 'rejected', 'uncertain') or billed_usd > 0
        group by pose_id having count(*) > max(budget)
        """,
    )


CALLED_ONCE = _called_once("true")
CALLED_ONCE_IN_ONE = _called_once("generation_id = current_setting('posegen.generation')::uuid")
"""The same of one generation, whose id is the setting `posegen.generation`."""

DERIVED = Invariant(
    "I16",
    "what was made of a picture is shown and stored no longer than the picture",
    "select count(*) from image_variants where status = 'completed'",
    """
    select format('variants %s are stored, and the images of pose %s are deleted', v.id, p.id) as what
    from image_variants v join generated_poses p on p.id = v.pose_id
    where v.status = 'completed' and v.deleted_at is null and p.images_deleted_at is not null
    union all
    select format('variants %s are shown, and pose %s is hidden', r.request_id, p.id)
    from variant_results r join image_variants v on v.id = r.request_id join generated_poses p on p.id = v.pose_id
    where p.delete_after is not null and num_nonnulls(r.normal_url, r.high_quality_url) > 0
    union all
    select format('variants %s are stored, and upload %s is deleted', v.id, u.id)
    from image_variants v join uploads u on u.id = v.upload_id
    where v.status = 'completed' and v.deleted_at is null and u.status = 'deleted'
    union all
    select format('variants %s are stored, and the variants %s that they are made of are deleted', v.id, source.id)
    from image_variants v join image_variants source on source.id = v.variant_id
    where v.status = 'completed' and v.deleted_at is null and source.deleted_at is not null
    union all
    select format('thumbnail %s of pose %s is stored, and its images are deleted', t.size, p.id)
    from thumbnails t join generated_poses p on p.id = t.pose_id where p.images_deleted_at is not null
    union all
    select format('the contact sheet of generation %s shows pose %s, whose images are deleted', g.id, p.id)
    from generations g join objects o on o.id = g.contact_sheet_object
    join generated_poses p on p.generation_id = g.id and p.images_deleted_at > o.created_at
    """,
)

GUARDS = Invariant(
    "guards",
    "every trigger and unique index that the rules above stand on is in force",
    "select 12",
    """
    select format('the trigger %s is missing or disabled', wanted) as what
    from unnest(array['ledger_is_append_only', 'ledger_is_never_emptied', 'a_request_never_changes',
                      'a_request_becomes_a_generation', 'balances_follow', 'adopted_files_are_kept']) wanted
    where not exists (select from pg_trigger where tgname = wanted and tgenabled in ('O', 'A'))
    union all
    select format('the trigger guard_status of %s is missing or disabled', wanted)
    from unnest(array['generations', 'generated_poses']) wanted
    where not exists (select from pg_trigger where tgname = 'guard_status' and tgrelid = to_regclass(wanted)
                      and tgenabled in ('O', 'A'))
    union all
    select format('the unique index %s is missing or invalid', wanted)
    from unnest(array['one_hold_per_generation', 'one_capture_or_release_per_pose', 'one_refund_per_pose',
                      'one_request_per_idempotency_key']) wanted
    where not exists (select from pg_index where indexrelid = to_regclass(wanted) and indisunique and indisvalid)
    """,
)

INVARIANTS = (
    FENCED,
    MADE_ONCE,
    WRITTEN_WHOLE,
    BALANCES,
    HOLDS,
    PAID_AS_MADE,
    SPACE,
    ASKED_ONCE,
    FINAL,
    BOUNDED,
    SWEPT,
    COUNTED,
    CALLED_ONCE,
    DERIVED,
    GUARDS,
)
