create or replace function guard_design_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or (old.status, new.status) in (
        ('draft', 'dispatched'), ('draft', 'failed'),
        ('dispatched', 'rendering'), ('dispatched', 'draft'), ('dispatched', 'failed'),
        ('rendering', 'draft'), ('rendering', 'published'), ('rendering', 'failed')) then
        return new;
    end if;
    raise exception 'design % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;
revoke execute on function guard_design_status from public;
