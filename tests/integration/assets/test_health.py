"""The look at the installation as Dagster shows it: checks, incidents, and what the look reads."""

from __future__ import annotations

import dagster as dg
import pytest

from posegen.error_codes import NOT_OURS
from posegen.generations.making.outcomes import GENERATIONS
from posegen.upkeep.health import HealthRule
from posegen.upkeep.health_rows import Ended, LocalObjects, look
from posegen.upkeep.metrics import note_findings
from posegen.work.outcomes import retry_after_error
from posegen.work.rules import RetryRule
from posegen_assets.health import health
from posegen_assets.schedules import watch_often
from posegen_assets.usage import usage_daily, usage_monthly, usage_weekly
from resources.environment import deployment_resources
from tests.builders import (
    a_request,
    a_user,
    cancel_generation,
    execute,
    finished,
    queued,
    rows,
    running,
    take_in,
    value,
)
from tests.deployments import QUIET


@pytest.fixture
def run_look(deployment):
    """Run the asset with the resources of the deployment; its metadata and the checks by name."""

    def run(disk_free=0.0):  # how full the disk of this machine is does not matter
        there = deployment.with_settings(posegen_alert_disk_free=disk_free)
        definitions = dg.Definitions(
            assets=[health],
            jobs=[dg.define_asset_job("look", selection=[health])],
            resources=deployment_resources(there.settings),
            executor=dg.in_process_executor,
        )
        result = definitions.resolve_job_def("look").execute_in_process(
            instance=deployment.instance, run_config=QUIET, raise_on_error=False
        )
        assert result.success
        (made,) = result.asset_materializations_for_node("health")
        checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
        return {name: found.value for name, found in made.metadata.items()}, checks

    return run


def failed(checks):
    return {name: check.severity.value for name, check in checks.items() if not check.passed}


def test_where_all_is_well_every_check_passes(studio, run_look):
    finished(studio)

    shown, checks = run_look()

    assert set(checks) == set(HealthRule)
    assert failed(checks) == {}
    assert (shown["findings"], shown["open incidents"]) == (0, "none")


def test_what_is_wrong_fails_its_check_with_its_severity_and_begins_an_incident(database, run_look):
    user = a_user(database, storage_limit=20_000_000)
    queued(database, user)
    execute(database, "update generations set submitted_at = now() - interval '16 minutes'")
    execute(database, "update accounts set storage_used = storage_limit - storage_reserved")
    execute(
        database,
        "insert into backend_breakers (backend, opened_at, retry_at) values ('away', now() - interval '3 min', now())",
    )
    with database.transaction() as connection:
        note_findings(connection, "verify", 2)

    shown, checks = run_look()

    assert failed(checks) == {
        "queue_age": "ERROR", "breaker_open": "ERROR", "account_space": "WARN", "findings": "ERROR",
    }  # fmt: skip
    assert "has done so for 0:16:0" in checks["queue_age"].metadata["found"].value
    assert (shown["findings"], shown["incidents begun"]) == (4, 4)
    assert "| critical | breaker_open | The backend away" in shown["open incidents"]

    shown, _ = run_look()

    assert (shown["incidents begun"], value(database, "select count(*) from incidents")) == (0, 4)


def test_a_disk_without_the_space_that_it_should_have_is_found(run_look):
    assert failed(run_look(disk_free=1.0)[1]) == {"disk_space": "ERROR"}


def test_the_look_moves_the_mark_of_the_tallies(studio, run_look):
    finished(studio)
    execute(studio.database, "update generations set finished_at = finished_at - interval '20 minutes'")

    run_look()
    run_look()

    assert rows(studio.database, "select name, label, total from tallies") == [
        {"name": "finished", "label": "completed", "total": 1}
    ]


def seen(database, *, move_poses=1000):
    with database.transaction() as connection:
        return look(connection, not_ours=NOT_OURS, account_share=0.95, move_poses=move_poses)


def test_a_generation_counts_in_the_hour_or_the_week_in_which_it_ended_unless_only_its_customer_can_help(studio):
    database = studio.database
    finished(studio)
    a_request(database, a_user(database, credits=0))  # fails for want of credits
    take_in(database)
    cancel_generation(database, queued(database), actor="a customer")
    for hours in (0, 2, 200):
        lease = running(database)
        retry_after_error(database, GENERATIONS, lease, RetryRule(most_attempts=1), reason="a defect")
        execute(
            database,
            "update generations set finished_at = finished_at - make_interval(hours => %s) where id = %s",
            hours,
            lease.id,
        )

    found = seen(database)

    assert (found.last_hour, found.week_before) == (Ended(3, 1), Ended(1, 1))
    assert (found.waiting.generations, found.full_accounts) == (0, 0)


def test_the_local_store_is_added_up_while_it_is_small(studio):
    finished(studio, variations=3)
    size = value(studio.database, "select sum(size) from objects")

    assert seen(studio.database).local == LocalObjects(3, size)
    assert seen(studio.database, move_poses=3).local == LocalObjects(3, None)


def test_it_looks_every_five_minutes_before_generations_that_wait():
    assert watch_often.cron_schedule == "*/5 * * * *"
    assert watch_often.default_status is dg.DefaultScheduleStatus.RUNNING
    assert int(watch_often.job.tags["dagster/priority"]) > 0


@pytest.mark.parametrize("report", [usage_daily, usage_weekly, usage_monthly], ids=lambda each: each.key.path[0])
def test_a_report_says_when_it_has_to_be_there(report):
    (spec,) = report.specs

    assert isinstance(spec.freshness_policy, dg.FreshnessPolicy)
    assert spec.freshness_policy.deadline_cron.startswith("0 3 ")
