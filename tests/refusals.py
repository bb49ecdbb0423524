"""A database that refuses changes of a table for a while, with the SQLSTATE that a real cause would have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

_REFUSE = """
create sequence test_refusals;
create function refuse_for_a_while() returns trigger language plpgsql as $$
begin
    -- A sequence counts on when the transaction is rolled back.
    if nextval('public.test_refusals') <= {times} then
        raise exception 'refused by a test' using errcode = {code};
    end if;
    return coalesce(new, old);
end $$;
create trigger refuse_for_a_while before insert or update on {table}
    for each row execute function refuse_for_a_while();
"""
_TAKE = "drop function if exists refuse_for_a_while cascade; drop sequence if exists test_refusals"


@contextmanager
def refusing(url: str, table: str, code: str, *, times: int) -> Iterator[None]:
    """Let the next `times` changes of rows in `table` fail with the SQLSTATE `code`."""
    with psycopg.connect(url, autocommit=True) as administrator:
        administrator.execute(sql.SQL(_REFUSE).format(times=times, code=sql.Literal(code), table=sql.Identifier(table)))
        try:
            yield
        finally:
            administrator.execute(_TAKE)
