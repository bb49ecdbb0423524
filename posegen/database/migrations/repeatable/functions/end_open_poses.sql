-- Every generation that ends with open poses ends here: they are cancelled, and their credits and space are given back.
create or replace function end_open_poses(of_generation uuid, reason text, actor text) returns integer language plpgsql as $$
declare
    open_poses integer;
begin
    with ended as (
        update generated_poses set status = 'cancelled'
        where generation_id = of_generation and status in ('pending', 'running') returning id, price
    ), released as (
        insert into ledger_entries (kind, user_id, source, target, amount, generation_id, pose_id, reason, actor)
        select 'release', h.user_id, 'held', 'available', ended.price, of_generation, ended.id, reason, actor
        from ended join holds h on h.generation_id = of_generation
    )
    select count(*) into open_poses from ended;
    -- What the far end may still be making is cancelled there by upkeep, which then says when it was settled.
    update backend_calls set state = 'cancelled', ended_at = clock_timestamp(),
        settled_at = case when state in ('planned', 'delivered') then clock_timestamp() end
    where generation_id = of_generation and state in ('planned', 'sent', 'accepted', 'delivered');
    return open_poses;
end $$;
revoke execute on function end_open_poses from public;
