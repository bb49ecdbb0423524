-- What reports count -----------------------------------------------------------------------------------------------

alter table generated_poses add column store_ms integer check (store_ms >= 0);
alter table exports add column export_ms integer check (export_ms >= 0);
comment on column generated_poses.store_ms is 'milliseconds to store and verify the image and its thumbnail';
comment on column exports.export_ms is 'milliseconds to derive and store this export';

create index generations_by_end on generations (finished_at) where finished_at is not null;
create index ledger_entries_by_time on ledger_entries (created_at);
create index objects_by_time on objects (created_at);

create table store_traffic (
    store      text not null references stores,
    day        date not null,
    operation  text not null check (operation in ('write', 'read', 'skipped', 'delete')),
    operations bigint not null check (operations >= 0),
    bytes      bigint not null check (bytes >= 0),
    primary key (store, day, operation)
);
comment on table store_traffic is 'what stores were asked for on each UTC day; skipped: it was there already';

create table deleted_objects_by_day (
    created_on date not null,
    deleted_on date not null,
    store      text not null references stores,
    kind       text not null,
    user_id    uuid,
    objects    bigint not null check (objects > 0),
    bytes      bigint not null check (bytes >= 0)
);
create unique index one_row_for_what_was_deleted_alike on deleted_objects_by_day
    (created_on, deleted_on, store, kind, user_id) nulls not distinct;
comment on table deleted_objects_by_day is 'so that what was stored on a past day stays known; kind: first folder of the key';

create function remember_deleted_objects() returns trigger language plpgsql as $$
begin
    insert into deleted_objects_by_day as earlier (created_on, deleted_on, store, kind, user_id, objects, bytes)
    select (d.created_at at time zone 'utc')::date, (now() at time zone 'utc')::date, d.store,
           split_part(d.key, '/', 1), g.user_id, count(*), sum(d.size)
    from deleted d left join generations g on g.id = d.generation_id
    group by 1, 2, 3, 4, 5
    on conflict (created_on, deleted_on, store, kind, user_id)
        do update set objects = earlier.objects + excluded.objects, bytes = earlier.bytes + excluded.bytes;
    return null;
end $$;
create trigger deleted_objects_are_remembered after delete on objects
    referencing old table as deleted for each statement execute function remember_deleted_objects();
revoke execute on function remember_deleted_objects from public;
