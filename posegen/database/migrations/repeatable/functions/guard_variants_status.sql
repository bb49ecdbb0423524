create or replace function guard_variants_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or (old.status, new.status) in (
        ('submitted', 'dispatched'), ('dispatched', 'running'), ('dispatched', 'submitted'), ('dispatched', 'failed'),
        ('running', 'submitted'), ('running', 'completed'), ('running', 'failed')) then
        return new;
    end if;
    raise exception 'variants % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;
revoke execute on function guard_variants_status from public;
