"""Deriving exports: from the stored poses, at no charge; what cannot be derived is said, and poses stay paid for."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from posegen.backends.protocol import Rendering
from posegen.errors import ClaimSuperseded, GenerationUnknown, LeaseLost, StoreUnavailable, UnknownName
from posegen.generations.asking import claims
from posegen.generations.making import outcomes
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.generations.making.work import at_work
from posegen.generations.rows.exports import print_resolutions
from posegen.generations.rows.poses import pose_id
from posegen.images.validation import open_image
from posegen.platforms import rows as platforms
from posegen.platforms.platform import PLATFORMS
from posegen.work.keeper import LeaseKeeper
from tests.backends import STANDING, standing_keypoints
from tests.builders import (
    PRICE,
    SLUGS,
    a_user,
    account,
    credits,
    event_kinds,
    execute,
    finished,
    result,
    row,
    rows,
    running,
    started,
    status,
    taken_over,
    value,
    work,
)
from tests.concurrency import until

SHARED = ["tiktok", "instagram_story"]
# Grey values rise from left to right, so that a pixel tells where in the picture it comes from; with hard edges below,
# or it would count as blurred.
LEFT_TO_RIGHT = np.repeat(np.tile((np.arange(1024) // 4).astype(np.uint8), (1024, 1))[..., None], 3, axis=2)
LEFT_TO_RIGHT[700:] = (np.indices((324, 1024)).sum(axis=0) // 16 % 2 * 255)[..., None]


def exports(database):
    return rows(
        database,
        "select format, status, width, height, fit, effective_ppi, e.error_code, e.error_detail, o.key, o.sha256 "
        "from exports e left join objects o on o.id = e.object_id order by pose_id, format",
    )


def with_poses(studio, user=None, **columns):
    """A generation whose poses are made and whose exports are not."""
    lease = running(studio.database, user, **columns)
    with LeaseKeeper(studio.database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
        make_poses(studio, lease, keeper)
    return lease


def damage(store, key):
    data = store.get(key)
    store.put(key, data[:-20] + bytes(20), content_type="image/png", create_only=False)


def limit_shopee(database, max_bytes, *, side):
    """Let no picture fit under Shopee's limit, or any again: a small one fits under the lowest limit there is."""
    execute(
        database,
        "update platforms set max_bytes = %s, width = %s, height = %s where name = 'shopee'",
        max_bytes, side, side,
    )  # fmt: skip


def image_key(studio):
    """The first pose's."""
    return value(
        studio.database,
        "select key from generated_poses p join objects o on o.id = p.image_object where position = 0",
    )


# --- what is derived ----------------------------------------------------------------------------------------------


def test_every_format_of_every_pose_has_its_platforms_size(studio):
    formats = ["shopee", "facebook", "tiktok"]
    finished(studio, poses=SLUGS[:2], formats=formats)

    found = exports(studio.database)

    assert sorted(export["format"] for export in found) == sorted(formats * 2)
    for export in found:
        platform = PLATFORMS[export["format"]]
        pixels = open_image(studio.store.get(export["key"], sha256=export["sha256"]))
        assert (export["width"], export["height"]) == (platform.width, platform.height)
        assert (pixels.shape[1], pixels.shape[0]) == (platform.width, platform.height)


def test_formats_with_the_same_file_share_one_object(studio):
    user = a_user(studio.database)
    finished(studio, user, formats=[*SHARED, "shopee"])

    found = {export["format"]: export["key"] for export in exports(studio.database)}

    assert found["tiktok"] == found["instagram_story"] != found["shopee"]
    stored = [entry.size for entry in studio.store.list()]
    assert len(stored) == 4
    assert account(studio.database, user)["storage_used"] == sum(stored)


def seen_in_tiktok(studio, backend, monkeypatch, **columns):
    """Grey values along the middle row of an export, of a figure that stands at the right."""
    to_the_right = replace(standing_keypoints(), points=STANDING + np.array([0.3, 0.0]))
    monkeypatch.setattr(backend, "render", lambda _: Rendering(LEFT_TO_RIGHT, keypoints=to_the_right))
    finished(studio, formats=["tiktok"], **columns)
    (export,) = exports(studio.database)
    return open_image(studio.store.get(export["key"]))[960, :, 0].astype(int), export["fit"]


@pytest.mark.full_size
def test_a_format_is_filled_around_the_figure(studio, backend, monkeypatch):
    greys, fit = seen_in_tiktok(studio, backend, monkeypatch)

    assert fit == "cover"
    assert greys[540] > 150, "the middle of the export is right of the middle of the picture"


@pytest.mark.full_size
def test_a_request_may_ask_for_the_whole_picture(studio, backend, monkeypatch):
    greys, fit = seen_in_tiktok(studio, backend, monkeypatch, fit="contain")

    assert fit == "contain"
    assert greys[540] == pytest.approx(128, abs=4)
    assert greys[4] < 8
    assert greys[-4] > 247


def test_a_request_may_ask_for_filled_formats_whatever_is_cut_off(studio):
    finished(studio, formats=["facebook", "tiktok"], fit="cover")

    assert {export["fit"] for export in exports(studio.database)} == {"cover"}


@pytest.mark.full_size
def test_a_print_says_how_fine_it_is(studio):
    generation = finished(studio, formats=["print_letter", "shopee"])

    assert [export["effective_ppi"] for export in exports(studio.database)] == [pytest.approx(93.1, abs=0.1), None]
    with studio.database.transaction() as connection:
        (by_format,) = print_resolutions(connection, [pose_id(generation, 0)]).values()
    assert by_format == {"print_letter": 93.1}


def test_an_export_says_where_it_comes_from(studio):
    finished(studio, formats=["shopee"])

    (export,) = exports(studio.database)
    recipe_hash = value(studio.database, "select recipe_hash from generated_poses")
    assert recipe_hash.encode() in studio.store.get(export["key"])


def test_a_platform_of_the_operators_own_is_made_like_the_others(studio):
    own = replace(PLATFORMS["facebook"], name="own_format", width=1080, height=1350, reserve_bytes=2_000_000)
    with studio.database.transaction() as connection:
        platforms.seed_platforms(connection, [own])

    finished(studio, formats=["own_format"])

    assert [(export["width"], export["height"]) for export in exports(studio.database)] == [(1080, 1350)]


def test_a_platform_that_was_taken_away_meanwhile_fails_alone(studio):
    own = replace(PLATFORMS["facebook"], name="own_format")
    with studio.database.transaction() as connection:
        platforms.seed_platforms(connection, [own])
    lease = with_poses(studio, formats=["own_format", "shopee"])
    with studio.database.transaction() as connection:
        platforms.seed_platforms(connection, [])

    assert derive_exports(studio, lease.id, lease) == 1

    by_format = {export["format"]: export for export in exports(studio.database)}
    assert by_format["shopee"]["status"] == "completed"
    assert (by_format["own_format"]["status"], by_format["own_format"]["error_code"]) == ("failed", "invalid_request")
    assert "'own_format'" in by_format["own_format"]["error_detail"]


def test_exports_cost_nothing(studio):
    user = a_user(studio.database)

    finished(studio, user, formats=SHARED)

    assert credits(studio.database, user) == (10_000 - PRICE, 0, PRICE)


def test_a_format_that_was_asked_for_twice_is_derived_once(studio):
    finished(studio, formats=["shopee", "shopee"])

    assert [export["format"] for export in exports(studio.database)] == ["shopee"]


def test_a_request_without_formats_has_no_exports(studio):
    generation = finished(studio)

    assert exports(studio.database) == []
    assert status(studio.database, generation) == "completed"


# --- again --------------------------------------------------------------------------------------------------------


def test_what_is_there_is_not_derived_again(studio, store, monkeypatch):
    generation = finished(studio, poses=SLUGS[:2], formats=["shopee"])
    monkeypatch.setattr(store, "put", None)

    assert derive_exports(studio, generation, None) == 0


def test_what_is_there_is_derived_again_on_demand_into_the_same_objects(studio):
    user = a_user(studio.database)
    generation = finished(studio, user, poses=SLUGS[:2], formats=["shopee"])
    before, used = exports(studio.database), account(studio.database, user)["storage_used"]

    assert derive_exports(studio, generation, None, again=True) == 2

    assert exports(studio.database) == before
    assert account(studio.database, user)["storage_used"] == used
    assert credits(studio.database, user)[2] == 2 * PRICE


def test_only_the_poses_that_are_named_are_derived(studio):
    generation = finished(studio, poses=SLUGS[:3])
    second, seen = value(studio.database, "select id from generated_poses where position = 1"), []

    assert derive_exports(studio, generation, None, formats=["shopee"], only=[second], on_pose=seen.append) == 1

    assert rows(studio.database, "select pose_id from exports") == [{"pose_id": second}]
    assert seen == [1]


def test_of_an_ended_generation_all_rows_are_replaced_at_once_or_none(studio, store, monkeypatch):
    generation = finished(studio, poses=SLUGS[:3], formats=["shopee"])
    before, events = exports(studio.database), event_kinds(studio.database, generation)
    put, stored = store.put, []

    def until_the_third(key, *arguments, **options):
        stored.append(key)
        if len(stored) == 3:
            raise StoreUnavailable("no answer", store="local", key=key)
        return put(key, *arguments, **options)

    execute(studio.database, "update platforms set quality = 80 where name = 'shopee'")
    with monkeypatch.context() as patched:
        patched.setattr(store, "put", until_the_third)
        with pytest.raises(StoreUnavailable):
            derive_exports(studio, generation, None, again=True)
    assert exports(studio.database) == before
    assert event_kinds(studio.database, generation) == events

    assert derive_exports(studio, generation, None, again=True) == 3
    assert not {export["key"] for export in exports(studio.database)} & {export["key"] for export in before}


def test_another_format_can_be_derived_afterwards_at_no_charge(studio):
    user = a_user(studio.database)
    generation = finished(studio, user, formats=["shopee"])

    assert derive_exports(studio, generation, None, formats=["facebook"]) == 1

    assert [export["format"] for export in exports(studio.database)] == ["facebook", "shopee"]
    assert credits(studio.database, user) == (10_000 - PRICE, 0, PRICE)
    assert event_kinds(studio.database, generation)[-1] == "exports_stored"
    assert status(studio.database, generation) == "completed"


def test_a_format_that_is_no_platform_is_refused_before_anything_is_done(studio):
    generation = finished(studio)

    with pytest.raises(UnknownName, match="myspace"):
        derive_exports(studio, generation, None, formats=["facebook", "myspace"])
    assert exports(studio.database) == []


def test_exports_of_a_generation_at_work_are_left_to_its_worker(studio):
    lease = with_poses(studio, formats=["shopee"])

    with pytest.raises(ClaimSuperseded):
        derive_exports(studio, lease.id, None)
    assert exports(studio.database) == []


def test_a_generation_that_does_not_exist_has_no_exports(studio):
    with pytest.raises(GenerationUnknown):
        derive_exports(studio, uuid4(), None)


# --- what cannot be derived ---------------------------------------------------------------------------------------


def test_an_export_that_cannot_be_made_leaves_the_generation_partial_and_the_pose_paid_for(studio):
    user = a_user(studio.database)
    lease = running(studio.database, user, formats=["shopee", "facebook"])
    limit_shopee(studio.database, 20_000, side=4000)

    assert work(studio, lease) == "partial"

    by_format = {export["format"]: export for export in exports(studio.database)}
    assert (by_format["facebook"]["status"], by_format["shopee"]["status"]) == ("completed", "failed")
    assert by_format["shopee"]["error_code"] == "image_invalid"
    assert "at most 20,000 are allowed" in by_format["shopee"]["error_detail"]
    ended = result(studio.database, lease.id)
    assert (ended["status"], ended["error_code"], ended["poses_completed"]) == ("partial", "image_invalid", 1)
    assert credits(studio.database, user) == (10_000 - PRICE, 0, PRICE)


def test_an_export_that_failed_can_be_derived_later(studio):
    limit_shopee(studio.database, 20_000, side=4000)
    generation = finished(studio, formats=["shopee"])
    limit_shopee(studio.database, 1_000_000, side=1000)

    assert derive_exports(studio, generation, None) == 1

    (export,) = exports(studio.database)
    assert (export["status"], export["error_code"], export["error_detail"]) == ("completed", None, None)
    assert status(studio.database, generation) == "partial"


def test_a_failure_does_not_take_away_an_export_that_is_there(studio, store):
    generation = finished(studio, formats=["shopee"])
    before = exports(studio.database)
    damage(store, image_key(studio))

    assert derive_exports(studio, generation, None, again=True) == 0

    assert exports(studio.database) == before


def test_a_corrupt_stored_pose_is_an_export_that_failed_and_not_a_silent_one(studio, store):
    user = a_user(studio.database)
    lease = with_poses(studio, user, formats=["shopee"])
    damage(store, image_key(studio))

    derive_exports(studio, lease.id, lease)
    assert outcomes.finish_generation(studio.database, lease) == "partial"

    (export,) = exports(studio.database)
    assert (export["status"], export["error_code"]) == ("failed", "storage_failed")
    assert "SHA-256" in export["error_detail"]
    assert result(studio.database, lease.id)["error_code"] == "storage_failed"
    assert credits(studio.database, user) == (10_000 - PRICE, 0, PRICE)


def test_a_lost_stored_pose_is_an_export_that_failed(studio, store):
    lease = with_poses(studio, formats=["shopee"])
    store.delete(image_key(studio))

    derive_exports(studio, lease.id, lease)

    assert [export["error_code"] for export in exports(studio.database)] == ["storage_failed"]


def test_one_corrupt_pose_does_not_harm_the_others(studio, store):
    lease = with_poses(studio, poses=SLUGS[:2], formats=["shopee"])
    damage(store, image_key(studio))

    assert derive_exports(studio, lease.id, lease) == 1

    assert sorted(export["status"] for export in exports(studio.database)) == ["completed", "failed"]


def test_a_store_that_does_not_answer_ends_the_attempt_and_no_export(studio, store, monkeypatch):
    lease = with_poses(studio, formats=["shopee"])

    def silent(key, **options):
        raise StoreUnavailable("no answer", store="local", key=key)

    with monkeypatch.context() as patched:
        patched.setattr(store, "get", silent)
        with (
            pytest.raises(StoreUnavailable),
            at_work(studio.database, lease, lease_seconds=60, rule=studio.retry_rule) as keeper,
        ):
            derive_exports(studio, lease.id, lease, keeper)
    assert exports(studio.database) == []
    assert row(studio.database, "select status, attempts from generations") == {"status": "queued", "attempts": 1}

    execute(studio.database, "update generations set not_before = now()")
    (claim,) = claims.claim_next(studio.database, most_running=1)
    assert work(studio, started(studio.database, claim)) == "completed"


# --- the lease ----------------------------------------------------------------------------------------------------


def test_a_late_worker_records_no_export(studio):
    late = with_poses(studio, formats=["shopee"])
    taken_over(studio.database, late.id)

    with pytest.raises(LeaseLost):
        derive_exports(studio, late.id, late)

    assert exports(studio.database) == []


def test_a_worker_that_knows_that_it_is_late_derives_nothing(studio, store, monkeypatch):
    late = with_poses(studio, formats=["shopee"])
    with LeaseKeeper(studio.database, GENERATIONS.queue, [late], lease_seconds=0.2) as keeper:
        taken_over(studio.database, late.id)
        until(lambda: is_lost(keeper))
        monkeypatch.setattr(store, "put", None)
        with pytest.raises(LeaseLost):
            derive_exports(studio, late.id, late, keeper)


def is_lost(keeper):
    try:
        keeper.check()
    except LeaseLost:
        return True
    return False
