"""Steps of a tick are independent: whatever one of them meets, the others run, and operators are told of it once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster import DagsterRunStatus as Status
from dagster._core.storage.tags import RUN_KEY_TAG
from structlog.testing import capture_logs

from posegen.designs import rows as design_rows
from posegen.errors import DatabaseUnusable, PartlyDone
from posegen.generations import kind
from posegen.generations.asking import intake
from posegen.storage.space import Space
from posegen.upkeep.health import HealthRule, Thresholds, judge
from posegen.upkeep.health_rows import look
from posegen.upkeep.incidents import follow
from posegen.upkeep.metrics import read_numbers
from posegen.web.metrics import exposition
from posegen.work import failing_steps as steps
from posegen.work import outcomes as work_outcomes
from posegen.work.steps import Apart, Steps
from sensors import alerts, outcomes, requests
from tests.builders import (
    a_design,
    a_request,
    a_user,
    claimed,
    claimed_design,
    execute,
    expire_lease,
    result,
    row,
    rows,
    running,
    status,
    value,
)
from tests.conftest import BASE_URL
from tests.deployments import resources_of


@dg.job(name="generate")
def generate():
    """Stands in for the job; nothing is executed here."""


@pytest.fixture
def tick(instance, database, tmp_path: Path, monkeypatch):
    """One evaluation of a sensor, as the daemon asks for it; the keys of the runs that it starts."""
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", "0.01")

    def evaluate(sensor: dg.SensorDefinition) -> list[str]:
        asked_for = resources_of(sensor, url=database.url, posegen_home=tmp_path, storage_base_url=BASE_URL)
        with dg.build_sensor_context(instance=instance, resources=asked_for) as context:
            answer = sensor(context)
        return (
            [str(each.run_key) for each in (answer.run_requests or [])] if isinstance(answer, dg.SensorResult) else []
        )

    return evaluate


def breaks(*_: object, **__: object) -> None:
    raise ValueError("a defect of ours")


def failing(database) -> list[tuple[str, str]]:
    with database.transaction() as connection:
        return [(each.tick, each.step) for each in steps.failing_steps(connection)]


# --- each step of each sensor ---------------------------------------------------------------------------------------


def everything_to_do(database) -> dict[str, Any]:
    """Something to do for each step of the sensors of generations and designs."""
    lost = running(database)
    expire_lease(database, lost.id)
    note = "insert into lost_runs (run_id, work, work_id, reason) values ('r', 'generations', %s, 'x')"
    execute(database, note, lost.id)
    unsent = claimed(database)
    execute(database, "update generations set dispatched_at = now() - interval '1 min' where status = 'dispatched'")
    return {"lost": lost.id, "unsent": unsent, "asked": a_request(database, a_user(database))}


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        ("posegen.generations.kind.recover", "recovery"), ("posegen.work.tick._lost_runs", "lost_runs"),
        ("posegen.generations.kind.take_in", "intake"), ("posegen.work.tick._unstarted_claims", "claims_without_run"),
        ("posegen.generations.kind.claim_next", "claims"),
    ],
)  # fmt: skip
def test_a_step_of_generations_that_fails_keeps_none_of_the_others_from_running(
    database, tick, monkeypatch, broken, step
):
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "5")
    there = everything_to_do(database)
    monkeypatch.setattr(broken, breaks)

    keys = tick(requests.generation_requests)

    assert failing(database) == [("generation_requests", step)]
    assert (status(database, there["lost"]) == "running") == (step == "recovery")
    assert bool(rows(database, "select from lost_runs where run_id = 'r'")) == (step == "lost_runs")
    assert (status(database, there["asked"]) == "submitted") == (step == "intake")
    assert (f"{there['unsent'].id}:1" in keys) == (step != "claims_without_run")
    new = f"{there['asked']}:1" in keys
    assert new == (step not in {"intake", "claims"})


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        ("posegen.work.recovery.recover", "recovery"), ("posegen.work.tick._unstarted_claims", "claims_without_run"),
        ("posegen.designs.kind.claim_designs", "claims"), ("posegen.designs.kind.clear_deleted", "deleted_designs"),
    ],
)  # fmt: skip
def test_a_step_of_designs_that_fails_keeps_none_of_the_others_from_running(database, tick, monkeypatch, broken, step):
    unsent = claimed_design(database)
    execute(database, "update designs set dispatched_at = now() - interval '1 min'")
    execute(database, "insert into deleted_designs (design_id) values (gen_random_uuid())")
    new = a_design(database)
    monkeypatch.setattr(broken, breaks)

    keys = tick(requests.design_requests)

    assert failing(database) == [("design_requests", step)]
    assert (f"design:{unsent.id}:1" in keys) == (step != "claims_without_run")
    assert (f"design:{new}:1" in keys) == (step != "claims")
    assert bool(rows(database, "select from deleted_designs")) == (step == "deleted_designs")


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        ("posegen.work.recovery.recover", "recovery"),
        ("posegen.work.tick._unstarted_claims", "claims_without_run"),
        ("posegen.variants.work.claim_batch", "claims"),
    ],
)
def test_a_step_of_variants_that_fails_keeps_none_of_the_others_from_running(database, tick, monkeypatch, broken, step):
    ask = "insert into image_requests (user_id, tool, source) values (gen_random_uuid(), 'editor', 'poses/x.png')"
    execute(database, ask)
    (unsent,) = tick(requests.image_requests)
    execute(database, "update image_variants set dispatched_at = now() - interval '1 min'")
    execute(database, ask)
    monkeypatch.setattr(broken, breaks)

    keys = tick(requests.image_requests)

    assert failing(database) == [("image_requests", step)]
    assert (unsent in keys) == (step != "claims_without_run")
    assert (len(set(keys) - {unsent}) == 1) == (step != "claims")


# --- one bad item of a step -----------------------------------------------------------------------------------------


def test_one_run_that_cannot_be_read_does_not_keep_other_claims_from_being_sent_again(
    instance, database, tick, monkeypatch
):
    bad, good = claimed(database), claimed(database)
    execute(database, "update generations set dispatched_at = now() - interval '1 min'")
    get_runs = instance.get_runs

    def get(filters, **options):
        if filters.tags[RUN_KEY_TAG].startswith(str(bad.id)):
            raise KeyError("a tag that is not there")
        return get_runs(filters=filters, **options)

    monkeypatch.setattr(instance, "get_runs", get)

    assert tick(requests.generation_requests) == [f"{good.id}:1"]


def test_one_lost_run_that_cannot_be_ended_does_not_keep_the_others_from_being_ended(
    instance, database, tick, monkeypatch
):
    generation = running(database).id
    runs = [instance.create_run_for_job(generate, status=Status.STARTED).run_id for _ in range(3)]
    for run in runs:
        note = "insert into lost_runs (run_id, work, work_id, reason) values (%s, 'generations', %s, '-')"
        execute(database, note, run, generation)
    report = instance.report_run_failed

    def report_run_failed(run, *rest):
        if run.run_id == runs[0]:
            raise RuntimeError("this one cannot be ended")
        return report(run, *rest)

    monkeypatch.setattr(instance, "report_run_failed", report_run_failed)

    tick(requests.generation_requests)

    assert [each["run_id"] for each in rows(database, "select run_id from lost_runs")] == [runs[0]]
    assert {instance.get_run_by_id(run).status for run in runs[1:]} == {Status.FAILURE}


def test_one_generation_that_cannot_be_recovered_does_not_keep_the_others_from_it(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "5")
    leases = [running(database, run=f"run-{number}") for number in range(3)]
    for lease in leases:
        expire_lease(database, lease.id)
    note = work_outcomes.note_lost_run

    def note_lost_run(connection, run_id, *rest):
        if run_id == "run-0":
            connection.execute("select 'no number'::integer")
        note(connection, run_id, *rest)

    monkeypatch.setattr(work_outcomes, "note_lost_run", note_lost_run)

    tick(requests.generation_requests)

    assert [status(database, lease.id) for lease in leases] == ["running", "dispatched", "dispatched"]


def test_one_design_that_cannot_be_read_fails_and_the_others_are_claimed(database, tick, monkeypatch):
    asked = [a_design(database) for _ in range(3)]
    request_of = design_rows.request_of

    def read(connection, design_id):
        if design_id == asked[1]:
            connection.execute("select 'no number'::integer")
        return request_of(connection, design_id)

    monkeypatch.setattr(design_rows, "request_of", read)

    assert sorted(tick(requests.design_requests)) == sorted(f"design:{each}:1" for each in (asked[0], asked[2]))
    failed = row(database, "select status, error_code, error_detail from designs where id = %s", asked[1])
    assert (failed["status"], failed["error_code"]) == ("failed", "poisoned")
    assert "InvalidTextRepresentation" in failed["error_detail"]


@pytest.mark.parametrize(
    "meets",
    [
        lambda _: breaks(),
        lambda connection: connection.execute("select 'no number'::integer"),
        lambda connection: connection.execute("select convert_from('\\xff', 'UTF8')"),
        lambda _: (_ for _ in ()).throw(RecursionError("too deep")),
        lambda _: (_ for _ in ()).throw(psycopg.errors.ProgramLimitExceeded("index row too wide")),
        lambda _: (_ for _ in ()).throw(MemoryError()),
    ],
)
def test_a_request_fails_once_whatever_reading_it_raises_and_its_neighbours_are_queued(
    database, tick, monkeypatch, meets: Callable[[Any], object]
):
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "5")
    user = a_user(database)
    asked = [a_request(database, user) for _ in range(3)]
    read = intake.submission_of

    def submission_of(connection, generation_id):
        if generation_id == asked[1]:
            meets(connection)
        return read(connection, generation_id)

    monkeypatch.setattr(intake, "submission_of", submission_of)

    assert tick(requests.generation_requests) == [f"{asked[0]}:1", f"{asked[2]}:1"]

    failed = result(database, asked[1])
    assert (failed["status"], failed["error_code"]) == ("failed", "poisoned")
    assert failed["error_detail"].startswith("Intake met a defect: ")
    assert failing(database) == [], "the row failed, not the step"


def test_a_session_that_holds_an_account_holds_up_that_user_only(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "5")
    held, free = a_user(database), a_user(database)
    waiting = [a_request(database, held) for _ in range(20)]
    others = [a_request(database, free) for _ in range(3)]

    with psycopg.connect(database.url) as session:
        session.execute("select from accounts where user_id = %s for update", [held])
        assert tick(requests.generation_requests) == [f"{each}:1" for each in others]
        assert {status(database, each) for each in waiting} == {"submitted"}
    assert failing(database) == [("generation_requests", "intake")]

    tick(requests.generation_requests)
    assert {status(database, each) for each in waiting} <= {"queued", "dispatched"}


# --- what operators are told ----------------------------------------------------------------------------------------


def test_a_failing_step_is_logged_once_counted_each_time_and_opens_one_incident(database, tick, monkeypatch):
    monkeypatch.setattr(kind, "take_in", breaks)
    with capture_logs() as logs:
        for _ in range(3):
            tick(requests.generation_requests)

    told = [each for each in logs if each["event"] == "step failed"]
    assert [(each["tick"], each["step"]) for each in told] == [("generation_requests", "intake")]
    assert told[0]["cause"] == "ValueError in tests/integration/sensors/test_independent_steps.py:breaks"
    failures = value(database, "select failures from step_failures")
    assert failures >= 3
    metrics = exposition(read_numbers(database.url), Space(1, 1)).decode()
    assert f'posegen_step_failures_total{{sensor="generation_requests",step="intake"}} {float(failures)}' in metrics
    assert 'posegen_step_failing{sensor="generation_requests",step="intake"} 1.0' in metrics
    (incident,) = rows(database, "select kind, subject, severity, summary from incidents where closed_at is null")
    assert (incident["kind"], incident["subject"]) == ("step_failing", "generation_requests: intake")
    assert incident["severity"] == "critical"
    assert "a defect of ours" in incident["summary"]


def test_another_cause_is_logged_too(database, tick, monkeypatch):
    with capture_logs() as logs:
        monkeypatch.setattr(kind, "take_in", breaks)
        tick(requests.generation_requests)
        monkeypatch.setattr(kind, "take_in", lambda *_, **__: {}["missing"])
        tick(requests.generation_requests)

    causes = [each["cause"].split()[0] for each in logs if each["event"] == "step failed"]
    assert causes == ["ValueError", "KeyError"]


def test_an_incident_is_over_when_the_step_works_again(database, tick, monkeypatch):
    def found() -> list[tuple[HealthRule, str]]:
        with database.transaction() as connection:
            seen = look(connection, not_ours=(), account_share=0.95, move_poses=10)
            findings = judge(seen, Space(1, 1), Thresholds())
            follow(connection, findings)
        return [(each.kind, each.subject) for each in findings]

    with monkeypatch.context() as broken:
        broken.setattr(kind, "take_in", breaks)
        tick(requests.generation_requests)
    tick(requests.generation_requests)
    assert found() == [(HealthRule.STEP_FAILING, "generation_requests: intake")], "it failed only just now"

    execute(database, "update step_failures set last_at = now() - interval '61 seconds'")
    tick(requests.generation_requests)

    assert failing(database) == []
    execute(
        database, "update incidents set seen_at = now() - interval '11 minutes', opened_at = now() - interval '1 h'"
    )
    assert found() == []
    assert value(database, "select count(*) from incidents where closed_at is null") == 0
    assert value(database, "select count(*) from step_failures") == 1, "what was counted stays"


@pytest.mark.parametrize("trouble", ["drop", "revoke"])
def test_a_failure_that_cannot_be_counted_ends_no_tick_and_is_logged_once(database, monkeypatch, trouble):
    told: list[str] = []
    refusal = psycopg.errors.UndefinedTable() if trouble == "drop" else psycopg.errors.InsufficientPrivilege()

    def refuses(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr(steps, "note_failure", refuses)
    monkeypatch.setattr(steps, "failing_of", refuses)
    with capture_logs() as logs:
        for _ in range(3):
            ticking = Steps(database, f"a sensor, {trouble}")
            assert ticking.run("one", breaks) is None
            ticking.run("two", lambda: told.append("ran"))

    assert told == ["ran"] * 3
    assert [each["event"] for each in logs] == ["a failure could not be counted", "step failed"]


@pytest.mark.parametrize(
    "lost",
    [
        psycopg.OperationalError("the connection is closed"), psycopg.InterfaceError("closed"),
        psycopg.errors.AdminShutdown(), psycopg.errors.CannotConnectNow(), DatabaseUnusable("away"),
    ],
)  # fmt: skip
def test_only_the_loss_of_the_database_ends_a_tick(database, lost):
    def loses() -> None:
        raise lost

    with pytest.raises(type(lost)):
        Steps(database, "tick").run("one", loses)
    with pytest.raises(type(lost)), Apart().each():
        loses()
    assert failing(database) == []


def test_what_was_done_of_a_step_counts_though_some_of_it_failed(database):
    done = Steps(database, "tick").each("halves", lambda: [2, 0, 4], lambda number: 8 // number)

    assert done == [4, 2]
    assert failing(database) == [("tick", "halves")]
    apart = Apart()
    with apart.each():
        breaks()
    with pytest.raises(PartlyDone) as partly:
        apart.settle("the rest")
    assert partly.value.done == "the rest"


def test_messages_and_ended_runs_are_steps_too(instance, database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_ALERT_WEBHOOK", "http://127.0.0.1:9/")
    monkeypatch.setattr(alerts, "tell", breaks)
    run = instance.create_run_for_job(generate, status=Status.STARTED)
    instance.report_run_failed(run)
    monkeypatch.setattr(outcomes, "_settle_one", breaks)

    tick(alerts.alerts)
    tick(outcomes.failed_runs)

    assert failing(database) == [("alerts", "messages"), ("failed_runs", "settle")]
