create or replace function announce_design() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    perform pg_notify('posegen_designs', new.id || ':' || new.status);
    -- A slot is free: the sensor need not sleep through it while others wait.
    if old.status = 'rendering' and exists (select from designs where status = 'draft' and claimed_at is null) then
        perform pg_notify('posegen_design_requests', '');
    end if;
    return null;
end $$;
revoke execute on function announce_design from public;
