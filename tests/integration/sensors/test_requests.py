"""The sensor that turns rows into runs: intake, claims, recovery, and waiting for news."""

from __future__ import annotations

import threading
import time
from uuid import UUID

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from dagster._core.storage.tags import RUN_KEY_TAG

from posegen.generations.asking import claims
from posegen.generations.making import outcomes
from posegen.work.outcomes import recover_run
from posegen.work.rules import RetryRule
from posegen.work.worker_home import WorkerHome
from resources.run_coordinator import SLOT_TAG, WAITING_SLOT
from sensors.requests import generation_requests
from sensors.targets import GENERATION_PARTITIONS
from tests.builders import (
    A_POSE,
    PRICE,
    a_request,
    a_user,
    cancel_generation,
    claimed,
    credits,
    event_kinds,
    execute,
    expire_lease,
    result,
    row,
    rows,
    running,
    started,
    status,
    value,
)
from tests.concurrency import until
from tests.deployments import resources_of

LONG = "15"  # seconds to listen for, where a test is about not having to; no more can be set
NOBODY = "postgresql://nobody:secret-word@127.0.0.1:9/nowhere"


@dg.job(name="generate")
def generate():
    """Stands in for the job; nothing is executed here."""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", "0.2")
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "2")


@pytest.fixture
def tick(instance, database):
    """One evaluation, as the daemon asks for it."""

    def evaluate(url: str = database.url) -> dg.SensorResult | dg.SkipReason:
        resources = resources_of(generation_requests, url=url)
        with dg.build_sensor_context(instance=instance, resources=resources) as context:
            return generation_requests(context)

    return evaluate


def keys(answer: dg.SensorResult) -> list[str]:
    return [str(request.run_key) for request in answer.run_requests or []]


def generations(answer: dg.SensorResult) -> list[UUID]:
    return [UUID(request.partition_key) for request in answer.run_requests or []]


def a_run(instance: dg.DagsterInstance, run_key: str, status: Status) -> str:
    return instance.create_run_for_job(generate, status=status, tags={RUN_KEY_TAG: run_key}).run_id


def let_the_claim_age(database):
    execute(database, "update generations set dispatched_at = now() - interval '11 seconds'")


# --- new requests -------------------------------------------------------------------------------------------------


def test_a_new_row_becomes_a_partition_and_a_run(database, tick):
    user = a_user(database)
    generation = a_request(database, user)

    answer = tick()

    (request,) = answer.run_requests
    assert request.run_key == f"{generation}:1"
    assert request.partition_key == str(generation)
    assert request.tags["posegen/dispatch"] == "1"
    assert request.tags["posegen/user"] == str(user)
    assert request.tags["dagster/max_retries"] == "0"
    assert request.tags["dagster/retry_on_asset_or_op_failure"] == "false"
    (partitions,) = answer.dynamic_partitions_requests
    assert (partitions.partitions_def_name, partitions.partition_keys) == (
        GENERATION_PARTITIONS.name,
        [str(generation)],
    )
    assert status(database, generation) == "dispatched"
    assert credits(database, user) == (10_000 - PRICE, PRICE, 0)


def test_many_rows_at_once_are_judged_at_once_and_started_as_there_are_slots(database, tick):
    user = a_user(database, credits=100_000)
    execute(
        database,
        "insert into generation_requests (user_id, poses) select %s, array[%s] from generate_series(1, 20)",
        user,
        A_POSE,
    )

    first, second = tick(), tick()

    assert len(keys(first)) == 6, "two that run, and a short row behind them"
    assert isinstance(second, dg.SkipReason)
    assert value(database, "select count(*) from generations where status = 'queued'") == 14


def test_as_many_are_claimed_as_have_ended(database, tick):
    user = a_user(database, credits=100_000)
    for _ in range(8):
        a_request(database, user)
    ended = generations(tick())[0]
    cancel_generation(database, ended, actor="test")

    answer = tick()

    assert len(keys(answer)) == 1
    assert ended not in generations(answer)


def test_a_bad_request_ends_with_its_reason_and_others_are_started(database, tick):
    user = a_user(database)
    bad = a_request(database, user, poses=["flying-carpet"])
    good = a_request(database, user)

    assert generations(tick()) == [good]
    assert result(database, bad)["error_code"] == "invalid_request"
    assert credits(database, user) == (10_000 - PRICE, PRICE, 0)


def test_a_seed_that_nobody_named_is_drawn_anew_for_each(database, tick):
    user = a_user(database)
    for _ in range(3):
        a_request(database, user)

    tick()

    seeds = {each["seed"] for each in rows(database, "select seed from generated_poses")}
    assert len(seeds) == 3


# --- waiting ------------------------------------------------------------------------------------------------------


def test_when_nothing_waits_it_listens_for_its_time_and_skips(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", "0.5")
    began = time.monotonic()

    answer = tick()

    assert isinstance(answer, dg.SkipReason)
    assert "no request is waiting" in str(answer.skip_message)
    assert time.monotonic() - began >= 0.5


def test_a_request_that_comes_while_it_listens_is_answered_before_the_time_is_over(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", LONG)
    user = a_user(database)
    answers: list[dg.SensorResult] = []
    waiting = threading.Thread(target=lambda: answers.append(tick()))
    waiting.start()
    until(lambda: listens(database))

    asked = time.monotonic()
    generation = a_request(database, user)
    waiting.join(180)

    assert time.monotonic() - asked < float(LONG)
    assert generations(answers[0]) == [generation]


def test_a_burst_that_comes_while_it_listens_is_answered_together(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", LONG)
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "10")
    user = a_user(database)
    answers: list[dg.SensorResult] = []
    waiting = threading.Thread(target=lambda: answers.append(tick()))
    waiting.start()
    until(lambda: listens(database))

    with database.transaction() as connection:
        for _ in range(5):
            connection.execute("insert into generation_requests (user_id, poses) values (%s, %s)", [user, [A_POSE]])
    waiting.join(180)

    assert len(keys(answers[0])) == 5


def test_work_that_waits_is_answered_at_once(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", LONG)
    a_request(database, a_user(database))
    began = time.monotonic()

    tick()

    assert time.monotonic() - began < float(LONG)


def listens(database):
    return rows(
        database,
        "select from pg_stat_activity where application_name = 'posegen listener' and state = 'idle' "
        "and datname = current_database()",
    )


# --- claims whose run never came ----------------------------------------------------------------------------------


def test_a_claim_whose_run_never_came_is_sent_again_under_the_same_key(database, tick):
    claim = claimed(database)
    let_the_claim_age(database)

    answer = tick()

    assert keys(answer) == [f"{claim.id}:{claim.dispatch}"]
    (partitions,) = answer.dynamic_partitions_requests
    assert partitions.partition_keys == [str(claim.id)], "it may have been lost with the run"


def test_a_claim_that_is_young_is_not_sent_again(database, tick):
    claimed(database)

    assert isinstance(tick(), dg.SkipReason)


@pytest.mark.parametrize("state", [Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING])
def test_a_claim_whose_run_is_on_its_way_is_not_sent_again(instance, database, tick, state):
    claim = claimed(database)
    let_the_claim_age(database)
    a_run(instance, f"{claim.id}:{claim.dispatch}", state)

    assert isinstance(tick(), dg.SkipReason)
    assert status(database, claim.id) == "dispatched"


def test_a_claim_whose_run_ended_before_it_began_is_put_back_and_claimed_anew(instance, database, tick):
    claim = claimed(database)
    let_the_claim_age(database)
    a_run(instance, f"{claim.id}:1", Status.FAILURE)

    assert isinstance(tick(), dg.SkipReason)
    assert row(database, "select status, lost_leases from generations") == {"status": "queued", "lost_leases": 1}
    assert "before it began" in value(database, "select detail->>'reason' from events where kind = 'requeued'")

    execute(database, "update generations set not_before = now()")
    assert keys(tick()) == [f"{claim.id}:2"]


def test_a_claim_whose_run_was_cancelled_before_it_began_is_cancelled_too(instance, database, tick):
    claim = claimed(database)
    let_the_claim_age(database)
    a_run(instance, f"{claim.id}:1", Status.CANCELED)

    tick()

    assert status(database, claim.id) == "cancelled"
    assert credits(database, claim.user_id) == (10_000, 0, 0)


def test_a_run_of_an_earlier_claim_says_nothing_about_this_one(instance, database, tick):
    claim = claimed(database)
    a_run(instance, f"{claim.id}:{claim.dispatch}", Status.FAILURE)
    recover_run(database, outcomes.GENERATIONS, claim, RetryRule(), reason="test")
    execute(database, "update generations set not_before = now()")
    assert keys(tick()) == [f"{claim.id}:2"]
    let_the_claim_age(database)

    assert keys(tick()) == [f"{claim.id}:2"]


# --- work that lost its worker ------------------------------------------------------------------------------------


def test_an_expired_lease_is_swept_its_run_ended_and_the_generation_started_again(instance, database, tick):
    run = a_run(instance, "earlier", Status.STARTED)
    lease = started(database, claimed(database), run=run)
    expire_lease(database, lease.id)

    answer = tick()

    assert keys(answer) == [f"{lease.id}:2"]
    assert instance.get_run_by_id(run).status is Status.FAILURE
    assert event_kinds(database, lease.id)[-2:] == ["requeued", "dispatched"]
    assert row(database, "select attempts, lost_leases from generations") == {"attempts": 0, "lost_leases": 1}


@pytest.mark.parametrize("state", [Status.SUCCESS, Status.FAILURE, Status.CANCELED])
def test_a_run_that_has_ended_by_itself_stays_as_it_ended(instance, database, tick, state):
    run = a_run(instance, "earlier", state)
    lease = started(database, claimed(database), run=run)
    expire_lease(database, lease.id)

    assert generations(tick()) == [lease.id]
    assert instance.get_run_by_id(run).status is state


def test_a_run_that_dagster_has_forgotten_does_not_stand_in_the_way(database, tick):
    lease = running(database, run="00000000-0000-0000-0000-000000000000")
    expire_lease(database, lease.id)

    assert generations(tick()) == [lease.id]


def test_a_generation_that_loses_every_worker_is_given_up(database, tick):
    lease = running(database)
    execute(database, "update generations set lost_leases = 4")
    expire_lease(database, lease.id)

    assert isinstance(tick(), dg.SkipReason)
    assert result(database, lease.id)["error_code"] == "poisoned"


def test_a_run_that_nobody_could_end_is_ended_by_the_next_tick(instance, database, tick, monkeypatch):
    run = a_run(instance, "earlier", Status.STARTED)
    lease = started(database, claimed(database), run=run)
    expire_lease(database, lease.id)
    with monkeypatch.context() as patched:
        patched.setattr("posegen.work.tick.end_lost_runs", dies)
        with pytest.raises(SystemExit):
            tick()
    assert status(database, lease.id) == "queued"
    assert instance.get_run_by_id(run).status is Status.STARTED

    tick()

    assert instance.get_run_by_id(run).status is Status.FAILURE
    assert "the lease ran out" in instance.all_logs(run)[-1].message
    assert rows(database, "select from lost_runs") == []


def test_a_run_of_this_machine_that_was_killed_is_ended_and_its_generation_started_again_at_once(
    instance, database, tick, monkeypatch, tmp_path
):
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path))
    run = a_run(instance, "earlier", Status.STARTED)
    home = WorkerHome(tmp_path / "run" / "workers")
    home_id = home.hold("somebody else")
    (tmp_path / "run" / "workers" / f"{run}.lock").touch()  # nobody holds it: its process is gone
    claim = claimed(database)
    claims.start_work(
        database,
        claim.id,
        dispatch=claim.dispatch,
        run_id=run,
        lease_seconds=3600,
        worker_home=home_id,
    )

    assert keys(tick()) == [f"{claim.id}:2"]
    assert instance.get_run_by_id(run).status is Status.FAILURE


def test_a_run_that_waits_for_a_hosted_backend_says_so_also_when_it_is_sent_again(database, tick, monkeypatch):
    monkeypatch.setenv("FAL_KEY", "a-key-of-fal-for-tests")
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "fal")
    drawn, photographed = (a_request(database, a_user(database), backend=name) for name in ("mannequin", "fal"))

    first = {request.partition_key: request.tags.get(SLOT_TAG) for request in tick().run_requests}
    execute(database, "update generations set dispatched_at = now() - interval '1 minute'")
    again = {request.partition_key: request.tags.get(SLOT_TAG) for request in tick().run_requests}

    assert first == again == {str(drawn): None, str(photographed): WAITING_SLOT}


def test_one_user_may_have_so_many_under_way_and_others_go_first(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_MAX_RUNNING_PER_USER", "1")
    eager, other = a_user(database), a_user(database)
    first, _ = a_request(database, eager), a_request(database, eager)
    others = a_request(database, other)

    assert generations(tick()) == [first, others]


def test_what_is_beyond_the_limits_is_refused_with_a_code_and_nothing_is_charged(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_POSES_PER_HOUR", "1")
    user = a_user(database)
    accepted, refused = a_request(database, user), a_request(database, user)

    assert generations(tick()) == [accepted]
    assert result(database, refused)["error_code"] == "too_many_requests"


def dies(*_):
    raise SystemExit


# --- a database that is away --------------------------------------------------------------------------------------


def test_a_database_that_is_away_skips_the_tick_and_tells_no_secret(tick):
    answer = tick(NOBODY)

    assert isinstance(answer, dg.SkipReason)
    assert "next tick tries again" in str(answer.skip_message)
    assert "secret-word" not in str(answer.skip_message)


def test_a_database_that_goes_away_while_it_listens_skips_the_tick(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", LONG)
    answers: list[dg.SensorResult | dg.SkipReason] = []
    waiting = threading.Thread(target=lambda: answers.append(tick()))
    waiting.start()
    until(lambda: listens(database))

    rows(database, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'posegen listener'")
    waiting.join(180)

    assert isinstance(answers[0], dg.SkipReason)
    assert "next tick tries again" in str(answers[0].skip_message)
