"""Grants on views and functions, kept when a migration drops one that is then created again.

Operators grant them to roles of their own (`docs/how-to/database-roles.md`), and `drop` takes the grants with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy


@dataclass(frozen=True)
class Grant:
    """A grant to a role that is not the owner.

    Attributes:
        oid: of the view or function; another one after it was dropped and created again.
        name: of the view or function.
        column: the only column that it is for, or None.
        privilege: such as `SELECT`.
        receiver: the role and its option, such as `posegen_web with grant option`.
    """

    oid: int
    name: str
    column: str | None
    privilege: str
    receiver: str


_GRANTS = """
with granted as (
    select c.oid, c.relname as name, null::text as column_name, c.relowner as owner, a.*
    from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.relkind = 'v' and c.relnamespace = 'public'::regnamespace
    union all
    select c.oid, c.relname, t.attname, c.relowner, a.*
    from pg_class c join pg_attribute t on t.attrelid = c.oid cross join lateral aclexplode(t.attacl) a
    where c.relkind = 'v' and c.relnamespace = 'public'::regnamespace
    union all
    select p.oid, p.proname, null, p.proowner, a.*
    from pg_proc p cross join lateral aclexplode(p.proacl) a
    where p.prokind = 'f' and p.pronamespace = 'public'::regnamespace
)
select oid::bigint, name::text, column_name, privilege_type,
       case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end
           || case when is_grantable then ' with grant option' else '' end as receiver
from granted where grantee <> owner
order by oid, column_name, privilege_type, receiver
"""

_OBJECTS = """
select oid::bigint, relname::text as name, oid::regclass::text as object,
       array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0) as columns
from pg_class c where relkind = 'v' and relnamespace = 'public'::regnamespace
union all
select oid::bigint, proname::text, 'function ' || oid::regprocedure, '{}'
from pg_proc where prokind = 'f' and pronamespace = 'public'::regnamespace
"""


def granted(connection: sqlalchemy.Connection) -> list[Grant]:
    """All grants on views and functions."""
    return [Grant(*row) for row in connection.execute(sqlalchemy.text(_GRANTS))]


def restore(connection: sqlalchemy.Connection, earlier: Sequence[Grant]) -> None:
    """Repeat the earlier grants on what was created again; a grant on a column goes with the column."""
    objects = connection.execute(sqlalchemy.text(_OBJECTS)).all() if earlier else []
    present = {row.oid for row in objects}
    for grant in earlier:
        for row in objects:
            if grant.oid in present or row.name != grant.name or (grant.column and grant.column not in row.columns):
                continue
            column = f' ("{grant.column}")' if grant.column else ""
            statement = f"grant {grant.privilege}{column} on {row.object} to {grant.receiver}"
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
