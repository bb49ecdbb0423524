-- An object that is moved has a row in both stores; this keeps one of them.
create or replace function merge_objects(gone bigint, stays bigint) returns void language plpgsql as $$
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
revoke execute on function merge_objects from public;
