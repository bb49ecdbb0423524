"""Dagster's storage against a real server: how many connections it opens, and what a crash of the server does to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster_postgres import PostgresRunStorage
from sqlalchemy import Engine, event, text

from posegen.database.embedded import EmbeddedServer
from posegen.database.server import DatabaseUrls
from posegen.errors import PlatformUnusable
from posegen.settings import Settings
from posegen.supervisor.environment import dagster_environment
from resources.dagster_storage import KEPT_OPEN, PooledPostgresStorage, pooled_engine
from tests.processes import crash_postgres
from tests.servers import running_postgres


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def urls(home: Path) -> Iterator[DatabaseUrls]:
    with running_postgres(home) as urls:
        yield urls
        pooled_engine(urls.dagster).dispose()


@pytest.fixture
def instance(urls: DatabaseUrls, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The instance that the checkout's own `dagster.yaml` describes."""
    for name, value in dagster_environment(Settings(posegen_home=home), urls).items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        yield instance


@contextmanager
def counted_connections() -> Iterator[list[object]]:
    """Every connection that SQLAlchemy opens to any server meanwhile."""
    opened: list[object] = []

    def count(connection: object, _: object) -> None:
        opened.append(connection)

    event.listen(Engine, "connect", count)
    try:
        yield opened
    finally:
        event.remove(Engine, "connect", count)


@dg.asset
def first() -> int:
    return 1


@dg.asset
def second(first: int) -> int:
    return first + 1


def run(instance: dg.DagsterInstance, *assets: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
    return dg.materialize(assets, instance=instance, resources={"io_manager": dg.mem_io_manager}, raise_on_error=False)


def test_a_run_opens_no_connection_once_the_pool_is_warm(instance: dg.DagsterInstance):
    assert run(instance, first, second).success

    with counted_connections() as opened:
        assert run(instance, first, second).success

    assert len(opened) == 0, "dagster-postgres alone opens some sixty"


def test_many_instances_share_one_pool(instance: dg.DagsterInstance, urls: DatabaseUrls):
    for _ in range(10):
        with dg.DagsterInstance.get() as another:
            another.get_runs(limit=1)
            another.all_asset_keys()
            another.all_instigator_state()

    open_now = "select count(*) from pg_stat_activity where application_name = 'dagster' and pid <> pg_backend_pid()"
    with pooled_engine(urls.dagster).connect() as connection:
        assert connection.execute(text(open_now)).scalar_one() < KEPT_OPEN


def test_what_the_webserver_asks_for_changes_nothing(instance: dg.DagsterInstance, urls: DatabaseUrls):
    instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3600, max_overflow=20)

    with counted_connections() as opened:
        instance.get_runs(limit=1)
        instance.all_asset_keys()
        instance.all_instigator_state()

    assert len(opened) == 0, "the pool was replaced by new ones"


def test_a_run_survives_a_crash_of_the_server(instance: dg.DagsterInstance, urls: DatabaseUrls, home: Path):
    @dg.asset
    def crashing(context: dg.AssetExecutionContext) -> None:
        context.log.info("before")
        crash_postgres(urls.application)
        with EmbeddedServer(home):
            context.log.info("recovered")

    result = run(instance, crashing, second, first)

    assert result.success
    told = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert {"before", "recovered"} <= set(told)


def test_a_dagster_postgres_that_works_in_another_way_is_refused(urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(PostgresRunStorage, "optimize_for_webserver")

    with pytest.raises(PlatformUnusable, match=r"PostgresRunStorage .* Install dagster-postgres 0\.29"):
        PooledPostgresStorage(urls.dagster)
