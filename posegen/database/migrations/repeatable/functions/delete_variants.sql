create or replace function delete_variants(requests uuid[], actor text default current_user) returns integer language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    chosen uuid[];
begin
    chosen := array(select id from image_variants where id = any(requests) and status = 'completed' and deleted_at is null
                    order by id for update);
    perform drop_variants(chosen);
    insert into audit_entries (actor, action, subject) select actor, 'variants_deleted', id::text from unnest(chosen) id;
    return cardinality(chosen);
end $$;
comment on function delete_variants is 'deletes variants, and the variants made of them, for good; returns how many of the given ones existed';
revoke execute on function delete_variants from public;
