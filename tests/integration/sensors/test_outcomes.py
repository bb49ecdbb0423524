"""The sensors that follow runs which failed or were cancelled: the database decides what that means."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, JobFailureData, RunFailureReason

from posegen.generations.asking import claims
from posegen.generations.making.outcomes import GENERATIONS
from posegen.work.outcomes import recover_run, release
from posegen.work.rules import RetryRule
from sensors import outcomes as outcomes_sensor
from sensors.outcomes import cancelled_runs, failed_runs
from sensors.targets import DISPATCH_TAG, USER_TAG
from tests.builders import (
    SLUGS,
    a_user,
    claimed,
    credits,
    event_kinds,
    finished,
    queued,
    row,
    rows,
    running,
    started,
    status,
    value,
)
from tests.deployments import resources_of

NOBODY = "postgresql://nobody:secret-word@127.0.0.1:9/nowhere"


@dg.op
def work():
    raise dg.Failure("as the test wants it")


@dg.job
def generate():
    """Stands in for the job, and fails."""
    work()


@pytest.fixture
def tick(instance, database):
    """One evaluation of a sensor, as the daemon asks for it."""

    def evaluate(sensor, cursor=None, url=database.url):
        resources = resources_of(sensor, url=url)
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
            return sensor(context)

    return evaluate


@pytest.fixture
def failed(instance):
    """A run that has ended by a step that failed; its id."""

    def fail(tags):
        return generate.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id

    return fail


@pytest.fixture
def tell(instance, tick, failed):
    """Lets a sensor know that a run has ended, by a step that failed or as an operator who cancels it wants."""

    def told(sensor, tags, run_id=None):
        if sensor is failed_runs:
            run_id = run_id or failed(tags)
        else:
            run = instance.create_run_for_job(generate, status=dg.DagsterRunStatus.STARTED, tags=tags)
            instance.report_run_canceled(run)
        return tick(sensor)

    return told


def tags_of(claim):
    return {"dagster/partition": str(claim.id), DISPATCH_TAG: str(claim.dispatch), USER_TAG: str(claim.user_id)}


# --- failed -------------------------------------------------------------------------------------------------------


def test_a_run_that_failed_before_it_began_puts_its_generation_back(database, tell):
    claim = claimed(database)

    tell(failed_runs, tags_of(claim))

    assert row(database, "select status, attempts, lost_leases from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 1,
    }
    assert " failed" in value(database, "select detail->>'reason' from events where kind = 'requeued'")


def test_the_last_attempt_ends_it(database, tell, monkeypatch):
    monkeypatch.setenv("POSEGEN_MAX_LOST_LEASES", "1")
    claim = claimed(database)

    tell(failed_runs, tags_of(claim))

    assert status(database, claim.id) == "failed"
    assert credits(database, claim.user_id) == (10_000, 0, 0)


def test_a_generation_at_work_under_another_run_is_not_touched(database, tell):
    claim = claimed(database)
    lease = started(database, claim, run="another")

    tell(failed_runs, tags_of(claim))

    assert row(database, "select status, token from generations") == {"status": "running", "token": lease.token}


def test_a_run_that_failed_between_its_assets_puts_its_generation_back(instance, database, tell):
    """Such as by a check that found a corrupt picture: no asset was at work that could have said so."""
    claim = claimed(database)
    run = generate.execute_in_process(instance=instance, raise_on_error=False, tags=tags_of(claim)).run_id
    started(database, claim, run=run)

    tell(failed_runs, tags_of(claim), run)

    assert row(database, "select status, attempts from generations") == {"status": "queued", "attempts": 1}


def test_a_run_whose_process_died_is_no_error_and_left_to_its_lease(instance, database, tell):
    claim = claimed(database)
    run = instance.create_run_for_job(generate, status=dg.DagsterRunStatus.STARTED, tags=tags_of(claim))
    lease = started(database, claim, run=run.run_id)
    instance.report_run_failed(run, "The code server that executed this run has ended, and the run with it.")

    tell(failed_runs, tags_of(claim), run.run_id)

    assert row(database, "select status, token, attempts from generations") == {
        "status": "running",
        "token": lease.token,
        "attempts": 0,
    }


def test_a_generation_that_was_claimed_anew_is_not_touched(database, tell):
    claim = claimed(database)
    recover_run(database, GENERATIONS, claim, RetryRule(), reason="test")

    tell(failed_runs, tags_of(claim))

    assert row(database, "select status, lost_leases from generations") == {"status": "queued", "lost_leases": 1}


@pytest.mark.parametrize("begun", [True, False], ids=["between its assets", "before it began"])
def test_a_run_that_was_asked_to_stop_gives_its_generation_back_and_burns_nothing(instance, database, tell, begun):
    """SIGTERM where no asset is at work: the process ends in order, and says so."""
    claim = claimed(database)
    run = instance.create_run_for_job(generate, status=dg.DagsterRunStatus.STARTED, tags=tags_of(claim))
    if begun:
        started(database, claim, run=run.run_id)
    interrupted = JobFailureData(error=None, failure_reason=RunFailureReason.UNEXPECTED_TERMINATION)
    event = DagsterEvent(
        dg.DagsterEventType.RUN_FAILURE.value, run.job_name, message="interrupted", event_specific_data=interrupted
    )
    instance.report_dagster_event(event, run_id=run.run_id)

    tell(failed_runs, {}, run.run_id)

    assert row(database, "select status, attempts, lost_leases, not_before <= now() as at_once from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 0,
        "at_once": True,
    }
    assert event_kinds(database, claim.id)[-1] == "released"


def test_what_has_ended_stays_ended(database, studio, tell):
    generation = finished(studio)

    tell(failed_runs, {"dagster/partition": str(generation), DISPATCH_TAG: "1"})
    tell(cancelled_runs, {"dagster/partition": str(generation), DISPATCH_TAG: "1"})

    assert status(database, generation) == "completed"


# --- cancelled ----------------------------------------------------------------------------------------------------


def test_cancelling_a_run_that_waits_cancels_its_generation(database, tell):
    claim = claimed(database)

    tell(cancelled_runs, tags_of(claim))

    assert status(database, claim.id) == "cancelled"
    assert credits(database, claim.user_id) == (10_000, 0, 0)
    assert value(database, "select detail->>'actor' from events where kind = 'cancelled'") == (
        "operator, in the Dagster UI"
    )


def test_cancelling_a_run_at_work_leaves_what_is_finished_and_releases_the_rest(database, tell):
    claim = claimed(database, poses=SLUGS[:2])
    started(database, claim)

    tell(cancelled_runs, tags_of(claim))

    assert status(database, claim.id) == "cancelled"
    assert credits(database, claim.user_id) == (10_000, 0, 0)


def test_a_run_that_had_let_go_is_not_started_again(database, tell):
    """Its interrupted worker has put the generation back before Dagster calls the run cancelled."""
    claim = claimed(database)
    release(database, GENERATIONS, started(database, claim), reason="test")

    tell(cancelled_runs, tags_of(claim))

    assert status(database, claim.id) == "cancelled"


def test_a_generation_that_another_run_has_by_now_is_not_cancelled_with_its_old_one(database, tell):
    claim = claimed(database)
    release(database, GENERATIONS, started(database, claim), reason="test")
    (newer,) = claims.claim_next(database, most_running=1)

    tell(cancelled_runs, tags_of(claim))

    assert status(database, claim.id) == "dispatched"
    assert newer.dispatch == claim.dispatch + 1


# --- no run is passed over ----------------------------------------------------------------------------------------


def test_a_run_that_ended_before_the_first_tick_counts(database, failed, tick):
    claim = claimed(database)
    failed(tags_of(claim))

    assert "1 ended run" in tick(failed_runs).skip_reason.skip_message
    assert status(database, claim.id) == "queued"


def test_while_the_database_is_away_nothing_counts_as_seen(database, failed, tick, monkeypatch):
    claim = claimed(database)
    failed(tags_of(claim))

    with monkeypatch.context() as patched:
        patched.setattr("posegen.database.connection.CONNECT_SECONDS", 1)
        away = tick(failed_runs, url=NOBODY)

    assert isinstance(away, dg.SkipReason), "the cursor stays where it is"
    assert "next tick tries again" in str(away.skip_message)
    assert "secret-word" not in str(away.skip_message)
    tick(failed_runs)
    assert status(database, claim.id) == "queued"


def test_what_was_seen_is_not_looked_at_again(database, failed, tick):
    failed(tags_of(claimed(database)))
    first = tick(failed_runs)

    assert isinstance(tick(failed_runs, cursor=first.cursor), dg.SkipReason)

    failed({})
    assert "1 ended run" in tick(failed_runs, cursor=first.cursor).skip_reason.skip_message


def test_a_defect_that_one_run_meets_does_not_hold_up_the_others(database, failed, tick, monkeypatch):
    user = a_user(database)
    broken, good = claimed(database, user), claimed(database, user)
    for claim in (broken, good):
        failed(tags_of(claim))
    true_recover = outcomes_sensor.recover_run

    def recover(opened, work, claim, *arguments, **options):
        if claim == broken:
            raise ZeroDivisionError("a defect of ours")
        return true_recover(opened, work, claim, *arguments, **options)

    monkeypatch.setattr(outcomes_sensor, "recover_run", recover)

    assert tick(failed_runs).cursor is not None
    assert [status(database, claim.id) for claim in (broken, good)] == ["dispatched", "queued"]


# --- runs that are none of ours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", [failed_runs, cancelled_runs])
@pytest.mark.parametrize("tags", [{}, {"dagster/partition": "some-day"}, {DISPATCH_TAG: "1"}])
def test_runs_without_a_claim_change_nothing_and_hold_up_nobody(database, tell, sensor, tags):
    lease = running(database)
    generation = queued(database)

    assert "1 ended run" in tell(sensor, tags).skip_reason.skip_message
    assert status(database, generation) == "queued"
    assert status(database, lease.id) == "running"


@pytest.mark.parametrize("sensor", [failed_runs, cancelled_runs])
@pytest.mark.parametrize(("partition", "dispatch"), [("garbage", "1"), ("00000000-0000-0000-0000-000000000000", "x")])
def test_tags_that_somebody_has_made_up_do_no_harm(database, tell, sensor, partition, dispatch):
    assert tell(sensor, {"dagster/partition": partition, DISPATCH_TAG: dispatch}).cursor is not None
    assert rows(database, "select from events") == []
