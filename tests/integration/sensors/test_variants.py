"""The sensor that turns image requests into runs."""

from __future__ import annotations

from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from dagster._core.storage.tags import RUN_KEY_TAG

from sensors.requests import image_requests
from sensors.targets import BATCH_TAG
from tests.builders import execute, rows, value
from tests.deployments import resources_of

NOBODY = "postgresql://nobody:secret-word@127.0.0.1:9/nowhere"


@dg.job(name="make_variants")
def make_variants():
    """Stands in for the job; nothing is executed here."""


@pytest.fixture
def tick(instance, database):
    """One evaluation, as the daemon asks for it."""

    def evaluate(url: str = database.url) -> dg.SensorResult | dg.SkipReason:
        resources = resources_of(image_requests, url=url)
        with dg.build_sensor_context(instance=instance, resources=resources) as context:
            return image_requests(context)

    return evaluate


def ask(database, number: int = 1) -> None:
    for _ in range(number):
        execute(
            database,
            "insert into image_requests (user_id, tool, source) values (%s, 'editor', 'poses/x.png')",
            uuid4(),
        )


def statuses(database) -> list[str]:
    return [each["status"] for each in rows(database, "select status from image_variants order by submitted_at")]


def let_the_claim_age(database) -> None:
    execute(database, "update image_variants set dispatched_at = now() - interval '11 seconds'")


def keys(answer) -> list[str]:
    return [str(request.run_key) for request in answer.run_requests or []]


def test_nothing_to_do_is_a_tick_without_a_run(tick):
    assert isinstance(tick(), dg.SkipReason)


def test_all_that_waits_becomes_one_run(tick, database):
    ask(database, 3)

    answer = tick()

    (request,) = answer.run_requests
    assert (
        request.run_key == request.tags[BATCH_TAG] == str(value(database, "select distinct batch from image_variants"))
    )
    assert request.tags["dagster/max_retries"] == "0"
    assert statuses(database) == ["dispatched"] * 3
    assert isinstance(tick(), dg.SkipReason)


def test_a_claim_whose_run_was_never_created_is_sent_again_under_the_same_key(tick, database):
    ask(database)
    first = tick()
    let_the_claim_age(database)

    assert keys(tick()) == keys(first)


def test_a_claim_whose_run_is_about_to_start_is_left_alone(tick, database, instance):
    ask(database)
    (key,) = keys(tick())
    instance.create_run_for_job(make_variants, status=Status.NOT_STARTED, tags={RUN_KEY_TAG: key})
    let_the_claim_age(database)

    assert isinstance(tick(), dg.SkipReason)
    assert statuses(database) == ["dispatched"]


def test_what_a_run_has_left_that_failed_before_it_began_is_claimed_anew_after_a_pause(tick, database, instance):
    ask(database)
    (key,) = keys(tick())
    instance.create_run_for_job(make_variants, status=Status.FAILURE, tags={RUN_KEY_TAG: key})
    let_the_claim_age(database)

    assert isinstance(tick(), dg.SkipReason)
    assert value(database, "select lost_leases from image_variants") == 1
    execute(database, "update image_variants set not_before = now()")
    assert keys(tick()) not in ([], [key])


def test_a_run_that_an_operator_cancels_before_it_began_ends_its_requests(tick, database, instance):
    ask(database)
    (key,) = keys(tick())
    instance.create_run_for_job(make_variants, status=Status.CANCELED, tags={RUN_KEY_TAG: key})
    let_the_claim_age(database)

    assert isinstance(tick(), dg.SkipReason)
    assert value(database, "select error_code from image_variants") == "cancelled"


def test_what_lost_its_worker_is_claimed_anew(tick, database):
    ask(database)
    first = tick()
    execute(
        database,
        "update image_variants set status = 'running', lease_expires_at = now() - interval '1 second'",
    )

    assert keys(tick()) not in ([], keys(first))


def test_a_database_that_does_not_answer_is_a_skipped_tick(tick, monkeypatch):
    monkeypatch.setattr("posegen.database.connection.CONNECT_SECONDS", 1)

    answer = tick(NOBODY)

    assert isinstance(answer, dg.SkipReason)
    assert "secret-word" not in str(answer.skip_message)
