create or replace function accept_design_requests() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    insert into designs (id, user_id, submitted_at) select id, user_id, created_at from arrived;
    perform pg_notify('posegen_design_requests', '');
    return null;
end $$;
revoke execute on function accept_design_requests from public;
