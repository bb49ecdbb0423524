"""This version's schema and others, for tests of upgrades."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posegen.database import migrate
from posegen.database.migrate import upgrade_schema
from posegen.database.server import DatabaseUrls
from tests.migrations import OtherVersion
from tests.servers import fresh_database


@pytest.fixture(scope="session")
def upgraded_url(postgres: DatabaseUrls) -> Iterator[str]:
    """A database with this version's schema, only for looking: other tests change constraints of the session's."""
    with fresh_database(postgres) as url:
        upgrade_schema(url)
        yield url


@pytest.fixture
def other_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OtherVersion:
    """Views, functions and migrations that this test may change; upgrades use them."""
    version = OtherVersion.copied_to(tmp_path / "migrations")
    monkeypatch.setattr(migrate, "MIGRATIONS", version.folder)
    return version
