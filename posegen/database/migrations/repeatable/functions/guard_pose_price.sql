create or replace function guard_pose_price() returns trigger language plpgsql as $$
begin
    if new.price = old.price then
        return new;
    end if;
    raise exception 'the price of pose % was agreed on at intake', old.id using errcode = 'restrict_violation';
end $$;
revoke execute on function guard_pose_price from public;
