-- Times and sizes from outside stay within what Python's datetime and a bigint sum can hold ---------------------------

-- Old rows move to the nearest bound: a constraint that is not valid for them would refuse every later update of them.
update users set created_at = least(greatest(created_at, '1970-01-01Z'), '3000-01-01Z')
    where created_at not between '1970-01-01Z' and '3000-01-01Z';
alter table users add constraint user_created_at_in_range
    check (created_at between '1970-01-01Z' and '3000-01-01Z');

update library_poses set created_at = least(greatest(created_at, '1970-01-01Z'), '3000-01-01Z')
    where created_at not between '1970-01-01Z' and '3000-01-01Z';
alter table library_poses add constraint library_pose_created_at_in_range
    check (created_at between '1970-01-01Z' and '3000-01-01Z');

-- 2^53: the largest number up to which JSON readers and floating-point numbers count every byte.
update accounts set storage_limit = 9007199254740992 where storage_limit > 9007199254740992;
alter table accounts add constraint storage_limit_in_range check (storage_limit <= 9007199254740992);

-- A real number also takes NaN, which is above 0 for PostgreSQL.
alter table product_types add constraint product_sides_in_range
    check (width <= 10000 and height <= 10000 and bleed <= 1000) not valid;

-- Credits ------------------------------------------------------------------------------------------------------------

-- Only grants add credits, so a bound for them is one for every balance and sum. A trigger, because accounts and
-- entries from before, which may be larger, have to stay usable.
create function guard_grant() returns trigger language plpgsql as $$
declare
    granted bigint := (select credits_granted from accounts where user_id = new.user_id);
begin
    if new.amount > 1000000000000 then
        raise exception 'cannot grant % credits: at most 1,000,000,000,000 at once', new.amount
            using errcode = 'check_violation', constraint = 'grant_in_range', table = 'ledger_entries';
    end if;
    if granted > 1000000000000000 - new.amount then
        raise exception 'cannot grant % credits: the account was granted %, and 1,000,000,000,000,000 is the most',
            new.amount, granted
            using errcode = 'check_violation', constraint = 'grants_in_range', table = 'ledger_entries';
    end if;
    return new;
end $$;
create trigger guard_grant before insert on ledger_entries for each row
    when (new.kind = 'grant') execute function guard_grant();

do $$
begin
    execute format('alter function guard_grant() security definer set search_path = %I, pg_temp', current_schema());
end $$;
revoke execute on function guard_grant from public;
