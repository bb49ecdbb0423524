"""The asset that makes variants, run as Dagster runs it: for the sensor's batch, or by hand."""

from __future__ import annotations

import dagster as dg
import pytest

from posegen.images.validation import FROM_OUTSIDE
from posegen_assets.jobs import make_variants
from posegen_assets.variants import image_variants
from resources.environment import deployment_resources
from sensors.targets import BATCH_TAG
from tests.builders import a_batch, a_user, execute, finished, kept_picture, rows, value
from tests.deployments import QUIET, Deployment, Run
from tests.hostile_images import jpeg_of


@pytest.fixture
def asked(studio, deployment: Deployment) -> None:
    """Two requests for variants of a pose, one of them for nothing."""
    user = a_user(studio.database)
    finished(studio, user)
    source = value(studio.database, "select key from objects where key like 'poses/%%'")
    for each in (source, "nothing"):
        rows(
            studio.database,
            "insert into image_requests (user_id, tool, source) values (%s, 'editor', %s) returning id",
            user,
            each,
        )


def run(deployment: Deployment, **tags: str) -> Run:
    definitions = dg.Definitions(
        assets=[image_variants], jobs=[make_variants], resources=deployment_resources(deployment.settings)
    )
    return Run(
        definitions.resolve_job_def("make_variants").execute_in_process(
            instance=deployment.instance, tags=tags, run_config=QUIET, raise_on_error=False
        )
    )


def test_the_run_of_a_batch_makes_it_and_says_what_became_of_it(studio, deployment, asked):
    batch = a_batch(studio.database)

    made = run(deployment, **{BATCH_TAG: str(batch)})

    assert made.succeeded, made.errors
    metadata = made.metadata("image_variants")
    assert (metadata["completed"], metadata["failed"], metadata["to be tried again"]) == (1, 1, 0)
    assert {each["status"] for each in rows(studio.database, "select status from variant_results")} == {
        "completed",
        "failed",
    }


def test_started_by_hand_it_makes_what_waits(studio, deployment, asked):
    assert run(deployment).metadata("image_variants")["completed"] == 1
    assert run(deployment).metadata("image_variants")["completed"] == 0


def test_a_picture_of_ours_may_be_larger_than_one_from_outside(studio, deployment):
    user = a_user(studio.database)
    source = kept_picture(studio, user, jpeg_of(FROM_OUTSIDE.max_bytes + 1))
    statement = "insert into image_requests (user_id, tool, source) values (%s, 'editor', %s) returning id"
    rows(studio.database, statement, user, source)

    assert run(deployment).metadata("image_variants")["completed"] == 1


def test_a_batch_that_is_gone_by_now_is_no_error(studio, deployment, asked):
    batch = a_batch(studio.database)
    execute(studio.database, "update image_variants set status = 'submitted'")

    assert run(deployment, **{BATCH_TAG: str(batch)}).succeeded
