create or replace function own_pose() returns trigger language plpgsql as $$
begin
    select g.user_id, g.project_id into new.user_id, new.project_id from generations g where g.id = new.generation_id;
    return new;
end $$;
revoke execute on function own_pose from public;
