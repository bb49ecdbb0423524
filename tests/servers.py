"""Real servers for the tests: PostgreSQL, and databases on it that a test has for itself."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from posegen.database.server import DatabaseUrls, open_server
from posegen.database.server_url import parse_url
from posegen.settings import Settings

PATIENCE = 180.0


@contextmanager
def running_postgres(home: Path) -> Iterator[DatabaseUrls]:
    """An embedded server of its own with its data in `home`, both databases made; gone without a trace afterwards."""
    try:
        with open_server(Settings(posegen_home=home, database_url=None)) as urls:
            _hash_the_password_once(urls.application)
            yield urls
    finally:
        remove_cluster(home)


def remove_cluster(home: Path) -> None:
    """Remove what the embedded server has kept outside of `home`, where root's server had to go elsewhere."""
    record = home / "postgres" / "connection.json"
    if record.exists() and (place := json.loads(record.read_text())["place"]) != ".":
        shutil.rmtree(place)


@contextmanager
def fresh_database(urls: DatabaseUrls, *, template: str = "template0") -> Iterator[str]:
    """The URL of a new database, a copy of `template` with a name of its own, which is dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    server = parse_url(urls.application)
    with _connected(server.on("postgres")) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    try:
        yield server.on(name)
    finally:
        with _connected(server.on("postgres")) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _hash_the_password_once(url: str) -> None:
    """Let a login derive its key in one round, not in 4,096: these take a client 3 ms, for thousands of connections."""
    with psycopg.connect(url) as connection:
        connection.execute("set scram_iterations = 1")
        password = sql.Literal(connection.info.password)
        connection.execute(sql.SQL("alter role current_user password {}").format(password))


def _connected(url: str) -> psycopg.Connection:
    """A connection to a server that a fault may have ended for a moment."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
