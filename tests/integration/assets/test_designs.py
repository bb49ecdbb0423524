"""The job `render_designs` for one design, as the sensor launches it."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from posegen.storage.keys import manifest_key
from posegen_assets.designs import design_previews
from posegen_assets.jobs import render_designs
from resources.environment import deployment_resources
from sensors.targets import DESIGNS, DISPATCH_TAG, RENDER_DESIGNS_JOB
from tests.builders import a_design, a_user, claimed_design, design, start_design
from tests.conftest import BASE_URL
from tests.deployments import QUIET, Run

NOBODY = "a0000000-0000-4000-8000-00000000000a"


@pytest.fixture
def render(deployment):
    """Run the job for one partition; `claim` makes it the run of a claim, without it an operator started it."""
    definitions = dg.Definitions(
        assets=[design_previews],
        jobs=[render_designs],
        resources=deployment_resources(deployment.settings),
        executor=dg.in_process_executor,
    )

    def run(partition, claim=None):
        deployment.instance.add_dynamic_partitions(DESIGNS.name or "", [str(partition)])
        return Run(
            definitions.resolve_job_def(RENDER_DESIGNS_JOB).execute_in_process(
                instance=deployment.instance,
                partition_key=str(partition),
                tags={} if claim is None else {DISPATCH_TAG: str(claim)},
                run_config=QUIET,
                raise_on_error=False,
            )
        )

    return run


def test_a_claimed_design_is_published_and_shown(database, store, render):
    claim = claimed_design(database, text="Be kind 🌊")

    run = render(claim.id, claim.dispatch)

    assert run.succeeded
    found = design(database, claim.id)
    assert found["status"] == "published"
    metadata = run.metadata("design_previews")
    assert metadata["preview"] == f"![design]({found['preview_url']})"
    assert found["preview_url"].startswith(f"{BASE_URL}/designs/")
    assert metadata["product"] == "sticker"
    manifest = json.loads(store.get(manifest_key("design_previews", str(claim.id))))
    assert [each["kind"] for each in manifest["objects"]] == ["preview", "thumbnail"]


def test_a_published_design_is_shown_again_and_never_rendered_again(database, render):
    claim = claimed_design(database)
    render(claim.id, claim.dispatch)
    before = design(database, claim.id)

    assert render(claim.id).succeeded
    assert design(database, claim.id) == before


def test_an_operator_can_start_a_design_that_waits(database, render):
    asked = a_design(database)

    assert render(asked).succeeded
    assert design(database, asked)["status"] == "published"


def test_a_design_that_cannot_be_made_ends_its_run_with_a_sentence(database, render):
    claim = claimed_design(database, a_user(database, storage_limit=10))

    run = render(claim.id, claim.dispatch)

    assert not run.succeeded
    (refusal,) = run.refusals
    assert refusal.startswith("The design cannot be made: quota_exceeded: ")


def test_a_run_that_came_too_late_changes_nothing(database, render):
    claim = claimed_design(database)
    start_design(database, claim)

    run = render(claim.id, claim.dispatch)

    assert run.refusals == [
        f"The design {claim.id} is rendering under dispatch 1; this run came with dispatch 1. Nothing was changed; "
        "wait for the other run."
    ]


@pytest.mark.parametrize("partition", [NOBODY, "no-design", "A0000000-0000-4000-8000-00000000000A"])
def test_a_partition_that_is_no_design_is_refused_with_a_sentence(render, partition):
    assert render(partition).refusals == [f"There is no design {partition}: it was deleted, or never asked for."]
