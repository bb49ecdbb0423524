-- Used space follows the objects: deleting their rows gives their bytes back.
create or replace function give_back_space() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    update accounts a set storage_used = a.storage_used - gone.size
    from (select g.user_id, sum(d.size) as size from deleted d join generations g on g.id = d.generation_id
          group by g.user_id) gone
    where a.user_id = gone.user_id;
    return null;
end $$;
revoke execute on function give_back_space from public;
