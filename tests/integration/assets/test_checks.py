"""The asset checks of a generation: what they find, and that only a corrupt object stops what follows."""

from __future__ import annotations

import dagster as dg
import pytest

from tests.builders import SLUGS, a_user, claimed, execute, finished, value
from tests.hosted import NAME, FarEndInProcess, photographing

CHECKS = ["exports_are_whole", "nothing_is_missing", "poses_are_paid_once", "poses_are_whole", "quality"]


@pytest.fixture
def generation(studio):
    """Two poses with two exports each, all sound."""
    return finished(studio, poses=SLUGS[:2], formats=["shopee", "facebook"])


def keys(store, folder):
    return sorted(entry.key for entry in store.list(f"{folder}/"))


def flip_a_bit(store, key):
    data = bytearray(store.get(key))
    data[len(data) // 2] ^= 1
    store.put(key, bytes(data), content_type=store.head(key).content_type, create_only=False)


def failed(run):
    return sorted(name for name, check in run.checks.items() if not check.passed)


def test_a_sound_generation_passes(deployment, generation):
    run = deployment.check(generation)

    assert sorted(run.checks) == CHECKS
    assert failed(run) == []
    assert {check.metadata["generation"].value for check in run.checks.values()} == {str(generation)}
    assert {name: check.metadata["looked at"].value for name, check in run.checks.items()} == {
        "poses_are_whole": 4,
        "exports_are_whole": 4,
        "nothing_is_missing": 2,
        "quality": 2,
        "poses_are_paid_once": 0,
    }
    assert run.problems("poses_are_whole") == "none"


@pytest.mark.parametrize(
    ("folder", "finds"),
    [("poses", "poses_are_whole"), ("thumbnails", "poses_are_whole"), ("exports", "exports_are_whole")],
)
@pytest.mark.parametrize("harm", ["deleted", "flipped"])
def test_an_object_that_is_gone_or_has_a_flipped_bit_is_found_and_named(
    deployment, store, generation, folder, finds, harm
):
    victim = keys(store, folder)[0]
    store.delete(victim) if harm == "deleted" else flip_a_bit(store, victim)

    run = deployment.check(generation)

    assert failed(run) == [finds]
    assert victim in run.problems(finds)
    assert run.problems(finds).count("\n") == 0, "the others are sound"


def test_a_file_that_is_no_picture_is_found(deployment, database, store, generation):
    stored = store.put("poses/g/no-picture.png", b"no picture", content_type="image/png")
    execute(
        database,
        "insert into objects (store, key, sha256, crc32, size, content_type) "
        "values ('local', %s, %s, 0, 10, 'image/png')",
        stored.key,
        stored.sha256,
    )
    execute(database, "update exports set object_id = (select max(id) from objects) where format = 'shopee'")

    assert failed(deployment.check(generation)) == ["exports_are_whole"]


def test_an_export_in_the_size_of_another_platform_is_found(deployment, database, generation):
    execute(
        database,
        "update exports wrong set object_id = other.object_id from exports other "
        "where wrong.pose_id = other.pose_id and wrong.format = 'facebook' and other.format = 'shopee'",
    )

    run = deployment.check(generation)

    assert failed(run) == ["exports_are_whole"]
    assert run.problems("exports_are_whole").count("is 1000x1000, not 1200x630") == 2


def test_an_export_that_is_missing_is_a_warning(deployment, database, generation):
    execute(database, "delete from exports where format = 'shopee'")

    run = deployment.check(generation)

    assert failed(run) == ["nothing_is_missing"]
    assert run.checks["nothing_is_missing"].severity is dg.AssetCheckSeverity.WARN
    assert run.problems("nothing_is_missing").splitlines() == [
        "- pose 0 has no export for shopee",
        "- pose 1 has no export for shopee",
    ]


def test_a_picture_that_would_not_pass_today_is_a_warning_and_stops_nothing(deployment, database, generation):
    execute(database, "update generated_poses set brightness = 3 where position = 1")

    run = deployment.generate(generation, exports_config={"again": True})

    assert failed(run) == ["quality"]
    assert run.checks["quality"].severity is dg.AssetCheckSeverity.WARN
    assert run.problems("quality") == "- pose 1: it is black: mean brightness 3.0, at least 12"
    assert run.materialized == ["generated_poses", "thumbnails", "exports"]


def test_long_lists_of_problems_are_cut(deployment, database, studio):
    user = a_user(database)
    generation = finished(studio, user, poses=SLUGS[:12], formats=["shopee", "facebook"])
    execute(database, "delete from exports")

    problems = deployment.check(generation).problems("nothing_is_missing").splitlines()

    assert len(problems) == 21
    assert problems[-1] == "- and 4 more"


# --- what a check stops -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["poses", "thumbnails"])
def test_a_corrupt_pose_stops_the_exports(deployment, store, studio, generation, folder):
    flip_a_bit(store, keys(store, folder)[0])

    run = deployment.generate(generation, exports_config={"again": True})

    assert not run.succeeded
    assert run.materialized == ["generated_poses", "thumbnails"]
    assert failed(run) == ["poses_are_whole"]


def test_fewer_poses_than_were_asked_for_stop_nothing(deployment, database, backend):
    claim = claimed(database, poses=SLUGS[:2], formats=["shopee"])
    backend.before_each = lambda recipe: 1 / 0 if recipe.pose == SLUGS[0] else None

    run = deployment.generate(claim.id, dispatch=claim.dispatch)

    assert run.succeeded
    assert run.materialized == ["generated_poses", "thumbnails", "exports"]
    assert failed(run) == ["nothing_is_missing"]
    assert run.problems("nothing_is_missing") == "- 1 of 2 poses are completed"


@pytest.mark.parametrize("folder", ["exports", "thumbnails"])
def test_what_was_derived_and_is_corrupt_can_be_derived_again(deployment, store, generation, folder):
    flip_a_bit(store, keys(store, folder)[0])
    assert failed(deployment.check(generation)) != []
    deployment.put_manifest(generation)

    deployment.generate(generation, only=[folder], exports_config={"again": True} if folder == "exports" else None)

    assert failed(deployment.check(generation)) == []


# --- refused ------------------------------------------------------------------------------------------------------


def test_a_check_that_is_started_without_a_partition_says_how_to_start_it(deployment):
    run = deployment.check(None)

    assert len(run.refusals) == len(CHECKS)
    assert {"Start it as part" in refusal for refusal in run.refusals} == {True}


@pytest.mark.parametrize("partition", ["garbage", "00000000-0000-4000-8000-00000000dead"])
def test_nothing_is_said_to_be_whole_for_a_partition_that_is_no_generation(deployment, partition):
    run = deployment.check(partition)

    assert run.refusals == [f"There is no generation {partition}; `posegen status` lists the latest ones."] * len(
        CHECKS
    )


# --- a hosted backend ---------------------------------------------------------------------------------------------


@pytest.fixture
def photographing_studio(studio):
    """With a hosted backend."""
    return photographing(studio, FarEndInProcess())


@pytest.fixture
def photographed(photographing_studio):
    """Two poses that a hosted backend has made."""
    return finished(photographing_studio, poses=SLUGS[:2], backend=NAME)


def test_the_calls_of_a_generation_are_in_its_metadata_and_pass_their_check(deployment, database, photographed):
    run = deployment.generate(photographed, exports_config={"again": True})

    assert failed(run) == []
    assert run.checks["poses_are_paid_once"].metadata["looked at"].value == 2
    told = run.metadata("generated_poses")
    assert told["backend"] == f"{NAME}, model test/photographs"
    assert (told["licence"], told["calls"], told["USD"]) == ("test", "2 used", 0.15)
    seconds = value(database, "select sum(extract(epoch from delivered_at - sent_at)) from backend_calls")
    assert told["far end's seconds"] == pytest.approx(float(seconds), abs=0.001)
    assert told["calls by pose"].count("| used |") == 2


def test_a_generation_without_calls_says_nothing_of_them(deployment, generation):
    run = deployment.generate(generation, exports_config={"again": True})

    assert not {"calls", "USD", "licence"} & set(run.metadata("generated_poses"))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("state = 'rejected'", "is completed with 0 used calls"),
        ("object_id = null", "has another original than its used call"),
    ],
)
def test_a_pose_that_was_not_paid_once_is_an_error_of_its_generation_alone(
    deployment, database, photographing_studio, photographed, harm, says
):
    other = finished(photographing_studio, poses=SLUGS[:1], backend=NAME)
    chosen = value(database, "select id from backend_calls where generation_id = %s limit 1", photographed)
    execute(database, f"update backend_calls set {harm} where id = %s", chosen)

    run = deployment.check(photographed)

    assert failed(run) == ["poses_are_paid_once"]
    assert run.checks["poses_are_paid_once"].severity is dg.AssetCheckSeverity.ERROR
    assert says in run.problems("poses_are_paid_once")
    assert run.problems("poses_are_paid_once").count("\n") == 0
    assert failed(deployment.check(other)) == []
