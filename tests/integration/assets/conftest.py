"""One deployment for each test of the assets."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from posegen.backends.registry import BACKENDS
from posegen.database.connection import Database
from posegen.settings import Settings
from tests.backends import PaintedBackend
from tests.conftest import BASE_URL
from tests.deployments import Deployment


@pytest.fixture
def deployment(
    database: Database,
    backend: PaintedBackend,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Deployment:
    """Real resources on the test's database and on the folder that `store` opens, too."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setitem(BACKENDS, "mannequin", lambda: backend)
    return Deployment(Settings(posegen_home=tmp_path, storage_base_url=BASE_URL), instance)
