"""The sensor that turns design requests into runs and partitions, and deleted designs into nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from dagster._core.storage.tags import RUN_KEY_TAG

from posegen.designs.making import make_design
from posegen.designs.rows import REQUESTS_CHANNEL
from sensors.requests import design_requests
from sensors.targets import DESIGNS, DISPATCH_TAG
from tests.builders import (
    a_design,
    a_user,
    claimed_design,
    design,
    execute,
    rendering_design,
    start_design,
    value,
)
from tests.concurrency import until
from tests.conftest import BASE_URL
from tests.deployments import resources_of
from tests.stores import keys_in


@dg.job(name="render_designs")
def render_designs():
    """Stands in for the job; nothing is executed here."""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", "0.2")
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "1")


@pytest.fixture
def tick(instance, database, tmp_path: Path, monkeypatch):
    """One evaluation, as the daemon asks for it."""

    def evaluate(url: str = database.url) -> dg.SensorResult | dg.SkipReason:
        asked_for = resources_of(design_requests, url=url, posegen_home=tmp_path, storage_base_url=BASE_URL)
        with dg.build_sensor_context(instance=instance, resources=asked_for) as context:
            return design_requests(context)

    return evaluate


def designs_in(answer):
    return [request.partition_key for request in answer.run_requests]


def partitions(answer):
    return [(type(each).__name__, each.partition_keys) for each in answer.dynamic_partitions_requests]


def run_of(instance, claim, status):
    key = f"design:{claim.id}:{claim.dispatch}"
    return instance.create_run_for_job(render_designs, tags={RUN_KEY_TAG: key}, status=status)


def test_each_design_gets_a_run_and_a_partition_and_slots_bound_their_number(database, tick):
    asked = [str(a_design(database)) for _ in range(4)]

    answer = tick()

    assert designs_in(answer) == asked[:3]
    assert partitions(answer) == [("AddDynamicPartitionsRequest", asked[:3])]
    first, second, _ = answer.run_requests
    assert first.run_key != second.run_key
    assert first.tags[DISPATCH_TAG] == "1"
    assert first.tags["dagster/max_retries"] == "0"


def test_nothing_to_do_is_a_skipped_tick(tick):
    assert isinstance(tick(), dg.SkipReason)


def test_a_request_that_cannot_be_made_starts_no_run(database, tick):
    bad = a_design(database, font="comic-sans")

    assert isinstance(tick(), dg.SkipReason)
    assert design(database, bad)["error_code"] == "invalid_request"


def test_a_tick_that_waits_is_woken_by_a_request(database, tick, monkeypatch):
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", "15")
    user = a_user(database)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(tick()))
    thread.start()
    until(lambda: value(database, "select count(*) from pg_stat_activity where application_name = 'posegen listener'"))

    asked = a_design(database, user)
    thread.join(timeout=180)

    assert [designs_in(answer) for answer in answers] == [[str(asked)]]


def test_a_free_slot_wakes_the_sensor_while_others_wait(database, studio):
    leases = [rendering_design(database), rendering_design(database)]
    with database.listening(REQUESTS_CHANNEL) as listener:
        make_design(studio, leases[0])
        assert listener.wait(0.2) == []

        a_design(database)
        assert listener.wait(180) == [""]
        make_design(studio, leases[1])
        assert listener.wait(180) == [""]


def test_a_claim_whose_run_never_came_is_sent_again_under_the_same_key(database, instance, tick):
    a_design(database)
    first = tick()
    execute(database, "update designs set dispatched_at = now() - interval '11 seconds'")

    again = tick()

    assert [each.run_key for each in again.run_requests] == [each.run_key for each in first.run_requests]


def test_a_claim_whose_run_is_on_its_way_is_not_sent_again(database, instance, tick):
    claim = claimed_design(database)
    run_of(instance, claim, Status.STARTING)
    execute(database, "update designs set dispatched_at = now() - interval '11 seconds'")

    assert isinstance(tick(), dg.SkipReason)


@pytest.mark.parametrize(("ended", "status"), [(Status.FAILURE, "draft"), (Status.CANCELED, "failed")])
def test_a_run_that_ended_before_it_began_puts_its_design_back_and_a_cancelled_one_ends_it(
    database, instance, tick, ended, status
):
    claim = claimed_design(database)
    run_of(instance, claim, ended)
    execute(database, "update designs set dispatched_at = now() - interval '11 seconds'")

    tick()

    assert design(database, claim.id)["status"] == status


def test_a_design_whose_worker_is_gone_is_started_again_and_dagster_is_told(database, instance, tick):
    claim = claimed_design(database)
    run = run_of(instance, claim, Status.STARTED)
    start_design(database, claim, run=run.run_id)
    execute(database, "update designs set lease_expires_at = now() - interval '1 second'")

    answer = tick()

    assert designs_in(answer) == [str(claim.id)]
    assert answer.run_requests[0].tags[DISPATCH_TAG] == "2"
    assert instance.get_run_by_id(run.run_id).status is Status.FAILURE


def test_a_deleted_design_loses_its_objects_and_its_partition(database, instance, studio, store, tick):
    lease = rendering_design(database)
    make_design(studio, lease)
    instance.add_dynamic_partitions(DESIGNS.name or "", [str(lease.id)])
    execute(database, "delete from design_requests")

    answer = tick()

    assert partitions(answer) == [("DeleteDynamicPartitionsRequest", [str(lease.id)])]
    assert answer.run_requests == []
    assert [key for key in keys_in(store) if key.startswith("designs/")] == []
    assert isinstance(tick(), dg.SkipReason)


def test_a_database_that_does_not_answer_is_a_skipped_tick(tick, monkeypatch):
    monkeypatch.setattr("posegen.database.connection.CONNECT_SECONDS", 1)
    answer = tick("postgresql://nobody:secret-word@127.0.0.1:9/nowhere")

    assert isinstance(answer, dg.SkipReason)
    assert "secret-word" not in str(answer.skip_message)
