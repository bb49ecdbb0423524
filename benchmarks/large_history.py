"""A year of work in a database, made with SQL in minutes: a million generations with five poses of two exports each.

As a platform leaves it that has been cleaned up: images of the last 90 days and of the ten before, which are to be
deleted; events of the last 7 days. The rows are written past every trigger, table by table, and indexed afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psycopg
from rich.progress import track

POSES = 5
FORMATS = ("instagram_post", "tiktok")
DAYS = 365
KEPT_DAYS = 100
TRACED_DAYS = 7
USERS = 2_000

# One line for each generation: when it was asked for, by whom, and how it ended. Everything else follows from it.
_PLAN = """
create temp table plan as
select n, md5('generation ' || n)::uuid as id, u.id as user_id,
       date_trunc('second', now()) - make_interval(secs => (%(generations)s - n) * %(days)s * 86400.0 / %(generations)s)
           - interval '10 minutes' as asked,
       case when n % 50 = 7 then 'failed' when n % 33 = 5 then 'partial' when n % 100 = 9 then 'cancelled'
            else 'completed' end as status,
       4 + n % 40 as took
from generate_series(1, %(generations)s) n
join (select id, row_number() over () - 1 as number from users) u
    on u.number = case when n % 3 = 0 and n > %(generations)s - 3 * %(of_one)s then 0
                       else (n * 7919::bigint) % %(users)s end;
create index on plan (id);
analyze plan;
"""

_STEPS = {
    "users": """
        insert into users (id, name, created_at)
        select md5('user ' || n)::uuid, 'user ' || n, now() - interval '400 days' from generate_series(1, %(users)s) n;
        insert into accounts (user_id, credits_granted, credits_available, storage_limit)
        select id, 100000000, 100000000, 1000000000000000 from users;
    """,
    "plan": _PLAN,
    "requests": """
        insert into generation_requests (id, user_id, poses, formats, seed, created_at)
        select id, user_id, '{star-jump}', %(formats)s, n, asked from plan
    """,
    "generations": """
        insert into generations (id, user_id, status, error_code, formats, backend, poses_total, poses_completed,
            poses_failed, priority, turn, dispatch, token, attempts, last_event, submitted_at, queued_at, started_at,
            progressed_at, finished_at, retired_at)
        select id, user_id, status,
               case status when 'failed' then 'backend_rejected' when 'partial' then 'image_invalid'
                   when 'cancelled' then 'cancelled' end,
               %(formats)s, 'mannequin', %(poses)s,
               case status when 'failed' then 0 when 'cancelled' then 2 when 'partial' then %(poses)s - 1
                   else %(poses)s end,
               case status when 'failed' then %(poses)s when 'partial' then 1 else 0 end,
               0, n, 1, 1, 0, 9, asked, asked + interval '50 ms', asked + interval '1.5 s',
               asked + make_interval(secs => took), asked + make_interval(secs => took),
               case when asked < now() - make_interval(days => %(traced)s) then asked + interval '7 days' end
        from plan
    """,
    "poses": """
        insert into generated_poses (id, generation_id, user_id, position, library_pose, variation, seed, prompt_used,
            control_weight, backend, price, status, error_code, recipe, recipe_hash, keypoints, image_object,
            original_object, thumbnail_object, render_ms, store_ms, generation_ms, is_favourite, download_count,
            created_at, completed_at, delete_after, delete_reason, images_deleted_at, perceptual_hash, brightness,
            contrast, sharpness, noise)
        select md5('pose ' || n || ' ' || p)::uuid, plan.id, plan.user_id, p, l.slug, 0, n %% 4294967296, 'a person', 1,
               'mannequin', 30, s.status, case s.status when 'failed' then 'image_invalid' end,
               case when s.kept then '{"backend": "mannequin", "pose": "star-jump", "seed": 7}'::jsonb end,
               case when s.made then repeat('0', 64) end, null, s.image, s.image, s.image + 1,
               case when s.made then 60 + n %% 40 end, case when s.made then 8 end, case when s.made then 110 end,
               s.made and n %% 40 = 3, case when s.made and n %% 7 = 1 then 1 else 0 end, asked,
               case when s.made then asked + make_interval(secs => 2 + p) end,
               case when s.gone then asked + interval '91 days' end, case when s.gone then 'expired' end,
               case when s.gone then asked + interval '91 days' end,
               case when s.kept then decode(repeat('80', 1024), 'hex') end,
               case when s.kept then 150 end, case when s.kept then 60 end, case when s.kept then 1 end,
               case when s.kept then 1 end
        from plan cross join generate_series(0, %(poses)s - 1) p
        join (select slug, row_number() over (order by slug) - 1 as number from library_poses) l
            on l.number = (n + p * 13) %% 64
        cross join lateral (
            select *, st = 'completed' as made, st as status, st = 'completed' and recent as kept,
                   st = 'completed' and not recent as gone,
                   case when st = 'completed' and recent then (n * %(poses)s + p) * 4 end as image
            from (select case when plan.status = 'completed' then 'completed' when plan.status = 'failed' then 'failed'
                              when plan.status = 'partial' then case when p = 0 then 'failed' else 'completed' end
                              else case when p < 2 then 'completed' else 'cancelled' end end as st,
                         asked > now() - make_interval(days => %(kept)s) as recent) inner_state
        ) s
    """,
    "objects": """
        insert into objects (id, store, key, sha256, crc32, size, content_type, generation_id, created_at)
        overriding system value
        select image_object + o.number, 'local',
               o.folder || '/' || p.generation_id || '/' || p.id || '-' || o.number || o.suffix,
               md5(p.id::text || o.number) || md5(o.number || p.id::text), 1, o.size + p.render_ms * 100,
               o.content_type, p.generation_id, p.completed_at
        from generated_poses p
        cross join (values (0, 'poses', '.png', 900000, 'image/png'), (1, 'thumbnails', '.webp', 6000, 'image/webp'),
                           (2, 'exports', '.jpg', 180000, 'image/jpeg'), (3, 'exports', '.jpg', 240000, 'image/jpeg'))
            o(number, folder, suffix, size, content_type)
        where p.image_object is not null
    """,
    "exports": """
        insert into exports (pose_id, user_id, format, status, object_id, width, height, size, export_ms, created_at,
            fit, deleted_at)
        select p.id, p.user_id, f.format, 'completed', p.image_object + 1 + f.number, 1080, 1080, 200000,
               20 + (p.seed %% 30)::integer, p.completed_at + interval '1 s', 'cover', p.images_deleted_at
        from generated_poses p cross join unnest(%(formats)s::text[]) with ordinality f(format, number)
        where p.status = 'completed'
    """,
    "holds": """
        insert into holds (generation_id, user_id, amount, captured, released)
        select id, user_id, %(poses)s * 30, poses_completed * 30, (%(poses)s - poses_completed) * 30 from generations
    """,
    "ledger": """
        insert into ledger_entries (kind, user_id, source, target, amount, generation_id, pose_id, reason, actor,
            created_at)
        select 'hold', user_id, 'available', 'held', %(poses)s * 30, id, null, 'generation accepted', 'posegen',
               queued_at
        from generations
        union all
        select case p.status when 'completed' then 'capture' else 'release' end, g.user_id, 'held',
               case p.status when 'completed' then 'spent' else 'available' end, 30, g.id, p.id, 'pose ended',
               'posegen', coalesce(p.completed_at, g.finished_at)
        from generated_poses p join generations g on g.id = p.generation_id
    """,
    "deleted objects": """
        insert into deleted_objects_by_day (created_on, deleted_on, store, kind, user_id, objects, bytes)
        select (p.completed_at at time zone 'utc')::date, (p.images_deleted_at at time zone 'utc')::date, 'local',
               k.kind, g.user_id, count(*) * k.files, sum(k.size) * k.files
        from generated_poses p join generations g on g.id = p.generation_id
        cross join (values ('poses', 900000, 1), ('thumbnails', 6000, 1), ('exports', 200000, 2)) k(kind, size, files)
        where p.images_deleted_at is not null group by 1, 2, k.kind, g.user_id, k.files
    """,
    "events": """
        insert into events (generation_id, user_id, sequence, kind, detail, created_at)
        select g.id, g.user_id, e.sequence, e.kind, '{"token": 1}', g.submitted_at + make_interval(secs => e.sequence)
        from generations g cross join (values (1, 'submitted'), (2, 'queued'), (3, 'dispatched'), (4, 'started'),
            (5, 'pose_completed'), (6, 'pose_completed'), (7, 'exports_stored'), (8, 'exports_stored'),
            (9, 'completed')) e(sequence, kind)
        where g.retired_at is null
    """,
    "balances": """
        update accounts a set storage_used = o.used, credits_available = 100000000 - l.spent, credits_spent = l.spent
        from (select g.user_id, sum(o.size) as used
              from objects o join generations g on g.id = o.generation_id group by 1) o,
             (select user_id, sum(amount) filter (where kind = 'capture') as spent from ledger_entries group by 1) l
        where o.user_id = a.user_id and l.user_id = a.user_id;
        select setval(pg_get_serial_sequence('objects', 'id'), (select max(id) from objects));
    """,
}
_BARE = (
    "generation_requests",
    "generations",
    "generated_poses",
    "objects",
    "exports",
    "ledger_entries",
    "events",
    "holds",
)


@dataclass(frozen=True)
class LargeHistory:
    """How much was written."""

    generations: int
    poses: int
    exports: int
    objects: int


def write_history(
    url: str,
    generations: int,
    *,
    of_one: int = 0,
    formats: Sequence[str] = FORMATS,
    kept_days: int = KEPT_DAYS,
    leave_out: Collection[str] = (),
) -> LargeHistory:
    """Fill a prepared, empty database; its owner must be a superuser.

    Args:
        url: of the database.
        generations: how many.
        of_one: of the latest, so many more belong to one user.
        formats: of the exports.
        kept_days: how long images are kept.
        leave_out: steps whose rows nothing looks at.
    """
    values = {
        "generations": generations, "users": min(USERS, generations), "days": DAYS, "poses": POSES, "kept": kept_days,
        "traced": TRACED_DAYS, "formats": list(formats), "of_one": of_one,
    }  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set synchronous_commit = off")
        connection.execute("set maintenance_work_mem = '1GB'")
        connection.execute("set work_mem = '256MB'")
        indexes = _take_indexes(connection)
        for what in track([each for each in _STEPS if each not in leave_out], "Writing a year of work"):
            _execute(connection, _STEPS[what], values)
        for definition in track(indexes, "Indexing it"):
            connection.execute(definition)
        connection.execute("vacuum (analyze)")
        counted = connection.execute(
            """
            select (select count(*) from generations), (select count(*) from generated_poses),
                   (select count(*) from exports), (select count(*) from objects)
            """
        ).fetchone()
    assert counted is not None
    return LargeHistory(*counted)


def _execute(connection: psycopg.Connection, statements: str, values: dict[str, object]) -> None:
    """Several statements, with values in their text: only one could take parameters."""
    text = statements
    for name, value in values.items():
        written = f"'{{{','.join(value)}}}'::text[]" if isinstance(value, list) else str(value)
        text = text.replace(f"%({name})s", written)
    connection.execute(text.replace("%%", "%").encode())


def _take_indexes(connection: psycopg.Connection) -> list[str]:
    """Drop the indexes of the large tables that no constraint needs; answers what makes them again."""
    found = connection.execute(
        """
        select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index i
        where i.indrelid = any(%s::regclass[]) and not exists (
            select from pg_constraint c where c.conindid = i.indexrelid)
        """,
        [list(_BARE)],
    ).fetchall()
    for name, _ in found:
        connection.execute(f"drop index {name}".encode())
    return [definition for _, definition in found]
