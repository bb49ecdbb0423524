"""Retention as Dagster runs it: images cleaned, work retired with its partitions and runs, space counted anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from posegen_assets.jobs import report_day
from posegen_assets.retention import cleaned_images, recounted_space, retired_work
from posegen_assets.schedules import clean_up_nightly, recount_nightly, retire_nightly
from resources.environment import deployment_resources
from resources.traces import KEPT_TAG, forget_runs, old_runs
from sensors.targets import GENERATION_PARTITIONS
from tests.builders import SLUGS, a_user, account, claimed, event_kinds, execute, finished, row, rows, value
from tests.deployments import QUIET

ASSETS = {"cleaned_images": cleaned_images, "retired_work": retired_work, "recounted_space": recounted_space}


@pytest.fixture
def materialized(deployment):
    """Materialise an asset with the resources of the deployment; answers its metadata."""

    def run(name, **config):
        definitions = dg.Definitions(
            assets=[ASSETS[name]],
            jobs=[dg.define_asset_job("upkeep", selection=name)],
            resources=deployment_resources(deployment.settings),
            executor=dg.in_process_executor,
        )
        done = definitions.resolve_job_def("upkeep").execute_in_process(
            instance=deployment.instance, run_config={**QUIET, "ops": {name: {"config": config}}}
        )
        (materialization,) = done.asset_materializations_for_node(name)
        return {label: found.value for label, found in materialization.metadata.items()}

    return run


def partitions(deployment):
    return deployment.instance.get_dynamic_partitions(GENERATION_PARTITIONS.name or "")


def test_expired_images_are_hidden_and_those_hidden_long_enough_deleted(database, studio, materialized):
    for slug in SLUGS[:2]:
        finished(studio, poses=[slug])
    execute(database, "update generated_poses set completed_at = completed_at - interval '91 days'")

    assert materialized("cleaned_images", dry_run=True)["expired"].startswith("2 poses with ")
    first = materialized("cleaned_images", most_poses=1)
    assert (first["poses hidden"], first["poses deleted"]) == (1, 0)
    second = materialized("cleaned_images", grace_hours=0)

    assert (second["poses hidden"], second["poses deleted"]) == (1, 1), "the grace of the first is a day still"


def test_work_is_retired_with_its_partition_its_runs_and_its_events(database, deployment, materialized):
    claim = claimed(database, poses=[SLUGS[0]])
    run = deployment.generate(claim.id, dispatch=claim.dispatch)
    young = claimed(database, poses=[SLUGS[1]])
    other = deployment.generate(young.id, dispatch=young.dispatch)
    execute(database, "update generations set finished_at = now() - interval '8 days' where id = %s", claim.id)

    assert materialized("retired_work", dry_run=True)["generations"] == 1
    assert len(partitions(deployment)) == 2
    done = materialized("retired_work")

    assert (done["generations"], done["runs"]) == (1, 0), "runs go by their own age"
    assert partitions(deployment) == [str(young.id)]
    assert event_kinds(database, claim.id) == []
    assert event_kinds(database, young.id) != []
    assert deployment.instance.get_run_by_id(run.id) is not None
    assert deployment.instance.get_run_by_id(other.id) is not None
    assert materialized("retired_work")["generations"] == 0


def test_old_runs_are_forgotten_with_their_events_and_checks_and_those_of_reports_are_kept(
    database, deployment, materialized
):
    claim = claimed(database, poses=[SLUGS[0]])
    run = deployment.generate(claim.id, dispatch=claim.dispatch)
    assert run.checks, "there are evaluations to forget"
    report = deployment.instance.create_run_for_job(
        dg.JobDefinition(graph_def=empty, name="report"), tags={KEPT_TAG: "yes"}
    )
    deployment.instance.report_run_failed(report)
    going = deployment.instance.create_run_for_job(dg.JobDefinition(graph_def=empty, name="going"))
    soon = datetime.now(UTC) + timedelta(minutes=1)

    assert old_runs(deployment.instance, ended_before=datetime.now(UTC) - timedelta(days=1), most=10) == []
    assert old_runs(deployment.instance, ended_before=soon, most=10) == [run.id]
    forget_runs(deployment.instance, [run.id])

    assert deployment.instance.get_run_by_id(run.id) is None
    assert deployment.instance.all_logs(run.id) == []
    for check in run.checks.values():
        key = dg.AssetCheckKey(check.asset_key, check.check_name)
        assert deployment.instance.event_log_storage.get_asset_check_execution_history(key, limit=9) == []
    assert deployment.instance.get_run_by_id(report.run_id) is not None
    assert deployment.instance.get_run_by_id(going.run_id) is not None


@dg.graph
def empty():
    """Nothing is executed here."""


def test_the_runs_of_reports_are_marked_to_be_kept():
    assert report_day.tags[KEPT_TAG] == "yes"


def test_a_wrong_account_is_named_corrected_and_written_to_the_audit(database, studio, materialized):
    user = a_user(database)
    finished(studio, user, poses=[SLUGS[0]])
    right = account(database, user)
    execute(
        database,
        "update accounts set storage_used = storage_used + 5, storage_reserved = 7 where user_id = %s",
        user,
    )

    assert materialized("recounted_space", dry_run=True)["accounts that were wrong"] == 1
    assert account(database, user)["storage_reserved"] == 7
    assert str(user) in materialized("recounted_space")["accounts"]

    assert account(database, user) == right
    line = row(database, "select * from audit_trail where action = 'space_recounted'")
    assert (line["subject"], line["detail"]["reserved"]) == (str(user), [7, 0])
    assert materialized("recounted_space")["accounts"] == "nothing"


def test_a_limit_that_turns_out_to_be_exceeded_is_raised(database, studio, materialized):
    user = a_user(database)
    finished(studio, user, poses=[SLUGS[0]])
    used = account(database, user)["storage_used"]
    execute(database, "update accounts set storage_used = 0, storage_limit = 10 where user_id = %s", user)

    materialized("recounted_space")

    assert account(database, user)["storage_used"] == account(database, user)["storage_limit"] == used


@pytest.mark.parametrize("schedule", [clean_up_nightly, retire_nightly, recount_nightly])
def test_it_happens_every_night(schedule):
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.cron_schedule.endswith("* * *")


def test_nobody_changes_the_audit(database):
    with database.transaction() as connection:
        connection.execute(
            "insert into audit_entries (actor, action, subject) values ('Ayu', 'images_deleted', 'a generation')"
        )
    for change in (
        "update audit_entries set actor = 'nobody'",
        "delete from audit_entries",
        "truncate audit_entries",
    ):
        with pytest.raises(Exception, match="append-only"):
            execute(database, change)
    assert value(database, "select count(*) from audit_entries") == 1
    assert rows(database, "select actor from audit_trail") == [{"actor": "Ayu"}]
