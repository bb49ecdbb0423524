"""The demonstration's requests on servers and in environments that give sessions other settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posegen.database.server import DatabaseUrls
from tests.backends import PaintedBackend
from tests.servers import running_postgres
from tests.settings_matrix import play, surroundings, variant

# What broke most; the benchmark plays all of them.
PLAYED = (
    "database: all of it",
    "role: every timeout tiny",
    "PGOPTIONS",
    "embedded: every variable of libpq",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[DatabaseUrls]:
    """A server of its own: settings of all roles would meet other tests."""
    with running_postgres(home) as urls:
        yield urls


@pytest.mark.parametrize("name", PLAYED)
def test_the_demonstration_comes_out_right_under_other_settings(server: DatabaseUrls, home: Path, name: str) -> None:
    with surroundings(server, variant(name), home):
        assert play(lambda _: PaintedBackend()) == []
