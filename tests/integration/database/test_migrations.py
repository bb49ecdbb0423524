"""The schema: made once, whoever comes first, and found ready by the others."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import psycopg
import pytest

from posegen.database import migrate
from posegen.database.connection import Database
from posegen.database.migrate import current_revision, newest_revision, upgrade_schema
from posegen.errors import DatabaseUnusable
from tests.concurrency import at_once


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("select tablename from pg_tables where schemaname = 'public'")}


def test_an_empty_database_gets_the_newest_schema(empty_database_url):
    assert current_revision(empty_database_url) is None

    assert upgrade_schema(empty_database_url) == newest_revision()

    assert current_revision(empty_database_url) == newest_revision()
    assert {"users", "accounts", "generation_requests", "ledger_entries", "events"} <= tables(empty_database_url)


def test_upgrading_again_changes_nothing(empty_database_url):
    upgrade_schema(empty_database_url)
    with Database(empty_database_url) as database, database.transaction() as connection:
        connection.execute("insert into users (name) values ('Ayu')")
    before = tables(empty_database_url)

    upgrade_schema(empty_database_url)

    assert tables(empty_database_url) == before
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("select count(*) from users").fetchone() == (1,)


def test_processes_that_start_together_upgrade_once(empty_database_url):
    revisions = at_once([lambda: upgrade_schema(empty_database_url)] * 4)

    assert revisions == [newest_revision()] * 4
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("select count(*) from alembic_version").fetchone() == (1,)
        assert connection.execute("select count(*) from definitions_version").fetchone() == (1,)


def test_a_second_process_waits_until_the_first_has_upgraded(empty_database_url):
    ended = threading.Event()

    def upgrade():
        upgrade_schema(empty_database_url)
        ended.set()

    second = threading.Thread(target=upgrade)
    with psycopg.connect(empty_database_url) as first:
        first.execute("select pg_advisory_xact_lock(%s)", [migrate._UPGRADE_LOCK])
        second.start()
        assert not ended.wait(0.3)
        assert tables(empty_database_url) == set()
    second.join(180)

    assert ended.is_set()
    assert current_revision(empty_database_url) == newest_revision()


def test_a_failing_migration_leaves_nothing_behind(empty_database_url):
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("create table queue_clock (mine boolean)")

    with pytest.raises(Exception, match="queue_clock"):
        upgrade_schema(empty_database_url)

    assert tables(empty_database_url) == {"queue_clock"}


def test_the_checkout_may_lie_in_a_folder_with_a_percent_sign(empty_database_url, tmp_path: Path, monkeypatch):
    moved = tmp_path / "50% off" / "migrations"
    shutil.copytree(migrate.MIGRATIONS, moved)
    monkeypatch.setattr(migrate, "MIGRATIONS", moved)

    assert upgrade_schema(empty_database_url) == newest_revision()


def test_a_schema_of_a_newer_version_is_refused_in_words(empty_database_url):
    upgrade_schema(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("update alembic_version set version_num = '9999'")

    with pytest.raises(DatabaseUnusable, match="9999"):
        upgrade_schema(empty_database_url)
