create or replace function own_export() returns trigger language plpgsql as $$
begin
    select p.user_id into new.user_id from generated_poses p where p.id = new.pose_id;
    return new;
end $$;
revoke execute on function own_export from public;
