"""What an operator reads when a driver raises: one sentence or two, whatever the SQLSTATE."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from posegen.database.failures import CONFLICTS, TAKES_NO_WRITES, advice_on_refusal, describe, is_lost, may_pass
from posegen.errors import DatabaseUnusable

EVERY_CODE = sorted(each.sqlstate for each in vars(errors).values() if isinstance(getattr(each, "sqlstate", None), str))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("25006", "takes no writes"),
        ("53100", "disk of the database server is full"),
        ("53300", "no connection left"),
        ("57P01", "is shutting down"),
        ("57P03", "takes no connections yet"),
        ("57014", "longer than a timeout"),
        ("55P03", "Another session holds a lock"),
        ("40001", "run the command again"),
        ("40P01", "run the command again"),
        ("42501", "database-roles.md"),
        ("42P01", "posegen db upgrade"),
        ("22P05", "cannot take or give a value"),
        ("23514", "refuses a change"),
        ("08006", "no longer responds"),
        ("0A000", "reports an error"),
    ],
)
def test_what_failed_is_said_with_what_mends_it(code: str, says: str) -> None:
    sentence = describe(errors.lookup(code)("the server's\n  own words."))

    assert says in sentence
    assert "the server's own words" in sentence
    assert "\n" not in sentence


def test_every_error_of_the_driver_has_a_sentence() -> None:
    assert len(EVERY_CODE) > 200
    for code in EVERY_CODE:
        sentence = describe(errors.lookup(code)("{curly} words"))
        assert "{curly} words" in sentence
        assert sentence.endswith((".", "`"))
    assert describe(psycopg.InterfaceError("the connection is closed")).startswith(
        "The database server no longer responds"
    )
    assert describe(DatabaseUnusable("Use its primary.")) == "Use its primary."


LOST = (
    *(psycopg.OperationalError, psycopg.InterfaceError, errors.AdminShutdown, errors.TooManyConnections),
    *(errors.IdleInTransactionSessionTimeout, *TAKES_NO_WRITES, DatabaseUnusable),
)
PASSING = (*CONFLICTS, errors.LockNotAvailable, errors.QueryCanceled, errors.OutOfMemory, errors.IoError)
STAYING = (
    *(errors.UniqueViolation, errors.UndefinedTable, errors.InvalidTextRepresentation),
    *(errors.ProgramLimitExceeded, ValueError),
)


def test_a_lost_database_is_told_apart_from_a_statement_that_failed() -> None:
    assert [is_lost(error("words")) for error in LOST] == [True] * len(LOST)
    assert [is_lost(error("words")) for error in (*PASSING, *STAYING)] == [False] * len(PASSING + STAYING)


def test_what_passes_is_told_apart_from_what_stays() -> None:
    assert [may_pass(error("words")) for error in (*LOST, *PASSING)] == [True] * len(LOST + PASSING)
    assert [may_pass(error("words")) for error in STAYING] == [False] * len(STAYING)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("FATAL: sorry, too many clients already", "raise max_connections"),
        ("FATAL: remaining connection slots are reserved for roles with SUPERUSER", "raise max_connections"),
        ("FATAL: the database system is starting up", "Wait until the server has started"),
        ("FATAL: the database system is in recovery mode", "Wait until the server has started"),
        ("FATAL: unsupported startup parameter: options", "remove `options` from DATABASE_URL"),
        ('FATAL: invalid value for parameter "TimeZone": "nowhere"', "Correct PGOPTIONS"),
        ("session is not read-only", "target_session_attrs"),
        ("Connection refused", "as usual"),
    ],
)
def test_a_refused_connection_comes_with_advice(words: str, advice: str) -> None:
    assert advice in advice_on_refusal(psycopg.OperationalError(words), otherwise="Do as usual.")
