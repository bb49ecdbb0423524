create or replace function give_back_users_space() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    update accounts a set storage_used = a.storage_used - gone.size
    from (select user_id, sum(size) as size from deleted where user_id is not null group by user_id) gone
    where a.user_id = gone.user_id;
    return null;
end $$;
revoke execute on function give_back_users_space from public;
