-- Deletes rows of objects that no row references; the next clean-up deletes the objects from the store.
create or replace function drop_objects(candidates bigint[]) returns table (store text, key text, size bigint) language plpgsql as $$
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
comment on function drop_objects is 'deletes rows of objects that no row references, and dooms the objects; returns the objects';
revoke execute on function drop_objects from public;
