create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: its rows are append-only', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;
revoke execute on function refuse_change from public;
