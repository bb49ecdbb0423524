create or replace function drop_variants_of_design() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    perform drop_variants(array(select id from image_variants where design_id = old.id));
    update image_variants set design_id = null where design_id = old.id;
    return old;
end $$;
revoke execute on function drop_variants_of_design from public;
