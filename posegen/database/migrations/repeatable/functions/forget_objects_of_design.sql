-- The rows are deleted first and the bytes later, so that no design exists without its objects.
create or replace function forget_objects_of_design() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    with gone as (
        delete from objects where id in (old.preview_object, old.thumbnail_object, old.print_object) returning store, key
    )
    insert into deleted_designs (design_id, store, keys) select old.id, store, array_agg(key) from gone group by store;
    if not found then
        insert into deleted_designs (design_id) values (old.id);
    end if;
    perform pg_notify('posegen_design_requests', '');
    return null;
end $$;
revoke execute on function forget_objects_of_design from public;
