create or replace function guard_generation_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or (old.status, new.status) in (
        ('submitted', 'queued'), ('submitted', 'failed'), ('submitted', 'cancelled'),
        ('queued', 'dispatched'), ('queued', 'partial'), ('queued', 'failed'), ('queued', 'cancelled'),
        ('dispatched', 'running'), ('dispatched', 'queued'), ('dispatched', 'partial'), ('dispatched', 'failed'),
        ('dispatched', 'cancelled'),
        ('running', 'queued'), ('running', 'completed'), ('running', 'partial'), ('running', 'failed'),
        ('running', 'cancelled')) then
        return new;
    end if;
    raise exception 'generation % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;
revoke execute on function guard_generation_status from public;
