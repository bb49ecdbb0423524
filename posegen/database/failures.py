"""Errors of the database, told apart by what they are about: the connection, the server's state, or the row."""

from __future__ import annotations

import psycopg

from posegen.errors import DatabaseUnusable

# Connection exceptions; shutdown, crash, not ready, dropped; too many connections; a session that was silent too long.
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "57P04", "57P05", "53300", "25P03")
# Rolled back or deadlocked, no resources, a lock or a cancelled statement, an error of the server's own system.
_PASSING_CLASSES = ("40", "53", "55", "57", "58")


def is_lost(error: BaseException) -> bool:
    """Whether the database is away: nothing that needs it can be done now.

    >>> is_lost(psycopg.OperationalError("connection refused")), is_lost(psycopg.errors.ProgramLimitExceeded())
    (True, False)
    """
    if isinstance(error, DatabaseUnusable):
        return True
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_LOST_STATES)


def may_pass(error: BaseException) -> bool:
    """Whether the same statement on the same row may succeed later.

    >>> may_pass(psycopg.errors.LockNotAvailable()), may_pass(psycopg.errors.UntranslatableCharacter())
    (True, False)
    """
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return is_lost(error) or (state is not None and state.startswith(_PASSING_CLASSES))
