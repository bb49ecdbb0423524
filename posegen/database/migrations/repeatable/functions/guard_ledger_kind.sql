-- A role that writes holds, captures and releases may not write grants or refunds; two functions write those.
create or replace function guard_ledger_kind() returns trigger language plpgsql as $$
begin
    if new.kind in ('hold', 'capture', 'release')
        or pg_has_role((select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    raise exception '% may not % credits', current_user, new.kind using errcode = 'insufficient_privilege';
end $$;
revoke execute on function guard_ledger_kind from public;
