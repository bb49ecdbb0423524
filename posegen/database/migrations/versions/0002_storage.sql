-- Storage: uploads by clients, moves between stores, objects that are to be deleted --

-- Which stores there are, and that each is the one that this database has been writing to --

alter table stores alter column base_url drop not null;
comment on column stores.base_url is 'what public URLs begin with; null for a store that shows nothing to the public';
alter table stores add column identity uuid not null default gen_random_uuid();
alter table stores add column marked_at timestamptz;
comment on column stores.identity is 'what the marker object in the store says; another one there is another database''s';
comment on column stores.marked_at is 'when the marker was first seen there; from then on the store is refused without it';

-- Moves between stores, and what is to be deleted from one ------------------------------------------------------------

create index objects_by_store on objects (store, id);
create index generations_by_contact_sheet on generations (contact_sheet_object) where contact_sheet_object is not null;
create index control_maps_by_object on control_maps (object_id);

create table doomed_objects (
    store      text not null references stores,
    key        text not null,
    size       bigint not null check (size >= 0),
    reason     text not null check (reason in ('moved', 'orphan', 'unused')),
    due        timestamptz not null,
    deleted_at timestamptz,
    primary key (store, key)
);
create index doomed_objects_due on doomed_objects (due) where deleted_at is null;
comment on table doomed_objects is 'objects without a row, and from when they may go; a new row for one takes it off the list';
comment on column doomed_objects.deleted_at is 'kept for some days: whoever found the object there just before has to put it again';

-- Which rows of `objects` nothing points at: asked of the catalogue, so that no table can be forgotten.
create function unused_objects(made_before timestamptz, behind bigint, most integer) returns setof objects
language plpgsql stable as $$
declare
    nowhere text;
begin
    select string_agg(format('not exists (select from %s r where r.%I = o.id)', c.conrelid::regclass, a.attname), ' and ')
    into nowhere
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and c.confrelid = 'objects'::regclass;
    return query execute format(
        'select o.* from objects o where o.id > $2 and o.created_at < $1 and %s order by o.id limit $3', nowhere
    ) using made_before, behind, most;
end $$;

-- Two rows for one object, in the store that it is moved to and in the one that it comes from: one of them stays.
create function merge_objects(gone bigint, stays bigint) returns void language plpgsql as $$
declare
    reference record;
begin
    for reference in
        select c.conrelid::regclass as of_table, a.attname as column
        from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        where c.contype = 'f' and c.confrelid = 'objects'::regclass
    loop
        execute format('update %1$s set %2$I = $1 where %2$I = $2', reference.of_table, reference.column)
            using stays, gone;
    end loop;
    delete from objects where id = gone;
end $$;
revoke execute on function unused_objects, merge_objects from public;

-- Uploads by clients: pictures of their own, such as avatars and reference pictures ----------------------------------

create table uploads (
    id           uuid primary key default gen_random_uuid(),
    user_id      uuid not null references users,
    content_type text not null check (content_type in ('image/png', 'image/jpeg', 'image/webp')),
    size         bigint not null constraint upload_size_in_range check (size between 1 and 10485760),
    store        text not null references stores,
    key          text not null,
    status       text not null default 'pending' check (status in ('pending', 'completed', 'rejected', 'expired')),
    error_detail text,
    object_id    bigint references objects,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    finished_at  timestamptz,
    constraint a_completed_upload_has_its_object check ((status = 'completed') = (object_id is not null)),
    constraint an_ended_upload_has_its_time check ((status = 'pending') = (finished_at is null))
);
create index uploads_pending on uploads (expires_at) where status = 'pending';
create index uploads_by_object on uploads (object_id) where object_id is not null;
comment on table uploads is 'what clients were allowed to put into a store, and what became of it';
comment on column uploads.key is 'where the client puts it; what is kept is written anew under a key of its own';
