-- A pose is captured or released at its price, and at most what was captured is refunded.
create or replace function check_amount(entry ledger_entries) returns void language plpgsql as $$
declare
    agreed bigint;
begin
    if entry.kind = 'refund' then
        agreed := (select amount from ledger_entries where pose_id = entry.pose_id and kind = 'capture');
        if agreed is null or entry.amount > agreed then
            raise exception 'pose % was charged % credits: % cannot be refunded', entry.pose_id, coalesce(agreed, 0),
                entry.amount using errcode = 'check_violation';
        end if;
    else
        agreed := (select price from generated_poses where id = entry.pose_id);
        if entry.amount <> agreed then
            raise exception 'pose % has the price %, not %', entry.pose_id, agreed, entry.amount
                using errcode = 'check_violation';
        end if;
    end if;
end $$;
revoke execute on function check_amount from public;
