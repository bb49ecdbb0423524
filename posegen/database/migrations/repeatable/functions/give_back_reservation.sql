create or replace function give_back_reservation(of_generation uuid) returns bigint language plpgsql as $$
declare
    reserved bigint;
begin
    select storage_reserved into reserved from generations where id = of_generation;
    update accounts set storage_reserved = accounts.storage_reserved - reserved
        where user_id = (select user_id from generations where id = of_generation);
    update generations set storage_reserved = 0 where id = of_generation;
    return reserved;
end $$;
revoke execute on function give_back_reservation from public;
