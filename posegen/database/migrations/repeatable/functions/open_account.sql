create or replace function open_account() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    insert into accounts (user_id) values (new.id);
    return null;
end $$;
revoke execute on function open_account from public;
