-- Storing and deleting change the account in the same transaction, so a lock on the account fixes what is counted. A
-- limit that is exceeded by the count is raised to it: stored files cannot be taken back.
create or replace function recount_space(of_user uuid, actor text default current_user) returns boolean
language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    was accounts;
    used bigint;
    reserved bigint;
begin
    select * into was from accounts where user_id = of_user for update;
    used := coalesce((select s.bytes from space_by_user s where s.user_id = of_user), 0);
    reserved := (select coalesce(sum(storage_reserved), 0) from generations where user_id = of_user);
    if (was.storage_used, was.storage_reserved) = (used, reserved) then
        return false;
    end if;
    update accounts set storage_used = used, storage_reserved = reserved,
        storage_limit = greatest(storage_limit, used + reserved) where user_id = of_user;
    insert into audit_entries (actor, action, subject, detail) values (actor, 'space_recounted', of_user::text,
        jsonb_build_object('used', array[was.storage_used, used], 'reserved', array[was.storage_reserved, reserved]));
    return true;
end $$;
comment on function recount_space is 'sets used and reserved space to the sums over objects and generations; returns true when they differed';
revoke execute on function recount_space from public;
