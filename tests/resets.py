"""Bringing a database back to how a test may find it: in milliseconds, where a new copy of a template takes far longer.

Every table is emptied and filled again from a copy in the schema `pristine`. What a test changes in the schema itself
stays changed: such a test asks for `empty_database_url` instead.
"""

from __future__ import annotations

import psycopg

_KEEP = """
create schema pristine;
do $$
declare
    name text;
begin
    for name in select tablename from pg_tables where schemaname = 'public' loop
        execute format('create table pristine.%1$I as table public.%1$I', name);
    end loop;
end $$;
"""

# As a replica the server runs no triggers and checks no foreign keys: neither order nor append-only tables matter.
_RESET = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();
set session_replication_role = replica;
do $$
declare
    name text;
begin
    for name in select tablename from pg_tables where schemaname = 'pristine' loop
        execute format('delete from public.%I', name);
        execute format('insert into public.%1$I overriding system value table pristine.%1$I', name);
    end loop;
end $$;
"""


def keep_as_it_is(url: str) -> None:
    """Remember the contents of every table."""
    with psycopg.connect(url) as connection:
        connection.execute(_KEEP)


def reset(url: str) -> None:
    """Bring back what was remembered, and end what a test may have left connected."""
    with psycopg.connect(url) as connection:
        connection.execute(_RESET)
