create or replace function accept_image_requests() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    insert into image_variants (id, user_id, submitted_at) select id, user_id, created_at from arrived;
    return null;
end $$;
revoke execute on function accept_image_requests from public;
