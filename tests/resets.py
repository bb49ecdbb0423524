"""Bringing a database back to how a test may find it: in milliseconds, where a new copy of a template takes far longer.

Every table that a test has changed is emptied and filled again from a copy in the schema `pristine`. What a test
changes in the schema itself stays changed: such a test asks for `empty_database_url` instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

_KEEP = """
create schema pristine;
create table pristine.kept (name text primary key, rows bigint not null, xid text);
do $$
declare
    table_name text;
begin
    for table_name in select tablename from pg_tables where schemaname = 'public' loop
        execute format('create table pristine.%1$I as table public.%1$I', table_name);
        execute format('insert into pristine.kept select %1$L, count(*) from pristine.%1$I', table_name);
    end loop;
end $$;
"""

_DISCONNECT = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
and pid <> all(%s)
"""

# As a replica the server runs no triggers and checks no foreign keys: neither order nor append-only tables matter.
# A table is as the last reset left it when it has as many rows, all of them written by that transaction.
_RESET = """
begin;
set local session_replication_role = replica;
do $$
declare
    was record;
    is_untouched boolean;
begin
    for was in select * from pristine.kept loop
        execute format('select count(*) = %s and count(*) = count(*) filter (where xmin::text = %L) from public.%I',
                       was.rows, was.xid, was.name) into is_untouched;
        if not is_untouched then
            execute format('delete from public.%I', was.name);
            execute format('insert into public.%1$I overriding system value table pristine.%1$I', was.name);
            update pristine.kept set xid = pg_current_xact_id()::xid::text where name = was.name;
        end if;
    end loop;
end $$;
commit;
"""

_connections: dict[str, psycopg.Connection] = {}


@contextmanager
def kept_as_it_is(url: str) -> Iterator[None]:
    """Remember the contents of every table, for `reset` in this block."""
    with psycopg.connect(url) as connection:
        connection.execute(_KEEP)
    try:
        yield
    finally:
        if url in _connections:
            _connections.pop(url).close()


def reset(url: str, *, spared: Sequence[int] = ()) -> None:
    """Bring back what was remembered, and end what a test may have left connected, but for the `spared` sessions."""
    with suppress(KeyError, psycopg.OperationalError):  # no connection yet, or the server has ended it
        _reset(_connections[url], spared)
        return
    _connections[url] = psycopg.connect(url, autocommit=True)
    _reset(_connections[url], spared)


def _reset(connection: psycopg.Connection, spared: Sequence[int]) -> None:
    connection.execute(_DISCONNECT, [list(spared)])
    connection.execute(_RESET)
