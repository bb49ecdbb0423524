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
revoke execute on function remember_deleted_objects from public;
