"""`posegen env` and `posegen db`: what other programs need, and the schema."""

from __future__ import annotations

import subprocess
from urllib.parse import quote

import psycopg
import pytest

from posegen.database import migrate
from posegen.database.connection import Database
from posegen.database.migrate import newest_revision
from posegen.database.server import DatabaseUrls
from tests.builders import execute, value
from tests.commands import Shell
from tests.migrations import OtherVersion
from tests.servers import fresh_database


@pytest.fixture
def fresh(empty_database_url, home, monkeypatch, capsys):
    """`posegen` with a database that has no schema yet."""
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("POSEGEN_HOME", str(home))
    return Shell(monkeypatch, capsys)


# --- env ----------------------------------------------------------------------------------------------------------


def test_the_variables_can_be_taken_over_by_a_shell(database, posegen, home, monkeypatch):
    home = home / "it's $HOME; `id`"
    monkeypatch.setenv("POSEGEN_HOME", str(home))
    lines = posegen("env").out

    shell = subprocess.run(
        ["sh", "-c", 'eval "$1"; printf "%s\\n" "$DATABASE_URL" "$DAGSTER_HOME" "$POSEGEN_DAGSTER_DIR"', "sh", lines],
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip

    url, dagster_home, folder = shell.stdout.splitlines()
    assert url == database.url
    assert (dagster_home, folder) == (posegen("env", "--json").json["DAGSTER_HOME"], str(home / "dagster"))


def test_the_connection_string_lets_a_foreign_program_in(posegen):
    variables = posegen("env", "--json").json

    with psycopg.connect(variables["DATABASE_URL"]) as connection:
        assert connection.execute("select count(*) >= 0 from generation_results").fetchone() == (True,)
    assert variables["POSEGEN_DAGSTER_DATABASE_URL"].startswith("postgresql+psycopg2://")


def test_a_password_full_of_special_characters_survives_the_shell(postgres: DatabaseUrls, posegen, monkeypatch):
    password = 'it\'s "quoted" $HOME `id` \\ %41 @:/#?'
    with fresh_database(postgres) as url, psycopg.connect(url, autocommit=True) as admin:
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        admin.execute(psycopg.sql.SQL("create role special login superuser password {}").format(password))
        try:
            host = postgres.application.rpartition("@")[2].partition("/")[0]
            monkeypatch.setenv("DATABASE_URL", f"postgresql://special:{quote(password, safe='')}@{host}/{name}")
            shell = subprocess.run(
                ["sh", "-c", 'eval "$1"; printf "%s" "$DATABASE_URL"', "sh", posegen("env").out],
                capture_output=True, text=True, timeout=180, check=True,
            )  # fmt: skip
            with psycopg.connect(shell.stdout) as connection:
                assert connection.execute("select current_user").fetchone() == ("special",)
        finally:
            admin.execute("drop role special")


# --- db -----------------------------------------------------------------------------------------------------------


def test_a_fresh_database_needs_an_upgrade_and_says_so(fresh):
    answer = fresh("db", "status")

    assert answer.code == 1
    assert "revision none" in answer.out
    assert "`posegen db upgrade`" in answer.out
    assert fresh("db", "status", "--json").json == {
        "revision": None,
        "needed": newest_revision(),
        "embedded": False,
    }


def test_an_upgrade_makes_everything_and_a_second_one_changes_nothing(fresh, empty_database_url):
    first, second = fresh("db", "upgrade"), fresh("db", "upgrade")

    assert (first.code, second.code) == (0, 0)
    assert first.out == second.out == f"The database is at revision {newest_revision()}.\n"
    assert fresh("db", "status").code == 0
    with Database(empty_database_url) as database:
        assert value(database, "select count(*) from library_poses") == 64
        assert value(database, "select base_url from stores where name = 'local'") == "/media"


@pytest.mark.parametrize("edition", [1, 10**6])
def test_a_database_with_other_views_and_functions_is_named_and_never_set_back(
    fresh, empty_database_url, edition, monkeypatch, tmp_path
):
    """With older ones an upgrade is enough; a database with newer ones is left as it is."""
    needed = OtherVersion.copied_to(tmp_path / "migrations")
    needed.number(1000)
    monkeypatch.setattr(migrate, "MIGRATIONS", needed.folder)
    fresh("db", "upgrade")
    with Database(empty_database_url) as database:
        execute(database, "update definitions_version set edition = %s", edition)

    named, refused, upgraded = fresh("db", "status"), fresh("status"), fresh("db", "upgrade")

    assert named.code == refused.code == 1
    for answer in (named, refused):
        assert f".{edition}" in answer.out + answer.err
        assert newest_revision() in answer.out + answer.err
        assert "`posegen db upgrade`" in answer.out + answer.err
    assert upgraded.code == (0 if edition == 1 else 1)
    assert fresh("db", "status").code == upgraded.code


def test_a_command_that_only_looks_changes_nothing_on_a_server_of_ones_own(fresh, empty_database_url):
    looked = fresh("status")

    assert (looked.code, looked.out) == (1, "")
    assert "run `posegen db upgrade`" in looked.err
    assert fresh("db", "status").code == 1


def test_a_command_that_only_looks_leaves_the_published_urls_alone(fresh, empty_database_url):
    fresh("db", "upgrade")
    with Database(empty_database_url) as database:
        execute(database, "update stores set base_url = 'https://pictures.example'")

    assert fresh("status").code == 0

    with Database(empty_database_url) as database:
        assert value(database, "select base_url from stores where name = 'local'") == "https://pictures.example"
