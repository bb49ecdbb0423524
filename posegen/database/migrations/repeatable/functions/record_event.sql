-- A retired generation has no events and gets none; the ledger and the audit record what is done to it later.
create or replace function record_event(of_generation uuid, kind text, detail jsonb default '{}') returns integer
language plpgsql as $$
declare
    next_sequence integer;
begin
    update generations set last_event = last_event + 1 where id = of_generation and retired_at is null
        returning last_event into next_sequence;
    if found then
        insert into events (generation_id, sequence, kind, detail) values (of_generation, next_sequence, kind, detail);
    elsif not exists (select from generations where id = of_generation) then
        raise exception 'there is no generation %', of_generation using errcode = 'foreign_key_violation';
    end if;
    return next_sequence;
end $$;
revoke execute on function record_event from public;
