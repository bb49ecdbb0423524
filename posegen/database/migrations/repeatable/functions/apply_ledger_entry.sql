-- Balances follow the ledger, so the two cannot differ: nothing else writes credits.
create or replace function apply_ledger_entry() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    if new.kind in ('capture', 'release', 'refund') then
        perform check_amount(new);
    end if;
    update accounts set
        credits_granted = credits_granted + case when new.source = 'issued' then new.amount else 0 end,
        credits_available = credits_available + case 'available' when new.target then new.amount
                                                                 when new.source then -new.amount else 0 end,
        credits_held = credits_held + case 'held' when new.target then new.amount when new.source then -new.amount else 0 end,
        credits_spent = credits_spent + case 'spent' when new.target then new.amount
                                                     when new.source then -new.amount else 0 end
    where user_id = new.user_id;
    if new.kind = 'hold' then
        insert into holds (generation_id, user_id, amount) values (new.generation_id, new.user_id, new.amount);
    elsif new.kind in ('capture', 'release', 'refund') then
        update holds set
            captured = captured + case new.kind when 'capture' then new.amount else 0 end,
            released = released + case new.kind when 'release' then new.amount else 0 end,
            refunded = refunded + case new.kind when 'refund' then new.amount else 0 end
        where generation_id = new.generation_id and user_id = new.user_id;
        if not found then
            raise exception 'pose % has no hold to % from', new.pose_id, new.kind using errcode = 'foreign_key_violation';
        end if;
    end if;
    return null;
end $$;
revoke execute on function apply_ledger_entry from public;
