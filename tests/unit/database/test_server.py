"""URLs of servers, and the oldest version that will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from posegen.database.embedded import ServerAddress
from posegen.database.server import OLDEST_VERSION, address_url, check_version, parse_url
from posegen.errors import DatabaseUnusable


@pytest.mark.parametrize(
    ("url", "database", "aimed"),
    [
        ("postgresql://u:p@h:5433/shop", "shop", "postgresql://u:p@h:5433/other"),
        ("postgres://u:p@h/shop", "shop", "postgresql://u:p@h/other"),
        ("postgresql+psycopg2://u:p@h/shop", "shop", "postgresql://u:p@h/other"),
        ("postgresql://u:p@h", "posegen", "postgresql://u:p@h/other"),
        ("postgresql://u:p@h/", "posegen", "postgresql://u:p@h/other"),
        ("postgresql://u:p%40%2F%25@h/shop", "shop", "postgresql://u:p%40%2F%25@h/other"),
        ("postgresql://u@h/my%20shop", "my shop", "postgresql://u@h/other"),
        ("postgresql://u@h/shop?sslmode=require", "shop", "postgresql://u@h/other?sslmode=require"),
        ("postgresql://u@/shop?host=/run/postgresql", "shop", "postgresql://u@/other?host=/run/postgresql"),
        ("postgresql:///shop?host=/run/postgresql", "shop", "postgresql:///other?host=/run/postgresql"),
        ("postgresql://u:p@[::1]:5433/shop", "shop", "postgresql://u:p@[::1]:5433/other"),
    ],
)
def test_a_url_can_be_aimed_at_another_database_of_its_server(url: str, database: str, aimed: str) -> None:
    parsed = parse_url(url)

    assert parsed.database == database
    assert parsed.on("other") == aimed


@pytest.mark.parametrize(
    "url",
    [
        "secret",
        "mysql://u:secret@h/shop",
        "host=h password=secret dbname=shop",
        "postgresql://u:secret@h:port/shop",
        "postgresql://u:secret@h/shop/more",
        "postgresql://u:secret#1@h/shop",
        "postgresql://u:secret?@h/shop",
        "postgresql://u:secret/@h/shop",
        "postgresql://u:secret%zz@h/shop",
        "postgresql://u:secret@h/shop?no_such_option=1",
        "postgresql://u:secret@%2Frun%2Fpostgresql/shop",
        "postgresql://u:secret@[h/shop",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="DATABASE_URL cannot be read") as refused:
        parse_url(url)

    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_parsed_url_does_not_show_its_password() -> None:
    assert "secret" not in repr(parse_url("postgresql://u:secret@h/shop?sslpassword=secret"))


def test_the_url_of_the_embedded_server_survives_every_character() -> None:
    address = ServerAddress("127.0.0.1", 20001, "posegen", "a/b@c:d%", Path("/sockets"))

    assert parse_url(address_url(address)).login == "posegen:a%2Fb%40c%3Ad%25@127.0.0.1:20001"


def test_a_server_older_than_the_oldest_is_refused_with_both_versions() -> None:
    check_version(OLDEST_VERSION * 10_000)

    with pytest.raises(DatabaseUnusable, match=f"PostgreSQL 13.9, and Posegen needs {OLDEST_VERSION} or newer"):
        check_version(13_0009)
