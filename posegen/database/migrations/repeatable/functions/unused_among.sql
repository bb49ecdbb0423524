-- Those of these rows of `objects` that no row references, by the same rule as unused_objects().
create or replace function unused_among(candidates bigint[]) returns setof objects language plpgsql stable as $$
declare
    nowhere text;
begin
    select string_agg(format('not exists (select from %s r where r.%I = o.id)', c.conrelid::regclass, a.attname), ' and ')
    into nowhere
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and c.confrelid = 'objects'::regclass;
    return query execute format('select o.* from objects o where o.id = any($1) and %s', nowhere) using candidates;
end $$;
revoke execute on function unused_among from public;
