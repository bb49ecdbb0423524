-- Rows of `objects` that no row references. The catalogue tells which columns reference them, so no table is forgotten.
create or replace function unused_objects(made_before timestamptz, behind bigint, most integer) returns setof objects
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
revoke execute on function unused_objects from public;
