"""The job `generate` for one generation, from the claim to the end, as the sensor launches it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from dagster._core.errors import DagsterExecutionInterruptedError

from posegen.errors import BackendUnavailable, GenerationCancelled, LeaseLost
from posegen.generations.asking import claims
from posegen.generations.making import work as working
from posegen.generations.making.contact_sheets import store_contact_sheet
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.images.validation import open_image
from posegen.work.keeper import LeaseKeeper
from posegen.work.outcomes import recover_run
from posegen.work.rules import RetryRule
from tests.builders import (
    PRICE,
    SLUGS,
    a_request,
    a_user,
    account,
    cancel_generation,
    claimed,
    credits,
    event_kinds,
    execute,
    pose_statuses,
    queued,
    result,
    row,
    rows,
    running,
    status,
    taken_over,
    value,
)
from tests.conftest import BASE_URL


def keys(store, folder):
    """Of the pictures in a folder; contact sheets lie beside the thumbnails."""
    return [entry.key for entry in store.list(f"{folder}/") if "sheet" not in entry.key]


def thumbnails_of(database):
    return rows(database, "select thumbnail_url from pose_results order by position")


@pytest.fixture
def broken_storage(deployment):
    """While it is set, nothing can be written below `poses/`: somebody's file is in the way."""
    folder = deployment.settings.storage_path / "poses"
    return BrokenFolder(folder, folder.with_name("poses-aside"))


@dataclass
class BrokenFolder:
    folder: Path
    aside: Path

    def set(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.rename(self.aside)
        self.folder.write_text("")

    def clear(self):
        self.folder.unlink()
        self.aside.rename(self.folder)


def test_a_claim_becomes_poses_thumbnails_and_exports(database, store, deployment):
    claim = claimed(database, poses=SLUGS[:3], formats=["shopee", "instagram_post"])

    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    assert run.succeeded
    assert run.materialized == ["generated_poses", "thumbnails", "exports"]
    assert status(database, claim.id) == "completed"
    assert credits(database, claim.user_id) == (10_000 - 3 * PRICE, 0, 3 * PRICE)
    assert [len(keys(store, folder)) for folder in ("poses", "thumbnails", "exports")] == [3, 3, 6]
    assert {name for name, check in run.checks.items() if check.passed} == {
        "poses_are_whole",
        "poses_are_paid_once",
        "quality",
        "exports_are_whole",
        "nothing_is_missing",
    }


def test_the_mannequin_makes_pictures_of_a_prompt(database, store, deployment, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("DATABASE_URL", database.url)
    claim = claimed(database, prompt="waving in the park", formats=["tiktok"])

    assert deployment.generate(claim.id, dispatch=claim.dispatch).succeeded

    pose = row(database, "select * from pose_results")
    picture = open_image(store.get(pose["exports"]["tiktok"].removeprefix(f"{BASE_URL}/")))
    assert picture.shape == (1920, 1080, 3)
    assert picture.std() > 10, "a figure, not a plain ground"
    assert pose["category"] == "waving"


def test_the_metadata_says_what_was_made_and_shows_it(database, store, deployment):
    claim = claimed(database, poses=SLUGS[:2], formats=["shopee", "tokopedia"])

    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    poses, thumbnails, exports = (run.metadata(each) for each in ("generated_poses", "thumbnails", "exports"))
    sheet = poses["contact sheet"].removeprefix("![contact sheet](").removesuffix(")")
    assert open_image(store.get(sheet.removeprefix(f"{BASE_URL}/"))).shape[1] == 640
    assert next(iter(poses)) == "contact sheet", "what people look for comes first"
    assert poses["poses"] == "2 of 2, 0 failed"
    assert (poses["credits captured"], poses["credits released"]) == (2 * PRICE, 0)
    assert poses["bytes"] == sum(store.head(key).size for key in keys(store, "poses"))
    assert {"render ms", "encode and store ms"} <= poses.keys()
    assert thumbnails["thumbnails"] == 2
    assert (exports["exports"], exports["failed"], exports["derived in this run"]) == (4, 0, 4)
    assert "| shopee | 2 |" in exports["formats"]
    assert exports["generation"] == "completed"


def test_the_manifests_are_json_on_the_store(database, store, deployment):
    claim = claimed(database, poses=SLUGS[:2], formats=["shopee"])

    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    for asset, holds in {"generated_poses": "poses", "thumbnails": "thumbnails", "exports": "exports"}.items():
        key = f"manifests/{asset}/{claim.id}.json"
        manifest = json.loads(store.get(key))
        assert manifest["generation"] == str(claim.id)
        assert len(manifest[holds]) == 2
        assert run.metadata(asset)["manifest"] == key
        assert store.head(key).content_type == "application/json"


# --- again --------------------------------------------------------------------------------------------------------


def test_a_rerun_makes_no_call_and_charges_nothing(database, store, deployment, backend):
    claim = claimed(database, poses=SLUGS[:2], formats=["shopee"])
    deployment.generate(claim.id, dispatch=claim.dispatch)
    before = rows(database, "select * from pose_results order by position"), credits(database, claim.user_id)
    backend.recipes.clear()

    rerun = deployment.generate(claim.id, dispatch=claim.dispatch)

    assert rerun.succeeded
    assert backend.recipes == []
    assert rerun.metadata("exports")["derived in this run"] == 0
    after = rows(database, "select * from pose_results order by position"), credits(database, claim.user_id)
    assert after == before


def test_after_an_error_of_the_store_the_next_run_goes_on_where_the_first_stopped(
    database, deployment, backend, broken_storage
):
    claim = claimed(database, poses=SLUGS[:3])
    backend.before_each = lambda recipe: broken_storage.set() if recipe.pose == SLUGS[2] else None
    one_at_a_time = deployment.with_settings(posegen_render_threads=1)

    failed = one_at_a_time.generate(claim.id, dispatch=claim.dispatch)

    assert not failed.succeeded
    assert row(database, "select status, attempts from generations") == {"status": "queued", "attempts": 1}
    assert credits(database, claim.user_id) == (10_000 - 3 * PRICE, PRICE, 2 * PRICE)

    broken_storage.clear()
    backend.before_each = lambda _: None
    assert one_at_a_time.generate(claim.id).succeeded

    assert [recipe.pose for recipe in backend.recipes] == [*SLUGS[:3], SLUGS[2]]
    assert status(database, claim.id) == "completed"
    assert credits(database, claim.user_id) == (10_000 - 3 * PRICE, 0, 3 * PRICE)


def test_a_store_that_stays_broken_ends_the_generation_with_its_code(database, deployment, broken_storage):
    broken_storage.set()
    claim = claimed(database)
    one_attempt = deployment.with_settings(posegen_max_attempts=1)

    run = one_attempt.generate(claim.id, dispatch=claim.dispatch)

    assert not run.succeeded
    assert result(database, claim.id)["error_code"] == "storage_failed"
    assert credits(database, claim.user_id) == (10_000, 0, 0)


def test_a_pose_that_cannot_be_rendered_fails_alone(database, deployment, backend):
    claim = claimed(database, poses=SLUGS[:3], formats=["shopee"])
    backend.before_each = lambda recipe: 1 / 0 if recipe.pose == SLUGS[1] else None

    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    assert run.succeeded
    assert status(database, claim.id) == "partial"
    assert pose_statuses(database, claim.id) == ["completed", "failed", "completed"]
    assert credits(database, claim.user_id) == (10_000 - 2 * PRICE, 0, 2 * PRICE)
    assert run.metadata("generated_poses")["poses"] == "2 of 3, 1 failed"
    assert run.metadata("exports")["exports"] == 2


def test_a_generation_without_any_pose_fails_and_has_no_contact_sheet(database, deployment, backend):
    claim = claimed(database, poses=SLUGS[:2], formats=["shopee"])
    backend.before_each = lambda _: 1 / 0

    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    assert run.succeeded, "the run has done its work: the customer's generation is what failed"
    assert result(database, claim.id)["error_code"] == "backend_rejected"
    assert "contact sheet" not in run.metadata("generated_poses")


def test_a_generation_that_is_cancelled_in_the_middle_stops_the_run_and_pays_for_what_is_there(
    database, deployment, backend
):
    claim = claimed(database, poses=SLUGS[:3], formats=["shopee"])
    cancel = partial(cancel_generation, database, claim.id, actor="test")
    backend.before_each = lambda recipe: cancel() if recipe.pose == SLUGS[1] else None

    run = deployment.with_settings(posegen_render_threads=1).generate(claim.id, dispatch=claim.dispatch)

    assert run_status(deployment, run) is Status.CANCELED
    assert run.refusals == [str(GenerationCancelled(claim.id))]
    assert run.materialized == []
    assert status(database, claim.id) == "cancelled"
    assert [recipe.pose for recipe in backend.recipes] == SLUGS[:2]
    assert credits(database, claim.user_id) == (10_000 - PRICE, 0, PRICE)


def test_the_run_of_a_generation_that_was_cancelled_before_it_began_is_cancelled_too(database, deployment, backend):
    claim = claimed(database)
    cancel_generation(database, claim.id, actor="customer")

    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    assert run_status(deployment, run) is Status.CANCELED
    assert (run.materialized, backend.recipes) == ([], [])


def test_an_operator_may_look_after_the_pictures_of_a_cancelled_generation(database, deployment, backend):
    claim = claimed(database, poses=SLUGS[:2], formats=["shopee"])
    cancel = partial(cancel_generation, database, claim.id, actor="test")
    backend.before_each = lambda recipe: cancel() if recipe.pose == SLUGS[1] else None
    deployment.with_settings(posegen_render_threads=1).generate(claim.id, dispatch=claim.dispatch)

    run = deployment.generate(claim.id)

    assert run.succeeded
    assert run.metadata("exports")["exports"] == 1


def test_a_run_that_loses_its_generation_to_another_one_fails_with_a_sentence(database, deployment, backend):
    claim = claimed(database, poses=SLUGS[:2])

    def lose(recipe):
        if recipe.pose == SLUGS[1]:
            taken_over(database, claim.id)

    backend.before_each = lose
    run = deployment.with_settings(posegen_render_threads=1).generate(claim.id, dispatch=claim.dispatch)

    assert run_status(deployment, run) is Status.FAILURE
    (refusal,) = run.refusals
    assert "Another worker owns" in refusal or "is lost" in refusal
    assert row(database, "select status, attempts from generations") == {"status": "running", "attempts": 0}


@pytest.mark.parametrize(("cancelled", "becomes"), [(True, "cancelled"), (False, "queued")])
def test_an_interrupt_means_what_dagster_says_of_the_run(database, deployment, monkeypatch, cancelled, becomes):
    claim = claimed(database)

    def interrupted(studio, lease, keeper):
        (run,) = deployment.instance.get_runs(dg.RunsFilter(statuses=[Status.STARTED]))
        if cancelled:
            deployment.instance.report_run_canceling(run)
        raise DagsterExecutionInterruptedError

    monkeypatch.setattr(working, "make_poses", interrupted)
    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    assert run_status(deployment, run) is (Status.CANCELED if cancelled else Status.FAILURE)
    assert row(database, "select status, attempts, lost_leases from generations") == {
        "status": becomes,
        "attempts": 0,
        "lost_leases": 0,
    }


def test_while_the_backend_is_away_the_run_ends_with_a_sentence_and_the_generation_waits(database, deployment, backend):
    claim = claimed(database)
    backend.before_each = away

    run = deployment.with_settings(posegen_breaker_failures=1).generate(claim.id, dispatch=claim.dispatch)

    assert run.refusals == ["The breaker of backend mannequin is open for another 15 s: 503"]
    assert status(database, claim.id) == "queued"
    assert event_kinds(database, claim.id)[-1] == "held_back"


def test_a_contact_sheet_is_not_put_up_by_a_run_that_lost_its_generation(database, studio):
    lease = running(database)
    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
        make_poses(studio, lease, keeper)
    taken_over(database, lease.id)

    with pytest.raises(LeaseLost):
        store_contact_sheet(studio, lease.id, lease)

    assert value(database, "select contact_sheet_object from generations") is None


def away(_):
    raise BackendUnavailable("503")


def run_status(deployment, run):
    return deployment.instance.get_run_by_id(run.id).status


# --- parts of it, by hand -----------------------------------------------------------------------------------------


def test_an_operator_can_start_what_is_queued(database, deployment):
    generation = queued(database)

    assert deployment.generate(generation).succeeded

    assert status(database, generation) == "completed"
    assert value(database, "select dispatch from generations") == 1


def test_thumbnails_alone_are_made_again_at_no_charge(database, store, deployment, backend):
    claim = claimed(database, poses=SLUGS[:2], formats=["shopee"])
    deployment.generate(claim.id, dispatch=claim.dispatch)
    before = (
        rows(database, "select thumbnail_url from pose_results order by position"),
        account(database, claim.user_id),
    )
    backend.recipes.clear()
    store.delete(*keys(store, "thumbnails"))

    run = deployment.generate(claim.id, only=["thumbnails"])

    assert run.succeeded
    assert run.materialized == ["thumbnails"]
    assert backend.recipes == []
    assert (thumbnails_of(database), account(database, claim.user_id)) == before
    assert len(keys(store, "thumbnails")) == 2


def test_exports_alone_are_derived_again_in_the_formats_that_are_named(database, store, deployment, backend):
    claim = claimed(database, poses=SLUGS[:2], formats=["shopee"])
    deployment.generate(claim.id, dispatch=claim.dispatch)
    spent = credits(database, claim.user_id)
    ended = value(database, "select finished_at from generations")
    backend.recipes.clear()

    run = deployment.generate(claim.id, only=["exports"], exports_config={"formats": ["tiktok"], "again": True})

    assert run.succeeded
    assert run.metadata("exports")["derived in this run"] == 2
    assert run.metadata("exports")["generation"] == "ended before"
    assert [pose["exports"].keys() for pose in rows(database, "select exports from pose_results")] == [
        {"shopee", "tiktok"}
    ] * 2
    assert backend.recipes == []
    assert credits(database, claim.user_id) == spent
    assert value(database, "select finished_at from generations") == ended


def test_exports_that_are_there_are_derived_again_only_when_that_is_said(database, store, deployment):
    claim = claimed(database, formats=["shopee", "lazada"])
    deployment.generate(claim.id, dispatch=claim.dispatch)

    missing = deployment.generate(claim.id, only=["exports"])
    again = deployment.generate(claim.id, only=["exports"], exports_config={"again": True})

    assert missing.metadata("exports")["derived in this run"] == 0
    assert again.metadata("exports")["derived in this run"] == 2


# --- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "partition", ["garbage", "00000000-0000-0000-0000-000000000000", "2026-11-21", "../../etc/passwd", "nul"]
)
@pytest.mark.parametrize("only", [None, ["thumbnails"]])
def test_a_partition_that_is_no_generation_is_refused_in_one_sentence(store, deployment, partition, only):
    run = deployment.generate(partition, only=only)

    assert run.refusals == [f"There is no generation {partition}; `posegen status` lists the latest ones."]
    assert [entry.key for entry in store.list() if "/" in entry.key] == []


def test_a_generation_has_one_partition_however_its_id_may_be_written(database, deployment):
    generation = queued(database)

    run = deployment.generate(str(generation).upper())

    assert run.refusals == [
        f"There is no generation {str(generation).upper()}; `posegen status` lists the latest ones."
    ]
    assert status(database, generation) == "queued"


def test_a_run_that_comes_too_late_is_refused_and_changes_nothing(database, deployment, backend):
    claim = claimed(database)
    recover_run(database, GENERATIONS, claim, RetryRule(), reason="test")
    execute(database, "update generations set not_before = now()")
    (newer,) = claims.claim_next(database, most_running=10)

    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    (refusal,) = run.refusals
    assert "this run came with dispatch 1" in refusal
    assert backend.recipes == []
    assert row(database, "select status, dispatch from generations") == {
        "status": "dispatched",
        "dispatch": newer.dispatch,
    }


@pytest.mark.parametrize("only", [None, ["thumbnails"], ["exports"]])
def test_a_generation_at_work_is_left_to_its_worker(database, studio, deployment, only):
    lease = running(database)
    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
        make_poses(studio, lease, keeper)
    deployment.put_manifest(lease.id)

    run = deployment.generate(lease.id, only=only)

    (refusal,) = run.refusals
    assert "is running" in refusal or "is at work" in refusal
    assert row(database, "select token, status from generations where id = %s", lease.id) == {
        "token": lease.token,
        "status": "running",
    }


def test_a_request_that_intake_has_not_seen_cannot_be_started_by_hand(database, deployment):
    generation = a_request(database, a_user(database))

    (refusal,) = deployment.generate(generation).refusals

    assert f"generation {generation} is submitted" in refusal
    assert status(database, generation) == "submitted"


def test_a_format_that_is_no_platform_is_refused_with_those_that_are(database, deployment):
    claim = claimed(database, formats=["shopee"])
    deployment.generate(claim.id, dispatch=claim.dispatch)

    run = deployment.generate(claim.id, only=["exports"], exports_config={"formats": ["myspace"]})

    (refusal,) = run.refusals
    assert refusal.startswith("There is no export format 'myspace'; known: ")


def test_exports_of_a_generation_whose_poses_were_never_made_are_refused(database, deployment):
    generation = queued(database)

    run = deployment.generate(generation, only=["exports"])

    assert not run.succeeded
    assert "There is no object under this key" in " ".join(run.errors)
