"""A shell in which `posegen` works with the test's own database and folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from posegen.database.connection import Database
from tests.commands import Shell


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """What POSEGEN_HOME names; `store` lies in it."""
    return tmp_path


@pytest.fixture
def posegen(
    database: Database, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """The command."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("POSEGEN_HOME", str(home))
    return Shell(monkeypatch, capsys)
