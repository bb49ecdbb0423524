"""libpq's environment variables (`PGHOST`, `PGTZ` and so on): which of them may reach a connection of Posegen."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping

# libpq sends these to the server, which refuses a connection for a value that it does not know.
_OF_THE_SESSION = ("PGCLIENTENCODING", "PGDATESTYLE", "PGTZ")
# Every version of libpq knows further ones; none has another form.
_ANY = re.compile(r"PG[A-Z_]+")


def drop_libpq_variables(environment: MutableMapping[str, str], *, embedded: bool) -> list[str]:
    """Remove the variables that must not count, and return their names.

    A `DATABASE_URL` may leave some parts to the environment, such as `PGPASSWORD` or `PGSSLMODE`; what
    `posegen.database.session` sets is no such part. The address of the embedded server is complete: no variable counts.

    Args:
        environment: of this process, which libpq reads at each connection and child processes inherit.
        embedded: whether the embedded server is used.
    """
    dropped = [name for name in environment if (_ANY.fullmatch(name) if embedded else name in _OF_THE_SESSION)]
    for name in dropped:
        del environment[name]
    return sorted(dropped)


def libpq_variables(environment: Mapping[str, str]) -> list[str]:
    """The names of the variables that may count for a `DATABASE_URL` and are set, for messages."""
    return sorted(name for name in environment if _ANY.fullmatch(name))
