-- A role that holds, captures and releases credits for generations may not grant or refund them: two functions do that.
create or replace function guard_ledger_kind() returns trigger language plpgsql as $$
begin
    if new.kind in ('hold', 'capture', 'release')
        or pg_has_role((select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    raise exception '% may not % credits', current_user, new.kind using errcode = 'insufficient_privilege';
end $$;
revoke execute on function guard_ledger_kind from public;
