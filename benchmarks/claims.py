"""The queue under load: claims out of 200,000 waiting generations, polls that find nothing, and submissions.

`./uvw run python -m benchmarks.claims` writes the table to `benchmarks/claims.md`. It starts a PostgreSQL of its own in
a temporary folder; 1,000 users wait in it with 200 generations each. Fair order is on, as it always is.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from rich.progress import track

from benchmarks.running_platform import machine
from posegen.database.connection import Database
from posegen.database.server import open_server
from posegen.generations.asking.claims import claim_next
from posegen.generations.making.recovery import TimeLimits, recover
from posegen.settings import Settings
from posegen.upkeep.preparing import prepare_database
from posegen.work.rules import RetryRule
from posegen.work.worker_home import WorkerHome

QUEUED = 200_000
USERS = 1_000
BATCH = 50
ROUNDS = 40
SUBMISSIONS = 200
WARM_UP = 3

# As a busy day leaves them: requests of all users mixed, each user's at their turns.
FILL = """
insert into users (id, name) select gen_random_uuid(), 'user ' || n from generate_series(1, %(users)s) n;
create temp table numbered as select id, row_number() over () as number from users;
set session_replication_role = replica;
insert into generation_requests (id, user_id, poses, created_at)
select gen_random_uuid(), u.id, '{star-jump}', now() - make_interval(secs => %(queued)s - n)
from generate_series(1, %(queued)s) n join numbered u on u.number = n % %(users)s + 1;
insert into generations (id, user_id, status, priority, turn, poses_total, backend, submitted_at, queued_at)
select r.id, r.user_id, 'queued', 0, row_number() over (partition by r.user_id order by r.created_at, r.id), 1,
       'mannequin', r.created_at, r.created_at
from generation_requests r;
set session_replication_role = origin;
"""


@dataclass
class Series:
    """One operation, repeated. Milliseconds."""

    what: str
    times: list[float] = field(default_factory=list)

    def row(self) -> str:
        """A row of the table."""
        ordered = sorted(self.times)
        p95 = ordered[round(0.95 * (len(ordered) - 1))]
        return f"| {self.what} | {len(ordered)} | {statistics.median(ordered):.2f} | {p95:.2f} | {ordered[-1]:.2f} |"


def main() -> None:
    """Measure and write the table."""
    where = machine()
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as urls, Database(urls.application) as database:
        prepare_database(database, base_urls={"local": "/media"})
        _fill(database)
        claim, claim_plan = Claimer(database), _plan(database, _choosing())
        rows = [
            _repeat(f"claim of {BATCH} of {QUEUED:,}, with their events", ROUNDS, claim, after_each=claim.finish),
            _repeat("poll with every slot taken", ROUNDS * 5, lambda: claim_next(database, most_running=0)),
            _repeat(
                f"poll for a hosted backend, with {QUEUED:,} of another",
                ROUNDS,
                lambda: claim_next(database, most_running=0, most_waiting=BATCH, hosted={"fal"}),
            ),
            _repeat(f"choosing {BATCH} of {QUEUED:,}", ROUNDS, lambda: _choose(database)),
            _repeat("recovery pass that finds nothing", ROUNDS * 5, lambda: _recover(database, Path(folder))),
        ]
        rows.append(_repeat("the same without its index", 10, lambda: _choose(database, index=False)))
        with _held_back(database):
            rows.append(_repeat("poll while the breaker of every backend is open", ROUNDS, claim))
        _empty(database)
        rows.append(
            _repeat(f"empty poll, {QUEUED:,} just ended and autovacuum still to come", ROUNDS * 5, Claimer(database))
        )
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("vacuum (analyze) generations")
        rows.append(_repeat("empty poll", ROUNDS * 5, Claimer(database)))
        empty_plan = _plan(database, _choosing())
        rows += _submissions(urls.application)
    _write(where, rows, claim_plan, empty_plan)


def _server(folder: Path) -> object:
    return open_server(Settings(posegen_home=folder, database_url=None))


def _fill(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(FILL.replace("%(users)s", str(USERS)).replace("%(queued)s", str(QUEUED)))
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("vacuum (analyze) generations")


def _repeat(
    what: str, times: int, call: Callable[[], object], *, after_each: Callable[[], object] = lambda: None
) -> Series:
    series = Series(what)
    for number in track(range(times + WARM_UP), what[:60]):
        began = time.perf_counter()
        call()
        if number >= WARM_UP:
            series.times.append((time.perf_counter() - began) * 1000)
        after_each()
    return series


class Claimer:
    """Claims one batch after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self) -> None:
        """One batch."""
        claim_next(self._database, most_running=BATCH)

    def finish(self) -> None:
        """Let what was claimed be done, so that every slot is free again."""
        with psycopg.connect(self._database.url) as connection:
            connection.execute("set session_replication_role = replica")
            connection.execute(
                "update generations set status = 'completed', finished_at = now() where status = 'dispatched'"
            )


def _choose(database: Database, *, index: bool = True) -> None:
    """What the claiming statement begins with; given up again."""
    with database.transaction() as connection:
        if not index:
            for kind in ("indexscan", "indexonlyscan", "bitmapscan"):
                connection.execute(f"set local enable_{kind} = off".encode())
        assert len(connection.execute(_choosing().encode()).fetchall()) == BATCH
        raise psycopg.Rollback


def _recover(database: Database, folder: Path) -> None:
    assert recover(database, RetryRule(), TimeLimits(), worker_home=WorkerHome(folder / "workers")) == []


class _held_back:  # noqa: N801 - a context
    """While it lasts, the breaker of every backend is open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._execute(
            "insert into backend_breakers (backend, failures, openings, opened_at, retry_at) "
            "values ('mannequin', 3, 1, now(), now() + interval '1 hour')"
        )

    def __exit__(self, *_: object) -> None:
        self._execute("delete from backend_breakers")

    def _execute(self, statement: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(statement.encode())


def _empty(database: Database) -> None:
    """As if everything had been made since, and autovacuum had not come by yet."""
    with psycopg.connect(database.url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update generations set status = 'completed', finished_at = now(), lease_expires_at = null where true"
        )


def _submissions(url: str) -> list[Series]:
    """One statement each, sent as drivers send it: one round trip to the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        (user,) = connection.execute("select id from users limit 1").fetchone() or (uuid4(),)

        def insert() -> None:
            connection.execute(
                "insert into generation_requests (user_id, poses) values (%s, %s)", [user, ["star-jump"]]
            )

        def submit(key: UUID | None = None) -> None:
            connection.execute(
                "select * from submit_generation(%s, %s, %s)", [user, str(key or uuid4()), ["star-jump"]]
            )

        again = uuid4()
        return [
            _repeat("submission by INSERT, one round trip", SUBMISSIONS, insert),
            _repeat("submission by submit_generation, one round trip", SUBMISSIONS, submit),
            _repeat("the same submission again", SUBMISSIONS, lambda: submit(again)),
            _repeat("for comparison: `select 1`", SUBMISSIONS, lambda: connection.execute("select 1")),
        ]


def _choosing() -> str:
    """What chooses whom to claim, as `queue.claim_queued` has it."""
    return f"""
        with first as materialized (
            select id from generations where status = 'queued' and not_before <= now()
                and user_id <> all('{{}}'::uuid[]) and backend <> all('{{}}'::text[])
            order by priority desc, turn, submitted_at, id limit {BATCH}
        )
        select g.id from first join generations g on g.id = first.id
        where g.status = 'queued' for update of g skip locked
    """


def _plan(database: Database, statement: str) -> str:
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(f"explain (analyze, buffers, costs off, summary off) {statement}".encode()).fetchall()
        connection.rollback()
    return "\n".join(row[0] for row in rows)


def _write(where: str, rows: list[Series], claim_plan: str, empty_plan: str) -> None:
    table = "\n".join(series.row() for series in rows)
    text = f"""# Claims

`./uvw run python -m benchmarks.claims`: {QUEUED:,} queued generations of {USERS:,} users.
{where}.

| | times | p50 ms | p95 ms | max ms |
|---|---:|---:|---:|---:|
{table}

A claim is one transaction: a lock, the free slots, the claiming statement, and an event for each of the {BATCH}.

How the next {BATCH} are chosen, of {QUEUED:,}. Whose turn it is, and who may not go, is decided in the index alone;
only the {BATCH} that are locked are visited:

```text
{claim_plan}
```

With nothing waiting:

```text
{empty_plan}
```
"""
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
