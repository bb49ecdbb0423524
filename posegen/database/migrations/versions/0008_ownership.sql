-- Who owns an object, and how much space a user takes: the one definition for quota, report, recount and invariant ---------

create view owned_objects as
    select o.id, o.store, o.key, split_part(o.key, '/', 1) as kind, o.sha256, o.content_type, o.size, o.generation_id,
           coalesce(o.user_id, g.user_id) as owner, o.created_at
    from objects o left join generations g on g.id = o.generation_id;
comment on view owned_objects is 'objects with the user whose space they take; no owner: they take the space of no user';

create view space_by_user as
    select owner as user_id, count(*) as objects, sum(size)::bigint as bytes
    from owned_objects where owner is not null group by owner;
comment on view space_by_user is 'what accounts.storage_used has to be; users without objects have no row';

create or replace function recount_space(of_user uuid, actor text default current_user) returns boolean
language plpgsql as $$
declare
    was accounts;
    used bigint;
    reserved bigint;
begin
    select * into was from accounts where user_id = of_user for update;
    used := coalesce((select s.bytes from space_by_user s where s.user_id = of_user), 0);
    reserved := (select coalesce(sum(storage_reserved), 0) from generations where user_id = of_user);
    if (was.storage_used, was.storage_reserved) = (used, reserved) then
        return false;
    end if;
    update accounts set storage_used = used, storage_reserved = reserved,
        storage_limit = greatest(storage_limit, used + reserved) where user_id = of_user;
    insert into audit_entries (actor, action, subject, detail) values (actor, 'space_recounted', of_user::text,
        jsonb_build_object('used', array[was.storage_used, used], 'reserved', array[was.storage_reserved, reserved]));
    return true;
end $$;

create or replace function remember_deleted_objects() returns trigger language plpgsql as $$
begin
    insert into deleted_objects_by_day as earlier (created_on, deleted_on, store, kind, user_id, objects, bytes)
    select (d.created_at at time zone 'utc')::date, (now() at time zone 'utc')::date, d.store,
           split_part(d.key, '/', 1), coalesce(d.user_id, g.user_id), count(*), sum(d.size)
    from deleted d left join generations g on g.id = d.generation_id
    group by 1, 2, 3, 4, 5
    on conflict (created_on, deleted_on, store, kind, user_id)
        do update set objects = earlier.objects + excluded.objects, bytes = earlier.bytes + excluded.bytes;
    return null;
end $$;

-- Adopted work does not expire, and files that were adopted where they lie are the operator's ------------------------------

alter table generated_poses add column expires boolean not null default true;
comment on column generated_poses.expires is 'false: the clean-up of unused images passes over it, as over adopted work';
update generated_poses set expires = false where library_pose = 'adopted';

drop index generated_poses_that_expire;
create index generated_poses_that_expire on generated_poses (completed_at)
    where status = 'completed' and delete_after is null and not is_favourite and download_count = 0 and expires;

create table adopted_files (
    store      text not null references stores,
    key        text not null,
    pose_id    uuid references generated_poses,
    deletable  boolean not null default false,
    adopted_at timestamptz not null default now(),
    primary key (store, key)
);
create index adopted_files_by_pose on adopted_files (pose_id);
comment on table adopted_files is 'files of the operator that became objects where they lie, and are kept when the objects go';
comment on column adopted_files.deletable is 'the operator has said that the file goes together with its pose';

-- Earlier versions left no note. The name that a file had before is in the recipe: where the key is still that name, the
-- file was not copied. Only the local store registers files where they are; a copy elsewhere is not the operator's.
insert into adopted_files (store, key, pose_id)
select distinct on (o.key) 'local', o.key, p.id
from generated_poses p join objects o on o.id in (p.image_object, p.original_object, p.thumbnail_object)
where p.library_pose = 'adopted' and exists (select from stores where name = 'local')
    and o.key in (p.recipe ->> 'adopted', regexp_replace(p.recipe ->> 'adopted', '\.png$', '_thumb.png'))
order by o.key, p.id;
-- Pictures whose rows are gone and whose files wait to be deleted: no key of Posegen's own lacks the hash.
insert into adopted_files (store, key)
select store, key from doomed_objects
where store = 'local' and deleted_at is null and key like 'poses/%' and key !~ '-[0-9a-f]{12}\.[a-z]+$'
on conflict do nothing;
delete from doomed_objects d using adopted_files f where f.store = d.store and f.key = d.key and d.deleted_at is null;

-- What the clean-up of earlier versions has hidden of adopted work is shown again.
with shown as (
    update generated_poses set delete_after = null, delete_reason = null
    where library_pose = 'adopted' and delete_reason = 'expired' and images_deleted_at is null
    returning generation_id, id
)
insert into audit_entries (actor, action, subject, detail)
select 'posegen, upgrade to 0008', 'images_restored', generation_id::text, jsonb_build_object('poses', array_agg(id order by id))
from shown group by generation_id;

-- Every deletion from a store goes through this list, except of keys that Posegen composes itself: designs, pending uploads.
create function keep_adopted_files() returns trigger language plpgsql as $$
begin
    delete from adopted_files f where f.store = new.store and f.key = new.key and f.deletable;
    if exists (select from adopted_files f where f.store = new.store and f.key = new.key) then
        return null;
    end if;
    return new;
end $$;
create trigger adopted_files_are_kept before insert on doomed_objects
    for each row execute function keep_adopted_files();

-- What is derived goes with its source ------------------------------------------------------------------------------------

alter table uploads drop constraint uploads_status_check,
    add constraint uploads_status_check check (status in ('pending', 'completed', 'rejected', 'expired', 'deleted'));

alter table image_variants
    add column pose_id    uuid references generated_poses,
    add column design_id  uuid references designs,
    add column upload_id  uuid references uploads,
    add column variant_id uuid references image_variants,
    add column deleted_at timestamptz,
    drop constraint completed_variants_have_their_objects,
    add constraint completed_variants_have_their_objects check ((status = 'completed' and deleted_at is null)
        = (normal_object is not null and high_quality_object is not null)),
    add constraint only_completed_variants_are_deleted check (deleted_at is null or status = 'completed'),
    add constraint variants_come_from_one_thing check (num_nonnulls(pose_id, design_id, upload_id) <= 1);
comment on column image_variants.pose_id is 'whose picture, thumbnail or export these are made of, also by way of other variants';
comment on column image_variants.variant_id is 'where the source is a variant itself; what that is made of is in the other columns';
comment on column image_variants.deleted_at is 'since when the files are gone';
create index image_variants_by_pose on image_variants (pose_id) where pose_id is not null and deleted_at is null;
create index image_variants_by_design on image_variants (design_id) where design_id is not null;
create index image_variants_by_upload on image_variants (upload_id) where upload_id is not null and deleted_at is null;
create index image_variants_by_variant on image_variants (variant_id) where variant_id is not null and deleted_at is null;

create view object_sources as
    select image_object as object_id, id as pose_id, null::uuid as design_id, null::uuid as upload_id,
           null::uuid as variant_id, delete_after is null as is_shown
    from generated_poses where image_object is not null
    union all
    select original_object, id, null, null, null, delete_after is null from generated_poses where original_object is not null
    union all
    select thumbnail_object, id, null, null, null, delete_after is null from generated_poses where thumbnail_object is not null
    union all
    select t.object_id, p.id, null, null, null, p.delete_after is null from thumbnails t join generated_poses p on p.id = t.pose_id
    union all
    select e.object_id, p.id, null, null, null, p.delete_after is null
    from exports e join generated_poses p on p.id = e.pose_id where e.object_id is not null
    union all
    select preview_object, null, id, null, null, true from designs where preview_object is not null
    union all
    select thumbnail_object, null, id, null, null, true from designs where thumbnail_object is not null
    union all
    select print_object, null, id, null, null, true from designs where print_object is not null
    union all
    select object_id, null, null, id, null, true from uploads where object_id is not null
    union all
    select v.normal_object, v.pose_id, v.design_id, v.upload_id, v.id, p.delete_after is null
    from image_variants v left join generated_poses p on p.id = v.pose_id where v.normal_object is not null
    union all
    select v.high_quality_object, v.pose_id, v.design_id, v.upload_id, v.id, p.delete_after is null
    from image_variants v left join generated_poses p on p.id = v.pose_id where v.high_quality_object is not null;
comment on view object_sources is 'what a picture belongs to; what is made of the picture is hidden and deleted together with that';

-- What old variants come from: first by the object that their source still names, then by the ids in its key.
do $$
begin
    with meant as (
        select v.id, v.user_id, r.source as key from image_variants v join image_requests r on r.id = v.id
        union
        select v.id, v.user_id, substr(r.source, length(rtrim(s.base_url, '/')) + 2)
        from image_variants v join image_requests r on r.id = v.id
        join stores s on starts_with(r.source, rtrim(s.base_url, '/') || '/')
    ), found as (
        select distinct on (m.id) m.id, f.pose_id, f.design_id, f.upload_id, f.variant_id
        from meant m cross join stores s
        join owned_objects o on o.store = s.name and o.key = m.key and o.owner = m.user_id
        join object_sources f on f.object_id = o.id
        order by m.id, o.id desc, f.is_shown desc
    )
    update image_variants v
    set pose_id = f.pose_id, design_id = f.design_id, upload_id = f.upload_id, variant_id = f.variant_id
    from found f where f.id = v.id and f.variant_id is distinct from v.id;

    with named as (
        select v.id, v.user_id, (regexp_match(r.source,
            '(?:^|/)(poses|thumbnails|exports|uploads|variants)/(?:[a-z0-9_-]+/){0,2}([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-[0-9a-f]{12}\.[a-z]+$'))
            as parts
        from image_variants v join image_requests r on r.id = v.id
        where num_nonnulls(v.pose_id, v.design_id, v.upload_id, v.variant_id) = 0
    )
    update image_variants v set pose_id = p.id, upload_id = u.id, variant_id = w.id
    from named n
    left join (generated_poses p join generations g on g.id = p.generation_id)
        on n.parts[1] in ('poses', 'thumbnails', 'exports') and p.id = n.parts[2]::uuid and g.user_id = n.user_id
    left join uploads u on n.parts[1] = 'uploads' and u.id = n.parts[2]::uuid and u.user_id = n.user_id
    left join image_variants w on n.parts[1] = 'variants' and w.id = n.parts[2]::uuid and w.user_id = n.user_id and w.id <> n.id
    where n.id = v.id and n.parts is not null;

    update image_variants v set design_id = d.id from image_requests r, designs d
    where r.id = v.id and num_nonnulls(v.pose_id, v.design_id, v.upload_id, v.variant_id) = 0 and d.user_id = v.user_id
        and d.folder::text = (regexp_match(r.source, '(?:^|/)designs/([0-9a-f-]{36})/[a-z]+-[0-9a-f]{12}\.png$'))[1];

    -- A folder is never used twice: the design of this one is deleted. The rows of the objects go with the next reconcile pass.
    update image_variants v set normal_object = null, high_quality_object = null, deleted_at = now()
    from (
        select r.id, (regexp_match(r.source, '(?:^|/)designs/([0-9a-f-]{36})/[a-z]+-[0-9a-f]{12}\.png$'))[1] as folder
        from image_requests r
    ) named
    where named.id = v.id and v.status = 'completed' and named.folder is not null
        and num_nonnulls(v.pose_id, v.design_id, v.upload_id, v.variant_id) = 0
        and not exists (select from designs d where d.folder::text = named.folder);

    loop  -- variants of variants have what those are made of
        update image_variants v set pose_id = w.pose_id, design_id = w.design_id, upload_id = w.upload_id
        from image_variants w
        where w.id = v.variant_id and num_nonnulls(v.pose_id, v.design_id, v.upload_id) = 0
            and num_nonnulls(w.pose_id, w.design_id, w.upload_id) = 1;
        exit when not found;
    end loop;
end $$;

-- Rows of objects that nothing else points at, and the objects with them: deleted from the store by the next clean-up.
create function drop_objects(candidates bigint[]) returns table (store text, key text, size bigint) language plpgsql as $$
#variable_conflict use_column
begin
    return query
    with gone as (
        delete from objects o where o.id in (select u.id from unused_among(candidates) u) returning o.store, o.key, o.size
    ), doomed as (
        insert into doomed_objects (store, key, size, reason, due)
        select gone.store, gone.key, gone.size, 'unused', now() from gone order by gone.store, gone.key
        on conflict (store, key) do update set reason = excluded.reason, due = excluded.due, deleted_at = null
    )
    select gone.store, gone.key, gone.size from gone;
end $$;
comment on function drop_objects is 'deletes rows of objects that nothing points at, and dooms the objects; returns these';

-- Level by level: a variant is completed under a lock on what it is made of, so the next statement sees all there are.
create function drop_variants(requests uuid[]) returns table (store text, key text, size bigint) language plpgsql as $$
#variable_conflict use_column
declare
    level uuid[] := requests;
    files bigint[] := '{}';
    found_files bigint[];
begin
    loop
        select array_agg(v.id), array_agg(v.normal_object) || array_agg(v.high_quality_object) into level, found_files
        from (select id, normal_object, high_quality_object from image_variants
              where id = any(level) and status = 'completed' and deleted_at is null order by id for update) v;
        exit when level is null;
        files := files || found_files;
        update image_variants set normal_object = null, high_quality_object = null, deleted_at = now() where id = any(level);
        level := array(select id from image_variants where variant_id = any(level));
    end loop;
    return query select d.store, d.key, d.size from drop_objects(files) d;
end $$;
comment on function drop_variants is 'deletes completed variants and what was made of them; returns their objects';

create function delete_variants(requests uuid[], actor text default current_user) returns integer language plpgsql as $$
declare
    chosen uuid[];
begin
    chosen := array(select id from image_variants where id = any(requests) and status = 'completed' and deleted_at is null
                    order by id for update);
    perform drop_variants(chosen);
    insert into audit_entries (actor, action, subject) select actor, 'variants_deleted', id::text from unnest(chosen) id;
    return cardinality(chosen);
end $$;
comment on function delete_variants is 'deletes variants, and what was made of them, for good; returns how many of these there were';

create function delete_upload(upload uuid, actor text default current_user) returns boolean language plpgsql as $$
declare
    was uploads;
begin
    select * into was from uploads where id = upload and status in ('pending', 'completed') for update;
    if not found then
        return false;
    end if;
    update uploads set status = 'deleted', object_id = null, finished_at = now() where id = upload;
    perform drop_variants(array(select id from image_variants where upload_id = upload));
    perform drop_objects(array[was.object_id]);
    -- What the client may have put, or puts until its URL expires, is no object of ours.
    if was.status = 'pending' then
        insert into doomed_objects (store, key, size, reason, due)
        values (was.store, was.key, was.size, 'orphan', greatest(now(), was.expires_at)) on conflict do nothing;
    end if;
    insert into audit_entries (actor, action, subject) values (actor, 'upload_deleted', upload::text);
    return true;
end $$;
comment on function delete_upload is 'deletes an upload with its variants for good; true when there was one';

create function drop_variants_of_design() returns trigger language plpgsql as $$
begin
    perform drop_variants(array(select id from image_variants where design_id = old.id));
    update image_variants set design_id = null where design_id = old.id;
    return old;
end $$;
create trigger a_deleted_design_leaves_no_variants before delete on designs
    for each row execute function drop_variants_of_design();

-- Hidden as long as the picture is hidden that they are made of; restored with it.
create or replace view variant_results as
    select v.id as request_id, v.user_id, r.tool, r.source, v.status, v.error_code, v.error_detail,
           normal.url as normal_url, high.url as high_quality_url, v.width, v.height, normal.size as normal_bytes,
           high.size as high_quality_bytes, r.created_at, v.finished_at, v.deleted_at
    from image_variants v
    join image_requests r on r.id = v.id
    left join generated_poses p on p.id = v.pose_id
    left join object_urls normal on normal.id = v.normal_object and p.delete_after is null
    left join object_urls high on high.id = v.high_quality_object and p.delete_after is null;

-- The doors to deletion ---------------------------------------------------------------------------------------------------

create or replace function delete_images(poses uuid[], actor text default current_user, grace interval default '24 hours')
returns integer language plpgsql as $$
declare
    changed record;
    total integer := 0;
begin
    if grace is null or grace < interval '0' or grace > interval '3650 days' then
        raise exception 'a grace of % is refused: name one of 0 or more, and of 3650 days at most', coalesce(grace::text, 'NULL')
            using errcode = 'check_violation';
    end if;
    for changed in
        with hidden as (
            update generated_poses p set delete_after = now() + grace, delete_reason = 'asked'
            from generations g
            where p.id = any(poses) and g.id = p.generation_id and g.finished_at is not null
                and p.status = 'completed' and (p.delete_after is null or p.delete_reason = 'expired')
                and p.images_deleted_at is null
            returning p.generation_id, p.id
        )
        select generation_id, count(*)::integer as number, array_agg(id order by id) as ids
        from hidden group by generation_id order by generation_id
    loop
        perform record_event(changed.generation_id, 'images_deleted',
            jsonb_build_object('poses', changed.number, 'actor', actor, 'until', now() + grace));
        insert into audit_entries (actor, action, subject, detail) values (actor, 'images_deleted',
            changed.generation_id::text, jsonb_build_object('poses', changed.ids, 'until', now() + grace));
        total := total + changed.number;
    end loop;
    return total;
end $$;

create or replace function restore_images(poses uuid[], actor text default current_user) returns integer language plpgsql as $$
declare
    changed record;
    total integer := 0;
begin
    for changed in
        with shown as (
            update generated_poses p set delete_after = null, delete_reason = null
            where p.id = any(poses) and p.delete_after is not null and p.images_deleted_at is null
            returning p.generation_id, p.id
        ), kept as (
            update adopted_files f set deletable = false from shown where f.pose_id = shown.id
        )
        select generation_id, count(*)::integer as number, array_agg(id order by id) as ids
        from shown group by generation_id order by generation_id
    loop
        perform record_event(changed.generation_id, 'images_restored',
            jsonb_build_object('poses', changed.number, 'actor', actor));
        insert into audit_entries (actor, action, subject, detail) values (actor, 'images_restored',
            changed.generation_id::text, jsonb_build_object('poses', changed.ids));
        total := total + changed.number;
    end loop;
    return total;
end $$;

-- The sheet of the library had no row that named it: the next reconcile pass took it for unused.
create table library_sheet (
    the_only_one boolean primary key default true check (the_only_one),
    object_id    bigint not null references objects
);
comment on table library_sheet is 'the contact sheet of the library''s control maps, as it was drawn last';

do $$
declare
    door text;
begin
    foreach door in array array[
        'delete_images(uuid[], text, interval)', 'restore_images(uuid[], text)', 'recount_space(uuid, text)',
        'delete_variants(uuid[], text)', 'delete_upload(uuid, text)', 'drop_variants_of_design()'
    ] loop
        execute format('alter function %s security definer set search_path = %I, pg_temp', door, current_schema());
    end loop;
end $$;
revoke execute on function drop_objects, drop_variants, delete_variants, delete_upload, drop_variants_of_design, keep_adopted_files
    from public;
