"""Connections: whole transactions or none, restarts that nobody notices, and notifications that arrive."""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
import pytest

from posegen.database import connection as connections
from posegen.database.connection import Database
from posegen.errors import DatabaseUnusable
from tests.builders import a_user, execute, value
from tests.concurrency import at_once, until


def test_a_block_that_ends_well_is_committed(database):
    with database.transaction() as connection:
        connection.execute("insert into users (name) values ('Ayu')")

    assert value(database, "select count(*) from users") == 1


def test_a_block_that_raises_leaves_nothing_behind(database):
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012
        connection.execute("insert into users (name) values ('Ayu')")
        raise ZeroDivisionError

    assert value(database, "select count(*) from users") == 0


def test_connections_that_the_server_closed_are_replaced_unnoticed(database, prepared_url):
    at_once([lambda: value(database, "select 1")] * 4)
    with psycopg.connect(prepared_url) as other:
        other.execute(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )

    assert at_once([lambda: value(database, "select 1")] * 4) == [1] * 4


def test_more_threads_than_connections_wait_for_each_other(prepared_url, database):
    with Database(prepared_url, most_connections=2) as small:
        assert at_once([lambda: value(small, "select 1 from pg_sleep(0.02)")] * 8) == [1] * 8


def test_a_stopped_worker_does_not_hold_its_locks_for_ever(database, prepared_url):
    user = a_user(database)

    def hold_a_lock_and_stop(stopped):
        with stopped.transaction() as connection:
            connection.execute("select from accounts where user_id = %s for update", [user])
            # Waits for the lock, as any other worker would.
            execute(database, "update accounts set storage_limit = 5 where user_id = %s", user)
            connection.execute("select 1")

    with Database(prepared_url, idle_seconds=0.2) as stopped, pytest.raises(psycopg.Error, match="idle-in-transaction"):
        hold_a_lock_and_stop(stopped)


def test_a_server_that_is_not_there_is_said_in_words(monkeypatch):
    monkeypatch.setattr("posegen.database.connection.CONNECT_SECONDS", 0.2)
    with (
        Database("postgresql://nobody@127.0.0.1:1/none") as unreachable,
        pytest.raises(DatabaseUnusable, match="could be had"),
        unreachable.transaction(),
    ):
        pass


def test_silence_is_an_empty_answer(database):
    with database.listening("news") as listener:
        assert listener.wait(0.01) == []


def test_what_arrives_close_together_is_heard_together(database):
    with database.listening("news") as listener:
        for number in range(3):
            execute(database, "select pg_notify('news', %s)", str(number))

        heard = listener.wait(180)
        until(lambda: len(heard) == 3 or heard.extend(listener.wait(1)))
        assert heard == ["0", "1", "2"]


def test_what_was_notified_before_the_wait_is_heard(database):
    with database.listening("news") as listener:
        execute(database, "notify news, 'early'")
        value(database, "select 1")

        assert listener.wait(180) == ["early"]


def test_other_channels_are_not_heard(database):
    with database.listening("news") as listener:
        execute(database, "notify gossip, 'no'")
        execute(database, "notify news, 'yes'")

        assert listener.wait(180) == ["yes"]


def test_a_transaction_begins_although_no_check_has_noticed_that_the_sessions_were_ended(database, monkeypatch):
    monkeypatch.setattr(connections, "_check", lambda _: None)
    with Database(database.url) as blind:
        with ExitStack() as held:
            pids = [held.enter_context(blind.transaction()).info.backend_pid for _ in range(3)]
        execute(database, "select pg_terminate_backend(pid, 10_000) from pg_stat_activity where pid = any(%s)", pids)

        with blind.transaction() as connection:
            assert connection.execute("select 1 as one").fetchone() == {"one": 1}
