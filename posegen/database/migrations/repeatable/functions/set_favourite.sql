create or replace function set_favourite(pose uuid, favourite boolean) returns boolean language sql
security definer set search_path = public, pg_temp as $$
    update generated_poses set is_favourite = favourite
    where id = pose and status = 'completed' and delete_after is null returning true;
$$;
comment on function set_favourite is 'returns true when the pose exists and is completed, otherwise null';
revoke execute on function set_favourite from public;
