create or replace function guard_pose_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or old.status in ('pending', 'running') then
        return new;
    end if;
    raise exception 'pose % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;
revoke execute on function guard_pose_status from public;
