-- Only grants add credits, so a bound for grants bounds every balance and sum. A trigger and not a constraint, because
-- older accounts and entries, which may be larger, have to stay usable.
create or replace function guard_grant() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
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
revoke execute on function guard_grant from public;
