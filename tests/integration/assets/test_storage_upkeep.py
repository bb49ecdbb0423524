"""Stores are reconciled and moved as Dagster jobs, with the resources of a deployment."""

from __future__ import annotations

import dagster as dg
import pytest
from pydantic import SecretStr

from posegen.storage.s3 import BucketStore
from posegen_assets.storage_upkeep import move_storage, reconciled_storage
from resources.environment import deployment_resources
from tests.builders import finished, rows, value
from tests.deployments import QUIET
from tests.s3_server import CREDENTIALS
from tests.stores import keys_in


@pytest.fixture
def run_job(deployment):
    """Run a job in this process."""

    def run(name, run_config, settings=deployment.settings):
        definitions = dg.Definitions(
            assets=[reconciled_storage],
            jobs=[dg.define_asset_job("reconcile", selection=[reconciled_storage]), move_storage],
            resources=deployment_resources(settings),
            executor=dg.in_process_executor,
        )
        return definitions.resolve_job_def(name).execute_in_process(
            instance=deployment.instance, run_config={**QUIET, "ops": run_config}, raise_on_error=False
        )

    return run


def reconciled(result):
    (materialization,) = result.asset_materializations_for_node("reconciled_storage")
    return {name: found.value for name, found in materialization.metadata.items()}


def test_a_dry_run_names_what_a_run_then_deletes(database, studio, deployment, store, run_job):
    finished(studio, poses=["star-jump"])
    left = store.put("exports/g/nobodys-766d63f03321.png", b"nobody's", content_type="image/png")

    shown = reconciled(run_job("reconcile", {"reconciled_storage": {"config": {"dry_run": True, "grace_hours": 0}}}))

    assert (shown["findings left"], shown["objects deleted"]) == (1, 0)
    assert value(database, "select findings from upkeep_findings where look = 'reconcile'") == 1
    assert left.key in shown["findings"]
    assert store.exists(left.key)

    shown = reconciled(run_job("reconcile", {"reconciled_storage": {"config": {"grace_hours": 0}}}))

    assert (shown["findings left"], shown["objects deleted"]) == (0, 1)
    assert value(database, "select findings from upkeep_findings where look = 'reconcile'") == 0
    assert not store.exists(left.key)


@pytest.fixture
def with_bucket(deployment, s3_server, database):
    """The settings of the deployment with a bucket beside its local store."""
    place = s3_server.new_bucket()
    settings = deployment.with_settings(
        s3_endpoint=place.endpoint,
        s3_bucket=place.bucket,
        s3_region=place.region,
        s3_access_key_id=SecretStr(CREDENTIALS.access_key_id),
        s3_secret_access_key=SecretStr(CREDENTIALS.secret_access_key),
    ).settings
    with database.transaction() as connection:
        connection.execute("insert into stores (name) values ('s3') on conflict do nothing")
    return settings, BucketStore(place)


def test_a_store_moves_in_slices(database, studio, store, run_job, with_bucket):
    settings, bucket = with_bucket
    finished(studio, poses=["star-jump", "hands-on-hips-both"], formats=["tiktok"])
    config = {"config": {"source": "local", "target": "s3", "slice_size": 2}}

    result = run_job("move_storage", {"slices_to_move": config, "finish_move": config}, settings)

    assert result.success
    assert {each["store"] for each in rows(database, "select distinct store from objects")} == {"s3"}
    assert len(keys_in(bucket, "poses/")) == 2
    assert len([event for event in result.all_events if event.is_step_success and "move_slice" in event.step_key]) >= 3


def test_a_move_that_leaves_something_behind_is_no_success_and_names_it(database, studio, store, run_job, with_bucket):
    settings, _ = with_bucket
    finished(studio, poses=["star-jump"])
    (key,) = keys_in(store, "poses/")
    store.delete(key)
    config = {"config": {"source": "local", "target": "s3"}}

    result = run_job("move_storage", {"slices_to_move": config, "finish_move": config}, settings)

    assert not result.success
    assert value(database, "select count(*) from objects where store = 'local'") == 1
