"""Data folders for the embedded server, and processes that use it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from posegen.database.embedded import EmbeddedServer, ServerAddress
from tests.embedded_server import StartUser, User, end_server
from tests.servers import remove_cluster


@pytest.fixture
def new_home() -> Iterator[Path]:
    """A data folder to be, which the server's user may enter, with a name that asks for trouble."""
    folder = Path(tempfile.mkdtemp(prefix="pose gen 'ü' "))
    folder.chmod(0o755)
    yield folder / "$home"
    for home in folder.iterdir():
        end_server(home)
        remove_cluster(home)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def made_home() -> Iterator[Path]:
    """A data folder with a cluster in it, for the tests that do not care how it was made."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    with EmbeddedServer(folder / "home"):
        pass
    yield folder / "home"
    shutil.rmtree(folder)


@pytest.fixture
def home(made_home: Path) -> Iterator[Path]:
    """A data folder with a cluster in it, whose server is down before and after the test."""
    yield made_home
    end_server(made_home)


@pytest.fixture
def address(home: Path) -> Iterator[ServerAddress]:
    """The address of a running server."""
    with EmbeddedServer(home) as running_at:
        yield running_at


@pytest.fixture
def start_user() -> Iterator[StartUser]:
    """Starts processes that use the server of a folder, and sees to it that none is left."""
    users: list[User] = []

    def start(home: Path, **options: Any) -> User:
        users.append(User(home, **options))
        return users[-1]

    yield start
    for left in users:
        left.kill()
