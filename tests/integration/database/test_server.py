"""Which server is used, what is made on it, and what is said when it cannot serve us. The servers are real ones."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy
from psycopg import sql

from posegen.database.cluster import find_postmaster
from posegen.database.embedded import EmbeddedServer
from posegen.database.server import DatabaseUrls, open_server
from posegen.database.server_url import parse_url
from posegen.errors import DatabaseUnusable
from posegen.settings import Settings
from tests.servers import remove_cluster

Connection = psycopg.Connection[tuple[object, ...]]

# Everything that means something in a URL.
PASSWORD = "p@ss/w:rd#?%41 &+ü"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder without anything that runs."""
    folder = tmp_path_factory.mktemp("home")
    yield folder
    remove_cluster(folder)


@pytest.fixture
def admin(postgres: DatabaseUrls) -> Iterator[Connection]:
    """The administrator of the server."""
    with psycopg.connect(parse_url(postgres.application).on("postgres"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def names(admin: Connection) -> Iterator[tuple[str, str]]:
    """Names of two databases that do not exist, for the application and for Dagster."""
    token = secrets.token_hex(4)
    made = (f"test_app_{token}", f"test_dagster_{token}")
    yield made
    for name in made:
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def tenant(admin: Connection, names: tuple[str, str]) -> Iterator[str]:
    """A user who owns nothing and may create nothing."""
    name = f"test_tenant_{secrets.token_hex(4)}"
    admin.execute(sql.SQL("create role {} login password {}").format(sql.Identifier(name), sql.Literal(PASSWORD)))
    yield name
    for database in names:
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
    admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def settings(url: str, names: tuple[str, str]) -> Settings:
    return Settings(posegen_home=Path("/nonexistent"), database_url=url, dagster_database=names[1])


def url_of(postgres: DatabaseUrls, names: tuple[str, str], *, user: str | None = None, password: str = PASSWORD) -> str:
    server = replace(parse_url(postgres.application), options="")
    if user is None:
        return server.on(names[0])
    address = server.login.rpartition("@")[2]
    return f"postgresql://{user}:{quote(password, safe='')}@{address}/{names[0]}"


def create_database(admin: Connection, name: str, options: str = "") -> None:
    admin.execute(sql.SQL("create database {} template template0 ").format(sql.Identifier(name)) + sql.SQL(options))


def databases_seen(urls: DatabaseUrls) -> tuple[object, object]:
    """What the two databases call themselves, each asked through the driver that will use it."""
    engine = sqlalchemy.create_engine(urls.dagster, poolclass=sqlalchemy.NullPool)
    with psycopg.connect(urls.application) as ours, engine.connect() as dagsters:
        row = ours.execute("select current_database()").fetchone()
        return row and row[0], dagsters.execute(sqlalchemy.text("select current_database()")).scalar()


def test_without_a_database_url_the_embedded_server_serves_and_stops_afterwards(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {"PGSSLMODE": "require", "PGPORT": "1", "PGHOST": "nowhere", "PGUSER": "nobody"}.items():
        monkeypatch.setenv(variable, value)

    with open_server(Settings(posegen_home=home, database_url=None)) as urls:
        assert urls.embedded
        assert databases_seen(urls) == ("posegen", "dagster")

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls.application)


def test_an_embedded_server_that_dies_just_now_is_started_again(home: Path) -> None:
    settings = Settings(posegen_home=home, database_url=None)
    with EmbeddedServer(home) as address:
        postmaster = find_postmaster(address.socket_dir)
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        with open_server(settings) as urls:
            assert databases_seen(urls) == ("posegen", "dagster")


def test_both_databases_are_made_on_the_given_server(postgres: DatabaseUrls, names: tuple[str, str]) -> None:
    with open_server(settings(url_of(postgres, names), names)) as urls:
        assert not urls.embedded
        assert databases_seen(urls) == names


def test_what_stands_in_the_databases_stays(postgres: DatabaseUrls, names: tuple[str, str]) -> None:
    wanted = settings(url_of(postgres, names), names)
    with open_server(wanted) as urls, psycopg.connect(urls.application) as connection:
        connection.execute("create table kept ()")

    with open_server(wanted) as urls, psycopg.connect(urls.application) as connection:
        assert connection.execute("select to_regclass('kept')").fetchone() == ("kept",)


def test_several_processes_may_make_the_databases_at_once(postgres: DatabaseUrls, names: tuple[str, str]) -> None:
    wanted = settings(url_of(postgres, names), names)

    def open_and_look(_: int) -> tuple[object, object]:
        with open_server(wanted) as urls:
            return databases_seen(urls)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(open_and_look, range(4))) == {names}


def test_a_password_with_every_special_character_reaches_both_drivers(
    postgres: DatabaseUrls, names: tuple[str, str], admin: Connection, tenant: str
) -> None:
    admin.execute(sql.SQL("alter role {} createdb").format(sql.Identifier(tenant)))

    with open_server(settings(url_of(postgres, names, user=tenant), names)) as urls:
        assert databases_seen(urls) == names
        assert PASSWORD not in repr(urls)


def test_options_of_the_url_reach_both_databases(postgres: DatabaseUrls, names: tuple[str, str]) -> None:
    with open_server(settings(url_of(postgres, names) + "?application_name=shop", names)) as urls:
        for url in (urls.application, urls.dagster.replace("+psycopg2", "")):
            with psycopg.connect(url) as connection:
                assert connection.execute("show application_name").fetchone() == ("shop",)


def test_a_server_that_is_not_there_is_named_with_host_and_port(names: tuple[str, str]) -> None:
    with pytest.raises(DatabaseUnusable, match=r"127\.0\.0\.1.*port 1 .*host and port in DATABASE_URL") as refused:
        refuse(f"postgresql://someone:very%20secret@127.0.0.1:1/{names[0]}", names)
    assert "secret" not in str(refused.value)


def test_a_wrong_password_is_told_apart_from_a_missing_server(
    postgres: DatabaseUrls, names: tuple[str, str], tenant: str
) -> None:
    with pytest.raises(DatabaseUnusable, match="user, password and database in DATABASE_URL") as refused:
        refuse(url_of(postgres, names, user=tenant, password="very secret"), names)
    assert "secret" not in str(refused.value)


def test_who_may_not_create_databases_gets_the_statement_for_an_administrator(
    postgres: DatabaseUrls, names: tuple[str, str], admin: Connection, tenant: str
) -> None:
    wanted = settings(url_of(postgres, names, user=tenant), names)

    for database in names:
        with pytest.raises(DatabaseUnusable, match=f"{database}.*administrator run: create database") as refused:
            open_server(wanted).__enter__()
        admin.execute(str(refused.value).partition("administrator run: ")[2])

    with open_server(wanted) as urls:
        assert databases_seen(urls) == names


def test_who_may_not_create_tables_gets_the_statement_for_an_administrator(
    postgres: DatabaseUrls, names: tuple[str, str], admin: Connection, tenant: str
) -> None:
    wanted = settings(url_of(postgres, names, user=tenant), names)
    for database in names:
        create_database(admin, database)

    for database in names:
        with pytest.raises(DatabaseUnusable, match=f"create tables in the database '{database}'") as refused:
            open_server(wanted).__enter__()
        with psycopg.connect(parse_url(postgres.application).on(database), autocommit=True) as there:
            there.execute(str(refused.value).partition("run there: ")[2])

    with open_server(wanted) as urls:
        assert databases_seen(urls) == names


def test_who_may_not_create_tables_may_still_use_those_that_are_there(
    postgres: DatabaseUrls, names: tuple[str, str], admin: Connection, tenant: str
) -> None:
    for database in names:
        create_database(admin, database)
        with psycopg.connect(parse_url(postgres.application).on(database), autocommit=True) as there:
            there.execute("create table alembic_version ()")

    with open_server(settings(url_of(postgres, names, user=tenant), names)) as urls:
        assert databases_seen(urls) == names


def test_a_database_that_does_not_keep_its_text_as_utf8_is_refused(
    postgres: DatabaseUrls, names: tuple[str, str], admin: Connection
) -> None:
    create_database(admin, names[0], "encoding 'SQL_ASCII' locale_provider libc locale 'C'")

    with pytest.raises(DatabaseUnusable, match="as SQL_ASCII, and Posegen needs UTF8"):
        refuse(url_of(postgres, names), names)


def test_who_may_not_enter_a_database_that_is_there_is_told_so(
    postgres: DatabaseUrls, names: tuple[str, str], admin: Connection, tenant: str
) -> None:
    create_database(admin, names[0])
    admin.execute(sql.SQL("revoke connect on database {} from public").format(sql.Identifier(names[0])))

    with pytest.raises(DatabaseUnusable, match=f"refuses the user '{tenant}' in the database '{names[0]}'"):
        refuse(url_of(postgres, names, user=tenant), names)


def test_one_database_for_both_is_refused(postgres: DatabaseUrls, names: tuple[str, str]) -> None:
    with pytest.raises(DatabaseUnusable, match="Set DAGSTER_DATABASE to another name"):
        refuse(url_of(postgres, names), (names[0], names[0]))


def refuse(url: str, names: tuple[str, str]) -> None:
    with open_server(settings(url, names)):
        pytest.fail("the server was taken")
