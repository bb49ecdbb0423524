"""Databases that take no writes or end what is asked: a sentence from every command, and a finding of `doctor`."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors, sql

from posegen.database.connection import Database
from posegen.database.server_url import parse_url
from posegen.upkeep.diagnosis_rows import try_to_write
from tests.builders import A_POSE, a_user, value
from tests.refusals import refusing

COMMANDS = [
    ("submit", A_POSE),
    ("status",),
    ("up",),
    ("api",),
    ("demo",),
    ("db", "upgrade"),
    ("storage", "reconcile"),
    ("credits", "audit"),
    ("verify",),
]


@pytest.fixture
def set_on_database(database):
    """Sets something on the test's database for new sessions, and takes it back."""
    name = sql.Identifier(parse_url(database.url).database)
    reset = sql.SQL("set default_transaction_read_only = off; alter database {} reset all").format(name)
    with psycopg.connect(database.url, autocommit=True) as administrator:
        yield lambda what: administrator.execute(sql.SQL("alter database {} set " + what).format(name))
        administrator.execute(reset)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_read_only_database_is_a_sentence(posegen, database, set_on_database, command):
    set_on_database("default_transaction_read_only = on")

    answer = posegen(*command)

    assert answer.code == 1
    assert "takes no writes: default_transaction_read_only is on" in answer.err
    assert answer.err.count("\n") == 1
    with psycopg.connect(database.url, autocommit=True) as administrator:
        for statement in answer.err.partition("administrator run: ")[2].split("; "):
            administrator.execute(statement)
    with Database(database.url) as mended:
        assert value(mended, "show default_transaction_read_only") == "off"


def test_a_read_only_database_is_a_finding(posegen, set_on_database):
    set_on_database("default_transaction_read_only = on")

    answer = posegen("doctor", "--json")

    assert answer.code == 1
    (bad,) = [finding for finding in answer.json if finding["part"] == "database"]
    assert not bad["good"]
    assert "takes no writes" in bad["detail"]


def test_triggers_that_do_not_run_are_a_sentence(posegen, set_on_database):
    set_on_database("session_replication_role = replica")

    answer = posegen("status")

    assert answer.code == 1
    assert "Triggers do not run" in answer.err


def test_a_full_disk_is_a_finding(posegen, monkeypatch):
    def full(_):
        raise errors.DiskFull("could not extend file: No space left on device")

    monkeypatch.setattr("posegen.upkeep.diagnosis_rows.try_to_write", full)

    answer = posegen("doctor", "--json")

    (bad,) = [finding for finding in answer.json if finding["part"] == "database"]
    assert not bad["good"]
    assert "disk of the database server is full" in bad["detail"]


def test_trying_to_write_writes_and_leaves_nothing(database):
    before = value(database, "select pg_current_wal_insert_lsn()::text")
    try_to_write(database)

    assert value(database, "select pg_current_wal_insert_lsn() > %s::pg_lsn", before)
    assert value(database, "select count(*) from pg_class where relname = 'written'") == 0


@pytest.mark.parametrize(
    ("code", "says", "ends_with"),
    [
        ("25006", "takes no writes", 1),
        ("53100", "disk of the database server is full", 1),
        ("40P01", "run the command again", 1),
        ("57P01", "is shutting down", 1),
        ("22P05", "cannot take or give a value", 70),
    ],
)
def test_what_the_server_refuses_is_a_sentence(posegen, database, code, says, ends_with):
    user = a_user(database)
    with refusing(database.url, "ledger_entries", code, times=100):
        answer = posegen("credits", "grant", user, 5, "--reason", "a test")

    assert answer.code == ends_with
    assert says in answer.err
    assert answer.err.count("\n") == 1
