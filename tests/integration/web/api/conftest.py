"""The API under test, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from posegen.database.connection import Database
from posegen.settings import Settings
from tests.api_client import Api, running_api
from tests.builders import a_user


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Api]:
    with running_api(database, Settings(posegen_home=tmp_path)) as running:
        yield running


@pytest.fixture
def owner(database: Database) -> UUID:
    return a_user(database)


@pytest.fixture
def stranger(database: Database) -> UUID:
    return a_user(database)
