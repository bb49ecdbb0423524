"""The sensors that follow runs which failed or were cancelled: the database decides what that means."""

from __future__ import annotations

import dagster as dg
import pytest

from posegen.lifecycle import outcomes
from resources.database import DatabaseResource
from sensors.outcomes import cancelled_runs, failed_runs
from sensors.targets import DISPATCH_TAG
from tests.builders import SLUGS, claimed, credits, finished, queued, row, rows, running, started, status, value


@dg.op
def work():
    raise dg.Failure("as the test wants it")


@dg.job
def generate():
    """Stands in for the job, and fails."""
    work()


@pytest.fixture
def tell(instance, database):
    """Lets a sensor know that a run has ended, which is by a step that failed unless another run is named."""

    def told(sensor, tags, run_id=None):
        run_id = run_id or generate.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id
        with dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_instance=instance,
            dagster_run=instance.get_run_by_id(run_id),
            dagster_event=instance.all_logs(run_id)[-1].dagster_event,
            resources={"database": DatabaseResource(url=database.url)},
        ) as context:
            return sensor(context)

    return told


def tags_of(claim):
    return {"dagster/partition": str(claim.generation_id), DISPATCH_TAG: str(claim.dispatch)}


# --- failed -------------------------------------------------------------------------------------------------------


def test_a_run_that_failed_before_it_began_puts_its_generation_back(database, tell):
    claim = claimed(database)

    tell(failed_runs, tags_of(claim))

    assert row(database, "select status, attempts from generations") == {"status": "queued", "attempts": 1}
    assert " failed" in value(database, "select detail->>'reason' from events where kind = 'requeued'")


def test_the_last_attempt_ends_it(database, tell, monkeypatch):
    monkeypatch.setenv("POSEGEN_MAX_ATTEMPTS", "1")
    claim = claimed(database)

    tell(failed_runs, tags_of(claim))

    assert status(database, claim.generation_id) == "failed"
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
    outcomes.recover_lost_run(database, claim.generation_id, claim.dispatch, outcomes.RetryRule(), reason="test")

    tell(failed_runs, tags_of(claim))

    assert row(database, "select status, attempts from generations") == {"status": "queued", "attempts": 1}


def test_what_has_ended_stays_ended(database, studio, tell):
    generation = finished(studio)

    tell(failed_runs, {"dagster/partition": str(generation), DISPATCH_TAG: "1"})
    tell(cancelled_runs, {"dagster/partition": str(generation), DISPATCH_TAG: "1"})

    assert status(database, generation) == "completed"


# --- cancelled ----------------------------------------------------------------------------------------------------


def test_cancelling_a_run_that_waits_cancels_its_generation(database, tell):
    claim = claimed(database)

    tell(cancelled_runs, tags_of(claim))

    assert status(database, claim.generation_id) == "cancelled"
    assert credits(database, claim.user_id) == (10_000, 0, 0)
    assert value(database, "select detail->>'actor' from events where kind = 'cancelled'") == (
        "operator, in the Dagster UI"
    )


def test_cancelling_a_run_at_work_leaves_what_is_finished_and_releases_the_rest(database, tell):
    claim = claimed(database, poses=SLUGS[:2])
    started(database, claim)

    tell(cancelled_runs, tags_of(claim))

    assert status(database, claim.generation_id) == "cancelled"
    assert credits(database, claim.user_id) == (10_000, 0, 0)


def test_a_run_that_had_let_go_is_not_started_again(database, tell):
    """Its interrupted worker has put the generation back before Dagster calls the run cancelled."""
    claim = claimed(database)
    outcomes.release_lease(database, started(database, claim), reason="test")

    tell(cancelled_runs, tags_of(claim))

    assert status(database, claim.generation_id) == "cancelled"


# --- runs that are none of ours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", [failed_runs, cancelled_runs])
@pytest.mark.parametrize("tags", [{}, {"dagster/partition": "some-day"}, {DISPATCH_TAG: "1"}])
def test_runs_without_a_claim_change_nothing_and_hold_up_nobody(database, tell, sensor, tags):
    lease = running(database)
    generation = queued(database)

    assert tell(sensor, tags) is None, "an answer would end Dagster's tick, and the next run would wait for another"
    assert status(database, generation) == "queued"
    assert status(database, lease.generation_id) == "running"


@pytest.mark.parametrize("sensor", [failed_runs, cancelled_runs])
@pytest.mark.parametrize(("partition", "dispatch"), [("garbage", "1"), ("00000000-0000-0000-0000-000000000000", "x")])
def test_tags_that_somebody_has_made_up_do_no_harm(database, tell, sensor, partition, dispatch):
    assert tell(sensor, {"dagster/partition": partition, DISPATCH_TAG: dispatch}) is None
    assert rows(database, "select from events") == []
