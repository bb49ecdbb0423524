create or replace function grant_credits(user_id uuid, amount bigint, reason text, actor text default current_user)
returns bigint language plpgsql
security definer set search_path = public, pg_temp as $$
#variable_conflict use_variable
begin
    if amount <= 0 then
        raise exception 'cannot grant % credits: the amount must be above 0', amount using errcode = 'check_violation';
    end if;
    insert into ledger_entries (kind, user_id, source, target, amount, reason, actor)
    values ('grant', user_id, 'issued', 'available', amount, reason, actor);
    return (select a.credits_available from accounts a where a.user_id = user_id);
end $$;
comment on function grant_credits is 'grants credits to a user; returns the available credits';
revoke execute on function grant_credits from public;
