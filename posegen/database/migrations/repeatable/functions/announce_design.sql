-- Clients see a claimed design as a draft.
create or replace function announce_design() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    was text := case old.status when 'dispatched' then 'draft' else old.status end;
    is_now text := case new.status when 'dispatched' then 'draft' else new.status end;
begin
    if was <> is_now then
        perform pg_notify('posegen_designs', new.id || ':' || is_now);
    end if;
    -- A slot is free and other designs wait: the notification wakes the sensor.
    if old.status = 'rendering' and exists (select from designs where status = 'draft') then
        perform pg_notify('posegen_design_requests', '');
    end if;
    return null;
end $$;
revoke execute on function announce_design from public;
