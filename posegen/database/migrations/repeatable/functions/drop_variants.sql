-- Level by level: a variant is completed under a lock on its source, so the next statement sees every variant of it.
create or replace function drop_variants(requests uuid[]) returns table (store text, key text, size bigint) language plpgsql as $$
#variable_conflict use_column
declare
    level uuid[] := requests;
    files bigint[] := '{}';
    found_files bigint[];
begin
    loop
        select array_agg(v.id), array_agg(v.normal_object) || array_agg(v.high_quality_object) into level, found_files
        from (select id, normal_object, high_quality_object from image_variants
              where id = any(level) and status = 'completed' and deleted_at is null order by id for update) v;
        exit when level is null;
        files := files || found_files;
        update image_variants set normal_object = null, high_quality_object = null, deleted_at = now() where id = any(level);
        level := array(select id from image_variants where variant_id = any(level));
    end loop;
    return query select d.store, d.key, d.size from drop_objects(files) d;
end $$;
comment on function drop_variants is 'deletes completed variants and what was made of them; returns their objects';
revoke execute on function drop_variants from public;
