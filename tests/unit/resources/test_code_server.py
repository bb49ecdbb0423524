from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from dagster._core.storage.tags import GRPC_INFO_TAG

from resources.code_server import end_orphaned_runs

FOLDER = Path("/home/posegen/run")
OURS, ANOTHER = f"{FOLDER}/code-1.sock", "/elsewhere/code-1.sock"


@dg.job
def work():
    """A job that is never executed here."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def a_run(instance: dg.DagsterInstance, status: Status, socket: str | None = OURS) -> str:
    tags = {} if socket is None else {GRPC_INFO_TAG: f'{{"host": "localhost", "socket": "{socket}"}}'}
    return instance.create_run_for_job(work, status=status, tags=tags).run_id


def status_of(instance: dg.DagsterInstance, run: str) -> Status:
    found = instance.get_run_by_id(run)
    assert found is not None
    return found.status


@pytest.mark.parametrize(
    ("before", "after"),
    [(Status.STARTING, Status.FAILURE), (Status.STARTED, Status.FAILURE), (Status.CANCELING, Status.CANCELED)],
)
def test_a_run_that_died_with_the_last_code_server_is_over(instance: dg.DagsterInstance, before: Status, after: Status):
    run = a_run(instance, before)

    assert end_orphaned_runs(instance, FOLDER) == [run]
    assert status_of(instance, run) is after


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.SUCCESS, Status.FAILURE, Status.CANCELED])
def test_a_run_that_nobody_executes_stays_as_it_is(instance: dg.DagsterInstance, status: Status):
    run = a_run(instance, status)

    assert end_orphaned_runs(instance, FOLDER) == []
    assert status_of(instance, run) is status


@pytest.mark.parametrize("socket", [ANOTHER, None])
def test_a_run_that_is_executed_elsewhere_is_left_alone(instance: dg.DagsterInstance, socket: str | None):
    run = a_run(instance, Status.STARTED, socket)

    assert end_orphaned_runs(instance, FOLDER) == []
    assert status_of(instance, run) is Status.STARTED
