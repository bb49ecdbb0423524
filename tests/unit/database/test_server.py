"""The URL of the embedded server, and the oldest version that will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from posegen.database.embedded import ServerAddress
from posegen.database.fitness import OLDEST_VERSION, check_version
from posegen.database.server import address_url
from posegen.database.server_url import parse_url
from posegen.errors import DatabaseUnusable


def test_the_url_of_the_embedded_server_survives_every_character() -> None:
    address = ServerAddress("127.0.0.1", 20001, "posegen", "a/b@c:d%", Path("/sockets"))

    assert parse_url(address_url(address)).login == "posegen:a%2Fb%40c%3Ad%25@127.0.0.1:20001"


def test_a_server_older_than_the_oldest_is_refused_with_both_versions() -> None:
    check_version(OLDEST_VERSION * 10_000)

    with pytest.raises(DatabaseUnusable, match=f"PostgreSQL 13.9, and Posegen needs {OLDEST_VERSION} or newer"):
        check_version(13_0009)
