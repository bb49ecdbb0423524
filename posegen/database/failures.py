"""What a failure of the database means: whether it passes, and the sentence that an operator reads.

Every error of a driver that leaves Posegen goes through `describe`. What a constraint means for a request is decided
where the statement is.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import errors

from posegen.errors import DatabaseUnusable

TAKES_NO_WRITES = (errors.ReadOnlySqlTransaction, errors.DiskFull)
"""The database can be read, and takes no writes. `is_lost` is true of these, too."""

CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected)
"""The server rolled a transaction back because of another one that ran beside it. It can be run again at once."""

# Connection exceptions; shutdown, crash, not ready, dropped; no connection left, a full disk; a session that was silent
# for too long; no writes.
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "57P04", "57P05", "53100", "53300", "25P03", "25006")
# Rolled back or deadlocked, no resources, a lock or a cancelled statement, an error of the server's own system.
_PASSING_CLASSES = ("40", "53", "55", "57", "58")

_DOCTOR = "`posegen doctor` checks the parts."
_AGAIN = "Nothing was changed by this transaction; run the command again."
# By SQLSTATE, or its class of two letters. {said}: the server's own words.
_SENTENCES = {
    "25006": "The database takes no writes ({said}): its server is a standby, or default_transaction_read_only is on, "
    "as providers set it when a disk is full. Mend the server, or use its primary.",
    "53100": "The disk of the database server is full ({said}): free some space there.",
    "53200": "The database server has no memory left ({said}): give it more, or lower work_mem.",
    "53300": "The database server has no connection left ({said}): end other sessions, or raise max_connections.",
    "54": "The database cannot take a value of this size ({said}). " + _DOCTOR,
    "57014": "The database server ended a statement ({said}): it took longer than a timeout of the server allows.",
    "57P01": "The database server is shutting down ({said}): run the command again when it is back.",
    "57P02": "The database server crashed ({said}): run the command again when it is back.",
    "57P03": "The database server takes no connections yet ({said}): run the command again in a while.",
    "57P05": "The database server ended a session that was idle ({said}): raise idle_session_timeout.",
    "55P03": "Another session holds a lock that is needed ({said}): end that session, or wait for it. " + _AGAIN,
    "40001": "Another transaction came in between ({said}). " + _AGAIN,
    "40P01": "Two transactions waited for each other ({said}). " + _AGAIN,
    "42501": "The database user lacks a right ({said}): docs/how-to/database-roles.md names those that are needed.",
    "42P01": "The schema of the database is not the one that this version needs ({said}): run `posegen db upgrade`.",
    "42703": "The schema of the database is not the one that this version needs ({said}): run `posegen db upgrade`.",
    "42883": "The schema of the database is not the one that this version needs ({said}): run `posegen db upgrade`.",
    "3D": "The database is not there ({said}): check DATABASE_URL.",
    "28": "The database server refuses the login ({said}): check user and password in DATABASE_URL.",
    "22": "The database cannot take or give a value ({said}). " + _DOCTOR,
    "23": "The database refuses a change ({said}). " + _DOCTOR,
    "58": "The database server cannot use its files ({said}): look at its log and its disk.",
    "XX": "The database has an internal error ({said}): look at the server's log.",
}
# libpq gives no SQLSTATE for a connection that is refused. Of words that the server does not translate, or in English.
_REFUSALS = (
    (
        ("too many clients", "too many connections", "connection slots", "query_wait_timeout", "max_client_conn"),
        "The server has no connection left: end other sessions, or raise max_connections.",
    ),
    (
        ("starting up", "shutting down", "recovery mode", "not accepting connections", "not yet accepting"),
        "Wait until the server has started, and try again.",
    ),
    (
        ("unsupported startup parameter",),
        "The pooler in between takes no options: remove `options` from DATABASE_URL and unset PGOPTIONS.",
    ),
    (("session is read-only", "session is not read-only"), "Look at target_session_attrs, and use the primary server."),
    (("invalid value for parameter", "unrecognized configuration parameter"), "Correct PGOPTIONS, or `options` in "
     "DATABASE_URL."),
)  # fmt: skip


def is_lost(error: BaseException) -> bool:
    """Whether the database cannot be used now, and may be later: unreachable, shutting down, full, read-only.

    Work waits for it.

    >>> is_lost(psycopg.OperationalError("connection refused")), is_lost(psycopg.errors.ProgramLimitExceeded())
    (True, False)
    """
    if not isinstance(error, psycopg.Error):
        return isinstance(error, DatabaseUnusable)
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | errors.ReadOnlySqlTransaction):
        return isinstance(error, errors.IdleInTransactionSessionTimeout)
    return error.sqlstate is None or error.sqlstate.startswith(_LOST_STATES)


def may_pass(error: BaseException) -> bool:
    """Whether the same statement on the same row may succeed later.

    >>> may_pass(psycopg.errors.LockNotAvailable()), may_pass(psycopg.errors.UntranslatableCharacter())
    (True, False)
    """
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return is_lost(error) or (state is not None and state.startswith(_PASSING_CLASSES))


def describe(error: Exception) -> str:
    """One sentence or two: what failed, in the server's words, and what mends it. An error of ours says so itself."""
    if not isinstance(error, psycopg.Error):
        return str(error)
    code = error.sqlstate or ""
    said = _said(error.diag.message_primary or str(error))
    pattern = _SENTENCES.get(code) or _SENTENCES.get(code[:2])
    if pattern is not None:
        return pattern.format(said=said)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return f"The database server no longer responds: {said}. {_DOCTOR}"
    return f"The database reports an error: {said}. {_DOCTOR}"


def advice_on_refusal(error: psycopg.Error, *, otherwise: str, variables: Sequence[str] = ()) -> str:
    """What mends a connection that was refused.

    Args:
        error: of the attempt to connect.
        otherwise: what to say where the server's words are of no known kind.
        variables: names of libpq's variables that are set, which fill in what `DATABASE_URL` leaves out.
    """
    words = str(error).lower()
    advice = next((fix for signs, fix in _REFUSALS if any(sign in words for sign in signs)), otherwise)
    return f"{advice} Also read: {', '.join(variables)}." if variables else advice


def _said(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
