-- Images go in two steps: hidden at once, deleted after a time of grace in which they can be had back ----------------------

alter table generated_poses
    add column delete_after      timestamptz,
    add column delete_reason     text check (delete_reason in ('asked', 'expired')),
    add column images_deleted_at timestamptz,
    add constraint what_is_to_be_deleted_has_its_reason check ((delete_after is null) = (delete_reason is null)),
    add constraint what_is_deleted_was_to_be_deleted check (images_deleted_at is null or delete_after is not null),
    drop constraint a_completed_pose_has_its_objects,
    add constraint a_completed_pose_has_its_objects check (status <> 'completed' or (
        recipe_hash is not null and completed_at is not null and (images_deleted_at is not null or (
            image_object is not null and original_object is not null and thumbnail_object is not null)))),
    add constraint deleted_images_have_no_objects check (images_deleted_at is null or (
        image_object is null and original_object is null and thumbnail_object is null));
comment on column generated_poses.delete_after is 'the images are hidden, and are deleted then; restore_images() before takes it back';
comment on column generated_poses.images_deleted_at is 'from then on the row is what is left of the pose: no image, recipe or keypoints';

create index generated_poses_to_delete on generated_poses (delete_after)
    where delete_after is not null and images_deleted_at is null;
create index generated_poses_that_expire on generated_poses (completed_at)
    where status = 'completed' and delete_after is null and not is_favourite and download_count = 0;

alter table exports
    add column size       bigint check (size >= 0),
    add column deleted_at timestamptz,
    drop constraint a_completed_export_has_its_object,
    add constraint a_completed_export_has_its_object
        check ((status = 'completed' and deleted_at is null) = (object_id is not null)),
    add constraint only_a_completed_export_is_deleted check (deleted_at is null or status = 'completed');
update exports e set size = o.size from objects o where o.id = e.object_id;
alter table exports add constraint a_completed_export_has_its_size check (status <> 'completed' or size is not null);
comment on column exports.size is 'bytes; known also when the file is deleted';

-- Thumbnails of further sizes ------------------------------------------------------------------------------------------

create table thumbnails (
    pose_id   uuid not null references generated_poses on delete cascade,
    size      text not null check (size ~ '^[1-9][0-9]{1,3}\.(webp|png)$'),
    object_id bigint not null references objects,
    primary key (pose_id, size)
);
create index thumbnails_by_object on thumbnails (object_id);
comment on table thumbnails is 'of the sizes that POSEGEN_THUMBNAILS names after the first, which generated_poses has';

-- Work that ended some days ago leaves its rows, and nothing else: no events, no partition, no runs -----------------------

alter table generations add column retired_at timestamptz,
    add constraint only_what_has_ended_is_retired check (retired_at is null or finished_at is not null);
comment on column generations.retired_at is 'when its events, its partition and its runs were dropped';
create index generations_to_retire on generations (finished_at) where finished_at is not null and retired_at is null;

alter table designs add column retired_at timestamptz;
comment on column designs.retired_at is 'when its partition and its runs were dropped';
create index designs_to_retire on designs (finished_at) where finished_at is not null and retired_at is null;

-- What is retired has no events any more, and gets none: the ledger and the audit tell what was done to it later.
create or replace function record_event(of_generation uuid, kind text, detail jsonb default '{}') returns integer
language plpgsql as $$
declare
    next_sequence integer;
begin
    update generations set last_event = last_event + 1 where id = of_generation and retired_at is null
        returning last_event into next_sequence;
    if found then
        insert into events (generation_id, sequence, kind, detail) values (of_generation, next_sequence, kind, detail);
    elsif not exists (select from generations where id = of_generation) then
        raise exception 'there is no generation %', of_generation using errcode = 'foreign_key_violation';
    end if;
    return next_sequence;
end $$;

-- The latest requests are what people ask for most.
create index generation_requests_by_time on generation_requests (created_at desc, id);

-- Who did what -------------------------------------------------------------------------------------------------------

create table audit_entries (
    id         bigint generated always as identity primary key,
    actor      text not null check (length(actor) between 1 and 200),
    action     text not null check (action ~ '^[a-z][a-z_]{0,62}$'),
    subject    text not null check (length(subject) <= 500),
    detail     jsonb not null default '{}' check (jsonb_typeof(detail) = 'object'),
    created_at timestamptz not null default now()
);
create index audit_entries_by_time on audit_entries (created_at, id);
create index audit_entries_by_subject on audit_entries (subject);
comment on table audit_entries is 'what people and upkeep did beside the ledger; append-only. audit_trail shows both';

create trigger the_audit_is_append_only before update or delete on audit_entries
    for each row execute function refuse_change();
create trigger the_audit_is_never_emptied before truncate on audit_entries
    for each statement execute function refuse_change();

create view audit_trail as
    select created_at, actor, action, subject, detail from audit_entries
    union all
    select l.created_at, l.actor, case l.kind when 'grant' then 'credits_granted' else 'credits_refunded' end,
           coalesce(l.generation_id, l.user_id)::text,
           jsonb_strip_nulls(jsonb_build_object('user', l.user_id, 'pose', l.pose_id, 'credits', l.amount, 'reason', l.reason))
    from ledger_entries l where l.kind in ('grant', 'refund');
comment on view audit_trail is 'who did what: deletions, restores, settings, grants and refunds';

-- The doors to deletion ----------------------------------------------------------------------------------------------

create function delete_images(poses uuid[], actor text default current_user, grace interval default '24 hours')
returns integer language plpgsql as $$
declare
    changed record;
    total integer := 0;
begin
    if grace < interval '0' then
        raise exception 'a grace of % is in the past: name one of 0 or more', grace using errcode = 'check_violation';
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
comment on function delete_images is
    'hides the images of completed poses at once and deletes them after the grace; answers how many poses';

create function restore_images(poses uuid[], actor text default current_user) returns integer language plpgsql as $$
declare
    changed record;
    total integer := 0;
begin
    for changed in
        with shown as (
            update generated_poses p set delete_after = null, delete_reason = null
            where p.id = any(poses) and p.delete_after is not null and p.images_deleted_at is null
            returning p.generation_id, p.id
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
comment on function restore_images is 'takes delete_images back, as long as the images are there; answers how many poses';

create or replace function set_favourite(pose uuid, favourite boolean) returns boolean language sql
security definer as $$
    update generated_poses set is_favourite = favourite
    where id = pose and status = 'completed' and delete_after is null returning true;
$$;

create or replace function record_download(pose uuid, format text default null) returns integer language plpgsql
security definer as $$
declare
    downloads integer;
begin
    if format is not null and not exists (
        select from exports e where e.pose_id = pose and e.format = record_download.format and e.status = 'completed') then
        return null;
    end if;
    update generated_poses set download_count = download_count + 1, last_downloaded_at = now()
    where id = pose and status = 'completed' and delete_after is null returning download_count into downloads;
    return downloads;
end $$;

-- Whoever stores or deletes changes the account in the same transaction; with the account locked, what is counted is all
-- there is. A limit that turns out to be exceeded is raised to what is used: nothing can be taken back.
create function recount_space(of_user uuid, actor text default current_user) returns boolean language plpgsql as $$
declare
    was accounts;
    used bigint;
    reserved bigint;
begin
    select * into was from accounts where user_id = of_user for update;
    used := (select coalesce(sum(size), 0) from objects o left join generations g on g.id = o.generation_id
             where coalesce(o.user_id, g.user_id) = of_user);
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
comment on function recount_space is 'sets used and reserved space to what the objects and generations say; true when it was wrong';

-- Which of these rows of `objects` nothing points at: asked of the catalogue, as unused_objects() does for all of them.
create function unused_among(candidates bigint[]) returns setof objects language plpgsql stable as $$
declare
    nowhere text;
begin
    select string_agg(format('not exists (select from %s r where r.%I = o.id)', c.conrelid::regclass, a.attname), ' and ')
    into nowhere
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and c.confrelid = 'objects'::regclass;
    return query execute format('select o.* from objects o where o.id = any($1) and %s', nowhere) using candidates;
end $$;

-- A picture that is to be deleted is shown to nobody.
create or replace view pose_results as
    select p.id as pose_id, p.generation_id, g.user_id, g.project_id, p.position, p.library_pose, l.name as pose_name,
           l.category, p.variation, p.status, p.error_code, c.customer_message as error_message, p.error_detail,
           image.url as image_url, thumbnail.url as thumbnail_url, original.url as original_url,
           coalesce((select jsonb_object_agg(e.format, u.url) from exports e join object_urls u on u.id = e.object_id
                     where e.pose_id = p.id and e.status = 'completed' and p.delete_after is null), '{}') as exports,
           p.prompt_used, p.seed as seed_used, p.control_weight, p.backend,
           p.generation_ms / 1000.0 as generation_seconds, g.status as generation_status,
           g.poses_completed, g.poses_total, p.price as credits, p.is_favourite, p.download_count,
           p.created_at, p.completed_at, p.delete_after, p.images_deleted_at,
           coalesce((select jsonb_object_agg(t.size, u.url) from thumbnails t join object_urls u on u.id = t.object_id
                     where t.pose_id = p.id and p.delete_after is null), '{}') as thumbnails
    from generated_poses p
    join generations g on g.id = p.generation_id
    join library_poses l on l.slug = p.library_pose
    left join error_codes c on c.code = p.error_code
    left join object_urls image on image.id = p.image_object and p.delete_after is null
    left join object_urls thumbnail on thumbnail.id = p.thumbnail_object and p.delete_after is null
    left join object_urls original on original.id = p.original_object and p.delete_after is null;

do $$
declare
    door text;
begin
    foreach door in array array[
        'delete_images(uuid[], text, interval)', 'restore_images(uuid[], text)',
        'set_favourite(uuid, boolean)', 'record_download(uuid, text)', 'recount_space(uuid, text)'
    ] loop
        execute format('alter function %s security definer set search_path = %I, pg_temp', door, current_schema());
    end loop;
end $$;
revoke execute on function delete_images, restore_images, recount_space, unused_among from public;
