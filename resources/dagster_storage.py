"""Dagster's own storage in PostgreSQL, with one connection pool for each process.

`dagster.yaml` names the class. Nothing of Posegen's own data passes through here.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Self

from dagster import StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine
from dagster_postgres.version import __version__ as dagster_postgres_version
from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.pool import NullPool

from posegen.database import session
from posegen.database.session import CONNECT_OPTIONS
from posegen.errors import PlatformUnusable

KEPT_OPEN = 5
MOST_CONNECTIONS = 15


class PooledPostgresStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` whose run, event log and schedule storage share the pool of their process.

    Upstream opens a connection for every call, because each `DagsterInstance` has storages of its own and a sensor's
    tick makes a new instance: pools of their own would pile up. Hence the pool belongs to the process and the URL.
    Raises `PlatformUnusable` when dagster-postgres no longer keeps its engine where we put ours.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        for storage in (self.run_storage, self.event_log_storage, self.schedule_storage):
            _share_pool(storage, pooled_engine(postgres_url))

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The one thing to configure: SQLAlchemy's URL, `postgresql+psycopg2://...`."""
        return {"postgres_url": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """What Dagster calls with the resolved `config:` of `dagster.yaml`."""
        return cls(config_value["postgres_url"], inst_data=inst_data)


@cache
def pooled_engine(postgres_url: str) -> Engine:
    """The engine of this process for `postgres_url`: at most 15 connections, 5 of them kept open.

    A connection is tried before it is handed out, so that a restart of the server is not seen.
    """
    return create_pg_engine(
        postgres_url,
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        pool_size=KEPT_OPEN,
        max_overflow=MOST_CONNECTIONS - KEPT_OPEN,
        connect_args={"fallback_application_name": "dagster"},
    )


@event.listens_for(Engine, "do_connect")
def _connect(dialect: Dialect, _: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """A connection that is ready for use, for every engine of a process with this storage.

    Upstream makes its tables with engines of its own. SQLAlchemy looks at the session only afterwards, and remembers
    the schema that it finds. Other databases, such as the SQLite of an ephemeral instance, are connected as ever.
    """
    if dialect.driver != "psycopg2":
        return None
    connection: Any = dialect.connect(*arguments, **{**options, **CONNECT_OPTIONS})
    # psycopg2 reads this one as it connects and quotes strings by it; changed now, it would quote wrongly.
    session.configure(connection, standard_conforming_strings=None)
    return connection


def _share_pool(storage: object, engine: Engine) -> None:
    unpooled = getattr(storage, "_engine", None)
    switchable = "optimize_for_webserver" in vars(type(storage))
    if not (switchable and isinstance(unpooled, Engine) and isinstance(unpooled.pool, NullPool)):
        raise PlatformUnusable(
            f"{type(storage).__name__} of dagster-postgres {dagster_postgres_version} does not keep its connections as "
            "0.29 does (in `_engine`, which `optimize_for_webserver` replaces). Install dagster-postgres 0.29, or "
            "change resources/dagster_storage.py."
        )
    setattr(storage, "_engine", engine)  # noqa: B010
    # The webserver asks each storage once more to keep connections; that would replace the pool by one without a ping.
    setattr(storage, "optimize_for_webserver", _keep_the_pool)  # noqa: B010


def _keep_the_pool(*_: object, **__: object) -> None:
    """Stands in for `optimize_for_webserver`: there is a pool already."""
