create or replace function cancel_generation(generation uuid, actor text default 'customer') returns boolean language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    open_poses integer;
begin
    update generations set status = 'cancelled', error_code = 'cancelled', token = token + 1,
        lease_expires_at = null, finished_at = now()
    where id = generation and status in ('submitted', 'queued', 'dispatched', 'running');
    if not found then
        return false;
    end if;
    open_poses := end_open_poses(generation, 'generation cancelled', actor);
    perform give_back_reservation(generation);
    perform record_event(generation, 'cancelled', jsonb_build_object('actor', actor, 'open_poses', open_poses));
    return true;
end $$;
comment on function cancel_generation is 'returns true when the generation was open; completed poses stay, and stay paid for';
revoke execute on function cancel_generation from public;
