create or replace function refund_poses(poses uuid[], reason text, actor text default current_user) returns bigint
language plpgsql
security definer set search_path = public, pg_temp as $$
#variable_conflict use_variable
declare
    refunded record;
    total bigint := 0;
begin
    for refunded in
        with given_back as (
            insert into ledger_entries as fresh
                (kind, user_id, source, target, amount, generation_id, pose_id, reason, actor)
            select 'refund', c.user_id, 'spent', 'available', c.amount, c.generation_id, c.pose_id, reason, actor
            from ledger_entries c where c.kind = 'capture' and c.pose_id = any(poses)
                and not exists (select from ledger_entries r where r.kind = 'refund' and r.pose_id = c.pose_id)
            returning fresh.generation_id, fresh.amount
        )
        select given_back.generation_id, count(*) as number, sum(given_back.amount) as amount
        from given_back group by given_back.generation_id
    loop
        perform record_event(refunded.generation_id, 'refunded', jsonb_build_object(
            'poses', refunded.number, 'credits', refunded.amount, 'reason', reason, 'actor', actor));
        total := total + refunded.amount;
    end loop;
    return total;
end $$;
comment on function refund_poses is 'refunds the price of these poses, at most once each; returns the credits that were refunded now';
revoke execute on function refund_poses from public;
