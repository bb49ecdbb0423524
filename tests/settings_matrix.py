"""The settings that a server, a role, an environment or a URL may bring along, and the demonstration played under them.

The suite plays some of `VARIANTS`, `benchmarks/settings_matrix.py` all.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote
from uuid import UUID

import dagster as dg
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from posegen.backends.protocol import Backend
from posegen.cli.demo import REQUESTS
from posegen.cli.main import main
from posegen.database.connection import Database
from posegen.database.server import DatabaseUrls, open_server
from posegen.database.server_url import parse_url
from posegen.generations.asking.claims import start_work
from posegen.objects.identity import require_own
from posegen.settings import load_settings
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.supervisor.environment import dagster_environment
from posegen.upkeep.preparing import prepare_database
from resources.dagster_storage import pooled_engine
from sensors.requests import generation_requests
from sensors.targets import DISPATCH_TAG
from tests.builders import work
from tests.deployments import resources_of

CREDITS = 1_000
EMOJI = chr(0x1F44B)
_PASSWORD = "matrix"


@dataclass(frozen=True)
class Variant:
    """Something that a session may come under.

    Attributes:
        name: for people.
        statements: what an administrator has run; `{app}`, `{dagster}` and `{role}` are names.
        environment: variables of the process.
        query: what follows the question mark in `DATABASE_URL`.
        embedded: whether there is no `DATABASE_URL` at all.
        through: given the URL of the server, returns that of a pooler before it.
    """

    name: str
    statements: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    embedded: bool = False


def of_databases(**settings: str) -> tuple[str, ...]:
    """Settings of both databases."""
    return tuple(
        f"alter database {{{database}}} set {name} = {value}"
        for name, value in settings.items()
        for database in ("app", "dagster")
    )


def of_role(**settings: str) -> tuple[str, ...]:
    """Settings of the user that Posegen logs in as."""
    return tuple(f"alter role {{role}} set {name} = {value}" for name, value in settings.items())


LIBPQ = {
    "PGAPPNAME": "shop",
    "PGCHANNELBINDING": "require",
    "PGCLIENTENCODING": "LATIN1",
    "PGCONNECT_TIMEOUT": "1",
    "PGDATABASE": "shop",
    "PGDATESTYLE": "SQL, DMY",
    "PGGEQO": "no",
    "PGGSSENCMODE": "require",
    "PGHOST": "192.0.2.1",
    "PGHOSTADDR": "192.0.2.1",
    "PGLOADBALANCEHOSTS": "random",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGPASSFILE": "/nowhere/pgpass",
    "PGPASSWORD": "wrong",
    "PGPORT": "1",
    "PGREQUIREAUTH": "password",
    "PGREQUIREPEER": "nobody",
    "PGSERVICE": "shop",
    "PGSERVICEFILE": "/nowhere/services",
    "PGSSLCERTMODE": "require",
    "PGSSLMODE": "require",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLROOTCERT": "system",
    "PGTARGETSESSIONATTRS": "read-only",
    "PGTZ": "Asia/Jakarta",
    "PGUSER": "nobody",
}
"""Each of them alone kept the embedded server from being used, or changed what was read from it."""

EVERYTHING = {
    "client_encoding": "'LATIN1'",
    "datestyle": "'SQL, DMY'",
    "timezone": "'Asia/Jakarta'",
    "intervalstyle": "'iso_8601'",
    "bytea_output": "'escape'",
    "extra_float_digits": "'-15'",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "default_transaction_isolation": "'serializable'",
    "search_path": "'nowhere'",
}
TIMEOUTS = {
    "statement_timeout": "'300ms'",
    "lock_timeout": "'1ms'",
    "idle_in_transaction_session_timeout": "'50ms'",
    "idle_session_timeout": "'200ms'",
    "transaction_timeout": "'300ms'",
}

VARIANTS = (
    Variant("nothing of its own"),
    Variant("database: client_encoding LATIN1", of_databases(client_encoding="'LATIN1'")),
    Variant("role: client_encoding WIN1252", of_role(client_encoding="'WIN1252'")),
    Variant("role: client_encoding that Python lacks", of_role(client_encoding="'EUC_TW'")),
    Variant("database: DateStyle SQL, DMY", of_databases(datestyle="'SQL, DMY'")),
    Variant("role: DateStyle German", of_role(datestyle="'German, YMD'")),
    Variant("role: DateStyle Postgres, MDY", of_role(datestyle="'Postgres, MDY'")),
    Variant("database: TimeZone Asia/Jakarta", of_databases(timezone="'Asia/Jakarta'")),
    Variant("role: TimeZone Pacific/Chatham", of_role(timezone="'Pacific/Chatham'")),
    Variant("database: IntervalStyle iso_8601", of_databases(intervalstyle="'iso_8601'")),
    Variant("role: IntervalStyle sql_standard", of_role(intervalstyle="'sql_standard'")),
    Variant("database: bytea_output escape", of_databases(bytea_output="'escape'")),
    Variant("role: numbers of one digit", of_role(extra_float_digits="'-15'")),
    Variant("role: backslashes in strings", of_role(standard_conforming_strings="off", backslash_quote="off")),
    Variant("database: serializable", of_databases(default_transaction_isolation="'serializable'")),
    Variant("database: repeatable read", of_databases(default_transaction_isolation="'repeatable read'")),
    Variant(
        "role: serializable, deferrable",
        of_role(default_transaction_isolation="'serializable'", default_transaction_deferrable="on"),
    ),
    Variant("role: search_path without public", of_role(search_path="'nowhere'")),
    Variant("database: search_path empty", of_databases(search_path="''")),
    Variant(
        "role: a schema of its own name before public",
        ("create schema {role}", *of_role(search_path='"$user", public')),
    ),
    Variant("role: every timeout tiny", of_role(**TIMEOUTS)),
    Variant(
        "role: NULL and names otherwise",
        of_role(array_nulls="off", transform_null_equals="on", quote_all_identifiers="on", row_security="off"),
    ),
    Variant("role: no views", of_role(restrict_nonsystem_relation_kind="'view'")),
    Variant(
        "database: planner otherwise",
        of_databases(
            enable_indexscan="off",
            enable_bitmapscan="off",
            enable_hashjoin="off",
            plan_cache_mode="force_generic_plan",
            jit_above_cost="0",
            debug_parallel_query="on",
        ),
    ),
    Variant("database: notices in full", of_databases(client_min_messages="debug5", synchronous_commit="off")),
    Variant("database: all of it", of_databases(**EVERYTHING)),
    Variant("every role: all of it", tuple(f"alter role all set {each} = {EVERYTHING[each]}" for each in EVERYTHING)),
    Variant(
        "PGCLIENTENCODING, PGDATESTYLE, PGTZ",
        environment={"PGCLIENTENCODING": "LATIN1", "PGDATESTYLE": "SQL, DMY", "PGTZ": "Asia/Jakarta"},
    ),
    Variant("PGCLIENTENCODING, PGDATESTYLE, PGTZ without sense", environment=dict.fromkeys(
        ("PGCLIENTENCODING", "PGDATESTYLE", "PGTZ"), "nonsense"
    )),
    Variant(
        "PGOPTIONS",
        environment={
            "PGOPTIONS": "-c datestyle=German -c timezone=Asia/Jakarta -c search_path=nowhere -c bytea_output=escape "
            r"-c client_encoding=LATIN1 -c default_transaction_isolation=repeatable\ read -c statement_timeout=300ms"
        },
    ),
    Variant("URL: options", query="options=" + quote("-c datestyle=German -c timezone=Asia/Jakarta -c search_path=''")),
    Variant("URL: client_encoding, ssl, timeouts", query="client_encoding=LATIN1&sslmode=prefer&connect_timeout=3"),
    Variant("URL without a password, PGPASSWORD", environment={"PGPASSWORD": _PASSWORD, "PGSSLMODE": "disable"}),
    Variant("embedded: every variable of libpq", environment=LIBPQ, embedded=True),
    Variant("embedded: PGHOSTADDR", environment={"PGHOSTADDR": "192.0.2.1"}, embedded=True),
    Variant("embedded: PGSERVICE", environment={"PGSERVICE": "shop"}, embedded=True),
    Variant("embedded: PGSSLROOTCERT", environment={"PGSSLROOTCERT": "system"}, embedded=True),
    Variant("embedded: PGCHANNELBINDING", environment={"PGCHANNELBINDING": "require"}, embedded=True),
    Variant("embedded: PGOPTIONS read-only", environment={"PGOPTIONS": LIBPQ["PGOPTIONS"]}, embedded=True),
)  # fmt: skip


def variant(name: str) -> Variant:
    """The variant with this name."""
    (only,) = [each for each in VARIANTS if each.name == name]
    return only


@contextmanager
def surroundings(
    server: DatabaseUrls, played: Variant, folder: Path, *, through: Callable[[str], str] = lambda url: url
) -> Iterator[None]:
    """The environment of a process under the variant, with databases of its own on `server`.

    `folder`: the data folder whose embedded server this is; `through`: the way to a URL, such as by a pooler.
    """
    token = secrets.token_hex(4)
    names = {"app": f"matrix_app_{token}", "dagster": f"matrix_dagster_{token}", "role": f"matrix_{token}"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DATABASE_URL"))}
    environment = {
        **kept,
        **played.environment,
        "POSEGEN_HOME": str(folder),
        "STORAGE_LOCAL_PATH": str(folder / "matrix" / ("embedded" if played.embedded else token)),
        "POSEGEN_LISTEN_SECONDS": "0",
    }
    with _databases(server, played, names) as login:
        if not played.embedded:
            address = parse_url(server.application).login.rpartition("@")[2]
            password = "" if "PGPASSWORD" in played.environment else f":{_PASSWORD}"
            url = f"postgresql://{login}{password}@{address}/{names['app']}"
            environment |= {
                "DATABASE_URL": through(url) + (f"?{played.query}" if played.query else ""),
                "DAGSTER_DATABASE": names["dagster"],
            }
        with patch.dict(os.environ, environment, clear=True):
            yield


@contextmanager
def _databases(server: DatabaseUrls, played: Variant, names: Mapping[str, str]) -> Iterator[str]:
    identifiers = {name: sql.Identifier(value) for name, value in names.items()}
    made = [] if played.embedded else [
        "create role {role} login password 'matrix'",
        "create database {app} owner {role} template template0 encoding 'UTF8'",
        "create database {dagster} owner {role} template template0 encoding 'UTF8'",
    ]  # fmt: skip
    gone = ["alter role all reset all"] + ([] if played.embedded else [
        "drop database if exists {app} with (force)",
        "drop database if exists {dagster} with (force)",
        "drop owned by {role} cascade",
        "drop role {role}",
    ])  # fmt: skip
    with _administrator(server, "postgres") as administrator:
        for statement in made:
            administrator.execute(sql.SQL(statement).format(**identifiers))
    try:
        for database in ("app", "dagster") if not played.embedded else ():
            with _administrator(server, names[database]) as administrator:
                for statement in played.statements:
                    if not statement.startswith("create") or database == "app":
                        administrator.execute(sql.SQL(statement).format(**identifiers))
        yield names["role"]
    finally:
        with _administrator(server, "postgres") as administrator:
            for statement in gone:
                administrator.execute(sql.SQL(statement).format(**identifiers))


def _administrator(server: DatabaseUrls, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(parse_url(server.application).on(database), autocommit=True, client_encoding="UTF8")


def play(open_backend: Callable[[str], Backend]) -> list[str]:
    """The demonstration's requests in the environment of this process; what was not as it should be."""
    began = datetime.now(UTC)
    settings = load_settings()
    with open_server(settings) as urls, Database(urls.application) as database:
        store = LocalStore(settings.storage_path, base_url="/media")
        prepare_database(database, base_urls={"local": "/media"})
        require_own(database, store)
        studio = Studio(database=database, store=store, open_backend=open_backend)
        user, generations = _ask(urls, database)
        with patch.dict(os.environ, dagster_environment(settings, urls)):
            _work(studio, urls.application)
        pooled_engine(urls.dagster).dispose()
        problems = _check_rows(database, user, generations, began)
        return problems + _check_commands(user, generations[0], began)


def _ask(urls: DatabaseUrls, database: Database) -> tuple[UUID, list[UUID]]:
    """Insert the requests as a backend does that says UTF8 and leaves the rest as it comes."""
    with database.transaction() as connection:
        row = connection.execute("insert into users (name) values ('Ayu') returning id").fetchone()
        assert row is not None
        connection.execute("select grant_credits(%s, %s, 'a gift', 'test')", [row["id"], CREDITS])
    generations = []
    with psycopg.connect(urls.application, autocommit=True, client_encoding="UTF8") as backend:
        backend.execute("set search_path = public; set statement_timeout = 0; set idle_session_timeout = 0")
        for request in REQUESTS:
            given = {"user_id": row["id"], **request.request.columns}
            if "prompt" in given:
                given["prompt"] += EMOJI
            values = [
                Jsonb(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
                for value in given.values()
            ]
            statement = sql.SQL("insert into generation_requests ({}) values ({}) returning id::text").format(
                sql.SQL(", ").join(map(sql.Identifier, given)), sql.SQL(", ").join(sql.Placeholder() * len(given))
            )
            (made,) = backend.execute(statement, values).fetchone() or ("",)
            generations.append(UUID(made))
    return row["id"], generations


@dg.asset
def _noted() -> int:
    return 1


def _work(studio: Studio, url: str) -> None:
    """The request sensor's ticks, and in this process what the runs do that they ask for."""
    with dg.DagsterInstance.get() as instance:
        for _ in range(3):
            resources = resources_of(generation_requests, url=url)
            with dg.build_sensor_context(instance=instance, resources=resources) as tick:
                answer = generation_requests(tick)
            assert isinstance(answer, dg.SensorResult | dg.SkipReason)
            for request in getattr(answer, "run_requests", None) or []:
                lease = start_work(
                    studio.database,
                    UUID(request.partition_key),
                    dispatch=int(request.tags[DISPATCH_TAG]),
                    run_id=f"run-{request.partition_key}",
                    lease_seconds=60,
                )
                assert lease is not None
                work(studio, lease)
        noted = dg.materialize([_noted], instance=instance, resources={"io_manager": dg.mem_io_manager})
        (event,) = instance.get_records_for_run(noted.run_id, of_type=dg.DagsterEventType.RUN_SUCCESS).records
        run = instance.get_run_record_by_id(noted.run_id)
        assert run is not None
        assert abs(run.create_timestamp.timestamp() - event.timestamp) < 60, "Dagster's clock is another one"


def _check_rows(database: Database, user: UUID, generations: list[UUID], began: datetime) -> list[str]:
    problems = []
    with database.transaction() as connection:
        rows = {
            row["generation_id"]: row
            for row in connection.execute(
                "select r.*, g.attempts, g.lost_leases from generation_results r "
                "join generations g on g.id = r.generation_id where r.user_id = %s",
                [user],
            )
        }
        account = connection.execute("select * from accounts where user_id = %s", [user]).fetchone()
        prompts = connection.execute(
            "select prompt from generation_requests where user_id = %s and prompt is not null", [user]
        ).fetchall()
    assert account is not None
    for generation, request in zip(generations, REQUESTS, strict=True):
        row = rows[generation]
        if row["status"] != request.expected:
            problems.append(f"{request.name}: {row['status']} {row['error_code']} {row['error_detail']}")
        if row["created_at"].utcoffset() != timedelta(0) or not began <= row["created_at"] <= datetime.now(UTC):
            problems.append(f"{request.name}: asked at {row['created_at']}")
        if any(row[count] for count in ("attempts", "lost_leases", "poses_failed")):
            problems.append(f"{request.name}: {row}")
    spent = sum(row["credits_spent"] for row in rows.values())
    balances = (account["credits_available"], account["credits_held"], account["credits_spent"])
    if spent == 0 or balances != (CREDITS - spent, 0, spent):
        problems.append(f"{spent} credits were spent, and the account has {balances}")
    if not all(row["prompt"].endswith(EMOJI) for row in prompts):
        problems.append(f"prompts came as {prompts}")
    return problems


def _check_commands(user: UUID, generation: UUID, began: datetime) -> list[str]:
    """What the commands show: the hour of now as UTC, and no rule broken."""
    problems = []
    expected = {f"{moment:%m-%d %H:}" for moment in (began, datetime.now(UTC))}
    for arguments in (("status", "--limit", "1"), ("credits", "show", user), ("explain", generation)):
        code, said = _posegen(*arguments)
        if code != 0 or not any(hour in said for hour in expected):
            problems.append(f"posegen {' '.join(map(str, arguments))}: {code}: {said[-300:]}")
    code, said = _posegen("verify", "--json")
    if code != 0:
        broken = [rule for rule in json.loads(said) if rule["violations"]] if said.startswith("[") else said[-300:]
        problems.append(f"posegen verify: {broken}")
    return problems


def _posegen(*arguments: object) -> tuple[int, str]:
    """Exit code and output of a command, run in this process."""
    out = io.StringIO()
    with patch.object(sys, "argv", ["posegen", *map(str, arguments)]), redirect_stdout(out), redirect_stderr(out):
        try:
            main()
        except SystemExit as ended:
            return (ended.code if isinstance(ended.code, int) else int(ended.code is not None)), out.getvalue()
    return 0, out.getvalue()
