-- A slot is free, or a generation waits again: the notification wakes the request sensor.
create or replace function announce_free_slot() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    perform pg_notify('posegen_requests', '');
    return null;
end $$;
revoke execute on function announce_free_slot from public;
