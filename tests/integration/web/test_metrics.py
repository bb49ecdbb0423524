"""`/metrics` beside a world whose numbers are known, and what it says when the database is away."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from posegen.database.connection import Database
from posegen.error_codes import ErrorCode
from posegen.generations.making.outcomes import GENERATIONS
from posegen.policy.policy import Category
from posegen.storage.local import LocalStore
from posegen.storage.space import Space
from posegen.storage.traffic import Operation
from posegen.upkeep.metrics import move_mark, note_findings, numbers, read_numbers
from posegen.web.metrics import exposition, metrics_route
from posegen.work.outcomes import retry_after_error
from posegen.work.rules import RetryRule
from tests import hosted
from tests.builders import (
    SLUGS,
    a_request,
    a_user,
    claimed,
    execute,
    finished,
    queued,
    running,
    take_in,
    taken_over,
    value,
)
from tests.web_server import served

SPACE = Space(free=30 * 10**9, size=100 * 10**9)
Samples = dict[tuple[str, ...], float]


def samples_of(text: str) -> Samples:
    """What the exposition says: name of a sample and values of its labels, by the labels' names, to its value."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, *(value for _, value in sorted(sample.labels.items())))
            assert key not in found, key
            found[key] = sample.value
    return found


def told(database: Database) -> Samples:
    """What a scrape would tell now."""
    with database.transaction() as connection:
        return samples_of(exposition(numbers(connection), SPACE).decode())


def named(samples: Samples, name: str) -> dict[Any, float]:
    """The samples of one metric by the values of their labels."""
    return {key[1:]: value for key, value in samples.items() if key[0] == name}


def above_zero(samples: Samples, name: str) -> dict[Any, float]:
    """The same without those that have not happened yet."""
    return {labels: value for labels, value in named(samples, name).items() if value}


def a_failed_generation(database: Database) -> None:
    """One that ends with its first error."""
    lease = running(database)
    retry_after_error(database, GENERATIONS, lease, RetryRule(most_attempts=1), reason="a defect")


# --- a world that is known -----------------------------------------------------------------------------------------


def test_an_empty_installation_is_up_and_has_nothing_to_tell(database: Database) -> None:
    samples = told(database)

    assert samples["posegen_up",] == 1
    assert named(samples, "posegen_queue_generations") == {("submitted",): 0, ("queued",): 0}
    assert samples["posegen_queue_oldest_age_seconds",] == 0
    assert samples["posegen_credits_held",] == 0
    for name in ("posegen_recovery_last_hour_seconds", "posegen_findings", "posegen_store_operations_total"):
        assert named(samples, name) == {}, name


def test_what_can_happen_is_told_before_it_does_so_that_the_first_time_is_an_increase(database: Database) -> None:
    samples = told(database)

    assert named(samples, "posegen_generations_finished_total") == {
        (status,): 0 for status in ("completed", "partial", "failed", "cancelled")
    }
    assert named(samples, "posegen_generations_failed_total") == {(code.value,): 0 for code in ErrorCode}
    assert named(samples, "posegen_generations_requeued_total") == {("lost_lease",): 0, ("error",): 0}


def test_refusals_of_the_policy_are_told_by_category(database: Database) -> None:
    a_request(database, a_user(database), prompt="a naked person")
    take_in(database)

    refusals = named(told(database), "posegen_policy_refusals_last_hour")

    assert refusals == {(category.value,): int(category == "sexual") for category in Category}


def test_generations_are_told_by_where_they_stand(studio: Any) -> None:
    database = studio.database
    user = a_user(database, credits=1000)
    finished(studio, user)
    a_failed_generation(database)
    running(database, user)
    claimed(database, user)
    waiting = queued(database, user)
    execute(database, "update generations set submitted_at = now() - interval '5 minutes' where id = %s", waiting)

    samples = told(database)

    assert named(samples, "posegen_queue_generations") == {("submitted",): 0, ("queued",): 1}
    assert samples["posegen_queue_oldest_age_seconds",] == pytest.approx(300, abs=60)
    assert named(samples, "posegen_generations_under_way") == {("dispatched",): 1, ("running",): 1}
    assert above_zero(samples, "posegen_generations_finished_total") == {("completed",): 1, ("failed",): 1}
    assert above_zero(samples, "posegen_generations_failed_total") == {("poisoned",): 1}
    assert samples["posegen_credits_held",] == 3 * 30
    assert named(samples, "posegen_backend_renderings_last_hour") == {("mannequin",): 1}
    quantiles = named(samples, "posegen_backend_render_last_hour_seconds")
    assert set(quantiles) == {("mannequin", "0.5"), ("mannequin", "0.95"), ("mannequin", "1")}


def test_renderings_of_the_last_hour_have_their_quantiles(studio: Any) -> None:
    generation = finished(studio, variations=20)
    finished(studio)
    execute(studio.database, "update generated_poses set render_ms = 100 * (position + 1)")
    execute(
        studio.database,
        "update generated_poses set completed_at = now() - interval '61 minutes' where generation_id <> %s",
        generation,
    )

    samples = told(studio.database)

    assert named(samples, "posegen_backend_renderings_last_hour") == {("mannequin",): 20}
    assert named(samples, "posegen_backend_render_last_hour_seconds") == {
        ("mannequin", "0.5"): pytest.approx(1.05),
        ("mannequin", "0.95"): pytest.approx(1.905),
        ("mannequin", "1"): pytest.approx(2.0),
    }


def test_lost_leases_and_errors_are_told_apart_and_recoveries_have_their_time(database: Database) -> None:
    lease = running(database)
    lease = taken_over(database, lease.id)
    retry_after_error(database, GENERATIONS, lease, RetryRule(), reason="an error")
    execute(database, "update generations set not_before = now()")
    # The recovery took 8 s; what was put back after the error still waits.
    execute(
        database,
        "update events set created_at = created_at - interval '8 seconds' where kind = 'requeued' "
        "and sequence = (select min(sequence) from events where kind = 'requeued')",
    )

    samples = told(database)

    assert above_zero(samples, "posegen_generations_requeued_total") == {("lost_lease",): 1, ("error",): 1}
    assert samples["posegen_recoveries_last_hour",] == 1
    assert samples["posegen_recovery_last_hour_seconds", "1"] == pytest.approx(8, abs=2)


def test_what_only_grows_stays_when_its_rows_are_cleaned_up_and_counts_nothing_twice(studio: Any) -> None:
    database = studio.database
    finished(studio)
    a_failed_generation(database)
    taken_over(database, running(database).id)
    before = {key: value for key, value in told(database).items() if key[0].endswith("_total")}
    execute(
        database, "update generations set finished_at = finished_at - interval '20 minutes' where status = 'failed'"
    )
    execute(database, "update events set created_at = created_at - interval '20 minutes' where kind = 'requeued'")

    for _ in range(2):
        with database.transaction() as connection:
            move_mark(connection)
        assert {key: value for key, value in told(database).items() if key[0].endswith("_total")} == before
    execute(database, "delete from events where kind = 'requeued'")

    assert {key: value for key, value in told(database).items() if key[0].endswith("_total")} == before
    assert above_zero(told(database), "posegen_generations_requeued_total") == {("lost_lease",): 1}


def test_a_breaker_is_told_open_or_closed(database: Database) -> None:
    execute(database, "insert into backend_breakers (backend) values ('steady')")
    execute(database, "insert into backend_breakers (backend, opened_at, retry_at) values ('away', now(), now())")

    assert named(told(database), "posegen_backend_breaker_open") == {("steady",): 0, ("away",): 1}


def of_calls(samples: Samples) -> dict[str, dict[Any, float]]:
    """What is told of the calls of the hosted backend, by metric and label, without zeros."""
    told_of: dict[str, dict[Any, float]] = {}
    for (name, *labels), number in samples.items():
        if "backend" in name and labels[:1] == [hosted.NAME] and number:
            told_of.setdefault(name.removeprefix("posegen_backend_"), {})[tuple(labels[1:])] = number
    return told_of


def test_calls_of_a_hosted_backend_are_told_with_what_they_cost(studio: Any) -> None:
    finished(hosted.photographing(studio, hosted.FarEndInProcess()), poses=SLUGS[:2], backend=hosted.NAME)
    execute(studio.database, "update backend_calls set sent_at = delivered_at - interval '10 s'")

    samples = told(studio.database)

    assert {name: each for name, each in of_calls(samples).items() if "render" not in name} == {
        "calls_total": {("used",): 2},
        "files_total": {(): 2},
        "files_seconds_total": {(): 20},
        "usd_total": {("response",): 0.15},
    }
    assert samples["posegen_backend_calls_total", hosted.NAME, "uncertain"] == 0
    assert samples["posegen_backend_usd_total", hosted.NAME, "invoice"] == 0
    assert samples["posegen_backend_calls_open", hosted.NAME, "accepted"] == 0
    assert samples["posegen_backend_oldest_open_call_seconds", hosted.NAME] == 0


def test_open_calls_are_told_with_the_age_of_the_oldest(studio: Any) -> None:
    finished(hosted.photographing(studio, hosted.FarEndInProcess()), poses=SLUGS[:2], backend=hosted.NAME)
    execute(
        studio.database,
        """
        update backend_calls c set state = 'accepted', ended_at = null, settled_at = null, object_id = null,
            planned_at = now() - p.position * interval '1 hour'
        from generated_poses p where p.id = c.pose_id
        """,
    )

    samples = told(studio.database)

    assert samples["posegen_backend_calls_open", hosted.NAME, "accepted"] == 2
    assert samples["posegen_backend_calls_open", hosted.NAME, "sent"] == 0
    assert samples["posegen_backend_oldest_open_call_seconds", hosted.NAME] == pytest.approx(3600, abs=60)


@pytest.mark.parametrize(
    ("state", "when"), [("accepted", "ended_at = null, settled_at = null"), ("cancelled", "settled_at = null")]
)
def test_calls_count_once_whatever_is_learned_of_them_and_when(studio: Any, state: str, when: str) -> None:
    database = studio.database
    finished(hosted.photographing(studio, hosted.FarEndInProcess()), poses=SLUGS[:2], backend=hosted.NAME)
    execute(database, "update backend_calls set planned_at = now() - interval '1 hour'")
    late = value(database, "select id from backend_calls limit 1")
    execute(
        database,
        f"update backend_calls set state = %s, {when}, billed_usd = null, bill_source = null where id = %s",
        *(state, late),
    )

    def usd() -> float:
        with database.transaction() as connection:
            move_mark(connection)
        return told(database)["posegen_backend_usd_total", hosted.NAME, "response"]

    assert usd() == usd() == 0.075
    assert above_zero(told(database), "posegen_backend_calls_total") == {(hosted.NAME, "used"): 1}
    execute(
        database,
        "update backend_calls set state = 'uncertain', ended_at = now(), settled_at = now(), billed_usd = 0.075, "
        "bill_source = 'response' where id = %s",
        late,
    )
    assert usd() == usd() == 0.15
    ended = above_zero(told(database), "posegen_backend_calls_total")
    assert ended == {(hosted.NAME, "used"): 1, (hosted.NAME, "uncertain"): 1}
    assert value(database, "select count(*) from backend_calls, tally_mark where planned_at >= counted_to") == 0


def test_the_traffic_of_stores_is_added_up_over_all_days(database: Database) -> None:
    execute(
        database,
        """
        insert into store_traffic (store, day, operation, operations, bytes, errors, seconds) values
            ('local', '2026-03-01', 'write', 10, 1000, 1, 0.5), ('local', '2026-03-02', 'write', 5, 500, 2, 0.25),
            ('local', '2026-03-02', 'read', 7, 70, 0, 0.125)
        """,
    )

    samples = told(database)

    read, write = ((operation.value, "local") for operation in (Operation.READ, Operation.WRITE))
    assert named(samples, "posegen_store_operations_total") == {write: 15, read: 7}
    assert named(samples, "posegen_store_bytes_total")[write] == 1500
    assert named(samples, "posegen_store_errors_total") == {write: 3, read: 0}
    assert named(samples, "posegen_store_operation_seconds_total")[write] == 0.75
    assert samples["posegen_local_store_free_bytes",] == 30 * 10**9
    assert samples["posegen_local_store_size_bytes",] == 100 * 10**9


def test_the_last_findings_and_open_incidents_are_told(database: Database) -> None:
    with database.transaction() as connection:
        note_findings(connection, "verify", 3)
        note_findings(connection, "verify", 2)
        note_findings(connection, "reconcile", 0)
    execute(
        database,
        """
        insert into incidents (kind, severity, summary, closed_at) values
            ('queue_age', 'critical', 'it stands', null), ('disk_full', 'critical', 'it was', now())
        """,
    )

    samples = told(database)

    assert named(samples, "posegen_findings") == {("reconcile",): 0, ("verify",): 2}
    assert samples["posegen_findings_timestamp_seconds", "verify"] > 1_700_000_000
    assert named(samples, "posegen_incidents_open") == {("queue_age", "critical"): 1}


# --- a server ------------------------------------------------------------------------------------------------------


@pytest.fixture
def scrape(database: Database, tmp_path: Path) -> Any:
    """Ask a real server that reads the numbers at a URL; status, headers and text."""

    def ask(url: str) -> tuple[int, Any, str]:
        route = metrics_route(partial(read_numbers, url), local_store=tmp_path / "not" / "there")
        with served(Starlette(routes=[route])) as port:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=180) as answer:
                    return answer.status, answer.headers, answer.read().decode()
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code, refused.headers, refused.read().decode()

    return ask


def test_a_scrape_is_answered_as_prometheus_reads_it(database: Database, scrape: Any, store: LocalStore) -> None:
    queued(database)

    status, headers, text = scrape(database.url)

    samples = samples_of(text)
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert (samples["posegen_up",], samples["posegen_queue_generations", "queued"]) == (1, 1)
    assert 0 < samples["posegen_local_store_free_bytes",] <= samples["posegen_local_store_size_bytes",]


def test_without_its_database_a_scrape_is_told_so(scrape: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    status, _, text = scrape(f"postgresql://nobody:secret@127.0.0.1:{port}/gone")

    assert status == 503
    assert text.startswith("# The database does not respond")
    assert samples_of(text) == {("posegen_up",): 0}
    assert "secret" not in text
