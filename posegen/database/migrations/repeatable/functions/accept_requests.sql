create or replace function accept_requests() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    insert into generations (id, user_id, project_id, group_name, private, formats, fit, backend, priority, submitted_at,
                             last_event)
    select id, user_id, project_id, group_name, private, formats, fit, backend, priority, created_at, 1 from arrived;
    insert into events (generation_id, sequence, kind) select id, 1, 'submitted' from arrived;
    perform pg_notify('posegen_requests', '');
    return null;
end $$;
revoke execute on function accept_requests from public;
