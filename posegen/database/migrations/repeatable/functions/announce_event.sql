create or replace function announce_event() returns trigger language plpgsql as $$
begin
    perform pg_notify('posegen_events', new.generation_id || ':' || new.sequence);
    return null;
end $$;
revoke execute on function announce_event from public;
