"""What many tests stand on: a PostgreSQL server for the session, and for each test a clean database, store and studio.

How a test builds its world is in `builders.py`.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
import structlog
from xdist.scheduler import LoadFileScheduling

from posegen.database.connection import Database
from posegen.database.server import DatabaseUrls
from posegen.logs import configure_logging
from posegen.settings import Settings
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.upkeep.preparing import prepare_database
from tests.backends import PaintedBackend
from tests.resets import kept_as_it_is
from tests.s3_server import S3Server, running_s3
from tests.servers import fresh_database, running_postgres
from tests.warm_database import WarmDatabase

# On a busy machine an example may take any time; what hangs is ended by pytest-timeout.
hypothesis.settings.register_profile(
    "usual", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.register_profile("thorough", hypothesis.settings.get_profile("usual"), max_examples=10_000)
hypothesis.settings.load_profile("usual")

# A shell's `&` leaves SIGINT ignored in all that it starts, and Dagster then ignores SIGTERM, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The programs that tests start would compile all that they import each time, for seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Tests of one such folder go to one worker, and begin before all others: those of the first share a running platform,
# and those of the second start dozens of processes at once, which two workers would do at the same time. Both wait for
# most of their time, which the other workers use.
TOGETHER = ("tests/end_to_end/", "tests/faults/")
# New objects, less freed ones, before the collector looks at them; Python's own 700 takes 5 % of the time of the tests.
COLLECT_AFTER = 10_000
BASE_URL = "https://pictures.example/media"


class Schedule(LoadFileScheduling):
    """Each file to one worker, as `--dist loadfile` does, and some folders as if they were one file."""

    def _split_scope(self, nodeid: str) -> str:
        together = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
        return super()._split_scope(nodeid) if together is None else together


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule | None:
    """What xdist asks: its own schedule, unless it is the usual one."""
    return Schedule(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folders that take longest begin first, so that no worker is left alone with one of them in the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(TOGETHER))


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """What is imported and collected stays until the end: the collector would look at it in vain, for seconds."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on there is garbage, of the tests alone."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    gc.enable()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseUrls]:
    """The embedded server of this session."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as urls:
        with psycopg.connect(urls.application) as connection:
            # What a test has committed need not survive a power cut.
            connection.execute("alter role current_user set synchronous_commit = off")
        yield urls


@pytest.fixture(scope="session")
def prepared_url(postgres: DatabaseUrls) -> Iterator[str]:
    """The database of this session, with schema, lists and store; `database` hands it to one test after the other."""
    with fresh_database(postgres) as url:
        with Database(url) as database:
            prepare_database(database, base_urls={"local": BASE_URL})
        with kept_as_it_is(url):
            yield url


@pytest.fixture(scope="session")
def _settings_of_the_logs() -> Settings:
    """Read once: that takes 2 ms, and every test needs them."""
    return Settings()


@pytest.fixture(autouse=True)
def _logs_of_the_product(_settings_of_the_logs: Settings) -> Iterator[None]:
    """Structlog's own default would draw every local variable into a traceback, which takes seconds."""
    configure_logging(_settings_of_the_logs)
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def warm_database(prepared_url: str) -> Iterator[WarmDatabase]:
    """What `database` hands out, and cleans."""
    with closing(WarmDatabase(prepared_url)) as warm:
        yield warm


@pytest.fixture
def database(warm_database: WarmDatabase) -> Iterator[Database]:
    """A database that is ready for requests, as if no other test had ever used it."""
    with warm_database.for_a_test() as database:
        yield database


@pytest.fixture
def connections_open(database: Database) -> None:
    """Open what `database` needs for many threads beforehand, so that those that start together really meet in it."""
    with ExitStack() as connections:
        for _ in range(12):
            connections.enter_context(database.transaction())


@pytest.fixture
def empty_database_url(postgres: DatabaseUrls) -> Iterator[str]:
    """A database of the test's own, without any schema."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A local store that is empty."""
    return LocalStore(tmp_path / "storage", base_url=BASE_URL)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server for this session."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def backend() -> PaintedBackend:
    """The far end of the studio: counts its calls, and raises or blocks where a test says so."""
    return PaintedBackend()


@pytest.fixture
def studio(database: Database, store: LocalStore, backend: PaintedBackend) -> Studio:
    """Real database, real store, and the painted backend under every name."""
    return Studio(database=database, store=store, open_backend=lambda _: backend)
