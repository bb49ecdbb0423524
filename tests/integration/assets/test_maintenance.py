"""Upkeep as Dagster shows it: what was recovered and why, and whether everything is as it must be."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status

from posegen_assets.maintenance import invariants_hold, recovery
from posegen_assets.schedules import recover_often, verify_hourly
from resources.environment import deployment_resources
from tests.builders import claimed, execute, expire_lease, finished, started, status, value
from tests.deployments import QUIET


@dg.job(name="generate")
def generate():
    """Stands in for the job; nothing is executed here."""


@pytest.fixture
def run_upkeep(deployment):
    """Run the asset, or its check, with the resources of the deployment."""

    def run(selected):
        definitions = dg.Definitions(
            assets=[recovery],
            asset_checks=[invariants_hold],
            jobs=[dg.define_asset_job("upkeep", selection=selected)],
            resources=deployment_resources(deployment.settings),
            executor=dg.in_process_executor,
        )
        return definitions.resolve_job_def("upkeep").execute_in_process(
            instance=deployment.instance, run_config=QUIET, raise_on_error=False
        )

    return run


def recovered(result):
    (materialization,) = result.asset_materializations_for_node("recovery")
    return {name: value.value for name, value in materialization.metadata.items()}


def checked(result):
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation.passed, evaluation.metadata["violations"].value, evaluation.metadata["rules"].value


def test_what_was_recovered_is_shown_with_its_reason_and_its_run_is_ended(database, deployment, run_upkeep):
    run = deployment.instance.create_run_for_job(generate, status=Status.STARTED).run_id
    lease = started(database, claimed(database), run=run)
    execute(database, "update generations set progressed_at = now() - interval '1 hour'")

    shown = recovered(run_upkeep(dg.AssetSelection.assets("recovery").without_checks()))

    assert shown["decisions"] == 1
    assert f"| generation {lease.id} | waits again | no progress for 1800 s | {run} |" in shown["what was decided"]
    assert status(database, lease.id) == "queued"
    assert deployment.instance.get_run_by_id(run).status is Status.FAILURE


def test_where_there_is_nothing_to_do_it_says_so(database, deployment, run_upkeep):
    started(database, claimed(database))

    shown = recovered(run_upkeep(dg.AssetSelection.assets("recovery").without_checks()))

    assert (shown["decisions"], shown["what was decided"]) == (0, "nothing")


def test_the_check_passes_when_all_is_well_and_says_what_it_has_looked_at(studio, run_upkeep):
    finished(studio)

    passed, violations, rules = checked(run_upkeep(dg.AssetSelection.all_asset_checks()))

    assert (passed, violations) == (True, 0)
    assert "| I2 | every pose has the id" in rules
    assert "in the store local" in rules


def test_the_check_fails_with_examples(database, studio, run_upkeep):
    lease = started(database, claimed(database))
    expire_lease(database, lease.id)
    execute(database, "update generations set lease_expires_at = now() - interval '1 hour'")

    passed, violations, rules = checked(run_upkeep(dg.AssetSelection.all_asset_checks()))

    assert (passed, violations) == (False, 1)
    assert value(database, "select findings from upkeep_findings where look = 'verify'") == 1
    assert f"generation {lease.id}: its lease expired" in rules


@pytest.mark.parametrize("schedule", [recover_often, verify_hourly], ids=lambda schedule: schedule.name)
def test_upkeep_runs_by_itself_and_goes_before_generations(schedule):
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert int(schedule.job.tags["dagster/priority"]) > 0
