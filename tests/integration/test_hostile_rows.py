"""A thousand rows with any value in any column that others may write: nothing stops, and commands survive them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from posegen.database.connection import Database
from posegen.database.server import DatabaseUrls
from posegen.settings import Settings
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.upkeep.preparing import prepare_database
from resources.environment import deployment_resources
from tests.backends import PaintedBackend
from tests.builders import a_user
from tests.commands import Shell
from tests.conftest import BASE_URL
from tests.hostile_batches import Batches, commands_on_a_sample, problem_of
from tests.hostile_rows import HostileRows, drop_bounds, writable_columns
from tests.servers import fresh_database

ROWS = 1_000
BATCHES = 4


@pytest.fixture
def studio(postgres: DatabaseUrls, tmp_path: Path) -> Iterator[Studio]:
    """A database of the test's own: it loses its bounds halfway."""
    with fresh_database(postgres) as url, Database(url) as database:
        prepare_database(database, base_urls={"local": BASE_URL})
        store = LocalStore(tmp_path / "storage", base_url=BASE_URL)
        yield Studio(database=database, store=store, open_backend=lambda _: PaintedBackend())


def test_a_thousand_hostile_rows_stop_nothing_and_no_command(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", studio.database.url)
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path))
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", "0.01")
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "1000")
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(tmp_path / "storage"))
    resources = deployment_resources(Settings(posegen_home=tmp_path, storage_base_url=BASE_URL))
    users = [a_user(studio.database, credits=10**9) for _ in range(3)]
    with dg.DagsterInstance.ephemeral() as instance, psycopg.connect(studio.database.url) as connection:
        source = iter(HostileRows(connection, users, seed=1))
        batches = Batches(studio, resources, instance)
        for batch in range(BATCHES):
            if batch == BATCHES // 2:
                assert drop_bounds(connection) > 10
                connection.commit()
            batches.run(source, ROWS // BATCHES)
        posegen = Shell(monkeypatch, capsys)
        for command in commands_on_a_sample(studio.database, tmp_path):
            answer = posegen(*command)
            assert (problem := problem_of(answer.code, answer.out + answer.err)) is None, (command, problem, answer)


def test_every_column_that_others_may_write_is_written(studio: Studio) -> None:
    with psycopg.connect(studio.database.url) as connection:
        source = HostileRows(connection, [a_user(studio.database)], seed=2)
        written = {(row.table, name) for _, row in zip(range(3000), source, strict=False) for name in row.hostile}

    assert written == {(column.table, column.name) for column in source.columns}
    assert {"users", "generation_requests", "design_requests", "image_requests"} < set(writable_columns_of(studio))


def writable_columns_of(studio: Studio) -> dict[str, object]:
    with psycopg.connect(studio.database.url) as connection:
        return dict(writable_columns(connection))
