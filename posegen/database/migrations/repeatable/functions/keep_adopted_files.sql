-- Every deletion from a store goes through this list, except of keys that Posegen composes: designs, pending uploads.
create or replace function keep_adopted_files() returns trigger language plpgsql as $$
begin
    delete from adopted_files f where f.store = new.store and f.key = new.key and f.deletable;
    if exists (select from adopted_files f where f.store = new.store and f.key = new.key) then
        return null;
    end if;
    return new;
end $$;
revoke execute on function keep_adopted_files from public;
