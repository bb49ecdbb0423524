"""The pose library as an asset, and the control maps that it draws: once for each pose, size and kind."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import numpy as np
import pytest

from posegen.images.validation import open_image
from posegen.library import rows as library
from posegen.library import service
from posegen.library.control_maps import control_maps, draw_library_pose, store_library_sheet
from posegen.library.previews import store_preview
from posegen.poses.library import LIBRARY
from posegen.storage.keys import manifest_key
from posegen.upkeep.reconciling import reconcile
from tests.builders import execute, rows, value
from tests.conftest import BASE_URL
from tests.control_maps import decode_joints
from tests.deployments import QUIET, Run

SMALL = LIBRARY[:3]


@pytest.fixture
def small_library(database, monkeypatch):
    """A library of three poses, which is drawn in a second."""
    monkeypatch.setattr(library, "LIBRARY", SMALL)
    execute(database, "delete from library_poses where slug <> all(%s)", [pose.slug for pose in SMALL])


@pytest.fixture
def pose(database):
    with database.transaction() as connection:
        return library.stored_poses(connection)[0]


def materialize(deployment):
    definitions = dg.Definitions.merge(
        deployment.definitions(),
        dg.Definitions(jobs=[dg.define_asset_job("seed", dg.AssetSelection.assets("pose_library"))]),
    )
    job = definitions.resolve_job_def("seed")
    return Run(job.execute_in_process(instance=deployment.instance, run_config=QUIET, raise_on_error=False))


def maps(store):
    return sorted(entry.key for entry in store.list("controlnet/") if not re.search("library|preview", entry.key))


# --- the asset ----------------------------------------------------------------------------------------------------


def test_every_pose_gets_its_control_maps_and_one_sheet_shows_them(deployment, store, small_library):
    run = materialize(deployment)

    metadata = run.metadata("pose_library")
    assert (metadata["poses"], metadata["control maps drawn now"]) == (3, 6)
    assert metadata["cannot be drawn"] == "none"
    sheet = metadata["control maps"].removeprefix(f"![control maps]({BASE_URL}/").removesuffix(")")
    assert open_image(store.get(sheet)).shape[1] == 640
    manifest = json.loads(store.get(manifest_key("pose_library", None)))
    assert sorted(key for kinds in manifest.values() for key in kinds.values()) == maps(store)
    assert manifest.keys() == {pose.slug for pose in SMALL}


def test_a_second_time_there_is_nothing_to_draw(deployment, database, small_library):
    materialize(deployment)
    before = rows(database, "select * from control_maps order by library_pose, kind")

    run = materialize(deployment)

    assert run.metadata("pose_library")["control maps drawn now"] == 0
    assert rows(database, "select * from control_maps order by library_pose, kind") == before


def test_it_brings_back_what_is_missing_in_the_library_and_leaves_what_operators_added(
    deployment, database, small_library
):
    execute(database, "delete from library_poses where slug = %s", SMALL[0].slug)
    add_operators_pose(database, "our-own", {})

    run = materialize(deployment)

    assert run.metadata("pose_library")["poses"] == 4
    assert {SMALL[0].slug, "our-own"} <= {each["library_pose"] for each in rows(database, "select * from control_maps")}


def test_an_operators_pose_that_cannot_be_drawn_is_named_and_the_others_are_drawn(deployment, database, small_library):
    add_operators_pose(database, "broken-neck", {"angles": {"neck": [170, 0, 0]}})

    run = materialize(deployment)

    assert run.succeeded
    metadata = run.metadata("pose_library")
    assert metadata["control maps drawn now"] == 6
    assert metadata["cannot be drawn"].startswith("- broken-neck: neck flexion is 170")


def test_a_control_map_that_is_gone_from_the_store_is_drawn_again(deployment, store, small_library):
    materialize(deployment)
    before = maps(store)
    store.delete(before[0])

    run = materialize(deployment)

    assert run.metadata("pose_library")["control maps drawn now"] == 1
    assert maps(store) == before


def add_operators_pose(database, slug, specification):
    execute(
        database,
        "insert into library_poses (slug, name, category, description, difficulty, specification) "
        "values (%s, 'Ours', 'standing', 'ours', 'easy', %s)",
        slug,
        json.dumps(specification),
    )


# --- control maps -------------------------------------------------------------------------------------------------


def test_a_stored_openpose_map_gives_its_joints_back(studio, pose):
    found = control_maps(studio, pose, side=512)

    keypoints = draw_library_pose(pose, 512).keypoints
    decoded = decode_joints(open_image(studio.store.get(found["openpose"].key, sha256=found["openpose"].sha256)))
    seen = keypoints.visible & np.isfinite(decoded).all(axis=1)
    assert seen.sum() >= 10
    assert abs(decoded - keypoints.points * 512)[seen].max() < 1.5


def test_each_size_has_maps_of_its_own(studio, store, pose):
    first = control_maps(studio, pose, side=128)
    other = control_maps(studio, pose, side=64)
    again = control_maps(studio, pose, side=128)

    assert [each.made for each in (*first.values(), *other.values(), *again.values())] == [True] * 4 + [False] * 2
    assert {open_image(store.get(each.key)).shape[:2] for each in other.values()} == {(64, 64)}
    assert len(maps(store)) == 4


def test_a_pose_that_was_changed_is_drawn_anew(studio, database, pose):
    control_maps(studio, pose, side=64)
    execute(database, """update library_poses set specification = '{"root": [90, 0, 0]}' where slug = %s""", pose.slug)
    with database.transaction() as connection:
        changed = next(each for each in library.stored_poses(connection) if each.slug == pose.slug)

    redrawn = control_maps(studio, changed, side=64)

    assert [each.made for each in redrawn.values()] == [True, True]
    assert value(database, "select count(*) from control_maps") == 2


def test_control_maps_count_against_nobodys_quota(studio, database, pose):
    control_maps(studio, pose, side=64)

    assert value(database, "select count(*) from objects where generation_id is not null") == 0


def test_the_sheet_outlives_the_reconcile_pass_until_another_one_is_drawn(studio, database, store, pose):
    def draw(side):
        return store_library_sheet(studio, {pose.slug: control_maps(studio, pose, side=side)["depth"]})

    first = draw(64).removeprefix(BASE_URL + "/")
    reconcile(database, [store], grace=timedelta(0), repair=True)
    assert store.exists(first)

    second = draw(128).removeprefix(BASE_URL + "/")
    reconcile(database, [store], grace=timedelta(0), repair=True)
    assert (store.exists(first), store.exists(second)) == (False, True)


# --- previews -----------------------------------------------------------------------------------------------------


@pytest.mark.full_size
def test_every_pose_gets_a_preview_once(deployment, database, store, small_library):
    first, second = (materialize(deployment).metadata("pose_library")["previews drawn now"] for _ in range(2))

    assert (first, second) == (3, 0)
    pictures = [service.pose_named(database, pose.slug) for pose in SMALL]
    for each in pictures:
        assert open_image(store.get(each.preview_url.removeprefix(f"{BASE_URL}/"))).shape == (512, 512, 3)
        assert open_image(store.get(each.openpose_url.removeprefix(f"{BASE_URL}/"))).shape[:2] == (1024, 1024)
        assert open_image(store.get(each.depth_url.removeprefix(f"{BASE_URL}/"))).shape[:2] == (1024, 1024)


def test_a_preview_is_drawn_anew_when_its_pose_has_changed_or_its_file_is_gone(studio, database, store, pose):
    assert (store_preview(studio, pose), store_preview(studio, pose)) == (True, False)
    store.delete(service.pose_named(database, pose.slug).preview_url.removeprefix(f"{BASE_URL}/"))
    assert store_preview(studio, pose)
    before = service.pose_named(database, pose.slug).preview_url

    changed = replace(pose, specification={"root": [90, 0, 0]})

    assert store_preview(studio, changed)
    assert service.pose_named(database, pose.slug).preview_url != before
    assert value(database, "select count(*) from library_previews") == 1
