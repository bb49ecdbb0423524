"""Reconciling stores with their rows: everything is found, repaired where that loses nothing, and twice is once."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import timedelta

import pytest

from posegen.objects import moves
from posegen.objects.moves import DoomedObject
from posegen.objects.moving import Move, delete_due, move_objects
from posegen.storage.keys import STORE_MARKER_KEY
from posegen.upkeep.comparison import DifferenceKind, Walk, differences
from posegen.upkeep.reconciling import reconcile
from tests.builders import execute, finished, value
from tests.stores import keys_in, put

NOW = timedelta(0)
DAY = timedelta(hours=24)


def orphan(store, data=b"nobody's", *, folder="exports"):
    sha256 = hashlib.sha256(data).hexdigest()
    return put(store, f"{folder}/g/o-{sha256[:12]}.png", data).key


def found(pass_):
    return {each.kind: (each.number, each.repaired) for each in pass_.found}


def test_after_work_that_went_well_there_is_nothing_to_find(database, studio, store):
    finished(studio, poses=["star-jump"], formats=["tiktok"])

    pass_ = reconcile(database, [store], grace=NOW, read_all=True)

    assert pass_.found == []
    assert pass_.rows == pass_.objects == value(database, "select count(*) from objects") == 3


@pytest.mark.parametrize("folder", ["poses", "thumbnails", "exports", "variants", "controlnet", "designs", "uploads"])
def test_an_orphan_is_found_in_every_folder_reported_first_and_deleted_by_a_repair(database, store, folder):
    key = orphan(store, folder=folder)

    report = reconcile(database, [store], grace=NOW)

    assert found(report) == {"orphan": (1, 0)}
    assert report.left == 1
    assert key in report.found[0].examples[0]
    assert store.exists(key), "a report changes nothing"

    repair = reconcile(database, [store], grace=NOW, repair=True)

    assert found(repair) == {"orphan": (1, 1)}
    assert (repair.left, repair.deleted) == (0, 1)
    assert not store.exists(key)
    assert reconcile(database, [store], grace=NOW, repair=True).found == []


def test_an_orphan_of_today_is_left_alone(database, store):
    key = orphan(store)

    assert reconcile(database, [store], grace=DAY, repair=True).found == []
    assert store.exists(key)


def test_manifests_and_the_marker_are_nobodys_orphans(database, store):
    store.put("manifests/exports/a.json", b"{}", content_type="application/json", create_only=False)
    store.put(STORE_MARKER_KEY, b"{}", content_type="application/json", create_only=False)

    assert reconcile(database, [store], grace=NOW, repair=True).found == []
    assert len(keys_in(store)) == 2


def test_an_old_copy_that_waits_for_its_date_is_no_orphan(database, store, bucket, stored):
    kept = stored()
    move_objects(database, Move(store, bucket, grace=DAY))

    assert [each.kind for each in differences(database, store, grace=NOW, walk=Walk())] == []
    reconcile(database, [store, bucket], grace=NOW, repair=True)
    assert store.exists(kept.key)


def test_a_lost_object_is_named_with_what_to_do(database, studio, store):
    finished(studio, poses=["star-jump"], formats=["tiktok"])
    (lost,) = keys_in(store, "exports/")
    store.delete(lost)

    pass_ = reconcile(database, [store], grace=NOW, repair=True)

    assert found(pass_) == {"lost": (1, 0)}
    assert lost in pass_.found[0].examples[0]
    assert "posegen regenerate" in pass_.found[0].fix
    assert pass_.left == 1


def test_a_lost_object_that_another_store_has_is_found_there(database, store, bucket, stored):
    kept = stored(b"x" * 4000)
    bucket.put(kept.key, store.get(kept.key), content_type="image/png")
    store.delete(kept.key)

    pass_ = reconcile(database, [store, bucket], grace=DAY, repair=True)

    assert found(pass_)["lost"] == (1, 1)
    assert value(database, "select store from objects where key = %s", kept.key) == "s3"


def test_a_lost_object_whose_namesake_elsewhere_is_another_one_stays_lost(database, store, bucket, stored):
    kept = stored(b"x" * 4000)
    bucket.put(kept.key, b"y" * 4000, content_type="image/png")
    store.delete(kept.key)

    pass_ = reconcile(database, [store, bucket], grace=DAY, repair=True)

    assert found(pass_)["lost"] == (1, 0)
    assert value(database, "select store from objects where key = %s", kept.key) == "local"


@pytest.mark.parametrize(("data", "kind"), [(b"short", "size"), (b"P" * 1000, "hash")])
def test_a_damaged_object_is_found_by_its_size_or_by_reading_it(database, store, stored, data, kind):
    kept = stored(b"p" * 1000)
    store.put(kept.key, data, content_type="image/png", create_only=False)

    assert kind in found(reconcile(database, [store], grace=DAY, read_all=True))
    assert (kind in found(reconcile(database, [store], grace=DAY))) is (kind == "size")


def test_a_row_that_nothing_points_at_goes_with_its_space_and_its_object_follows_after_the_grace(
    database, studio, store
):
    generation = finished(studio, poses=["star-jump"], formats=["tiktok"])
    execute(database, "delete from exports")
    (key,) = keys_in(store, "exports/")
    size = value(database, "select size from objects where key = %s", key)
    used = value(database, "select storage_used from accounts where user_id = (select user_id from generations)")
    assert generation

    report = reconcile(database, [store], grace=NOW)
    assert found(report) == {"unused": (1, 0)}
    repair = reconcile(database, [store], grace=NOW, repair=True)

    assert found(repair) == {"unused": (1, 1)}
    assert value(database, "select count(*) from objects where key = %s", key) == 0
    assert value(database, "select storage_used from accounts where user_id = (select user_id from generations)") == (
        used - size
    )
    assert not store.exists(key)


def test_what_killed_writers_left_is_swept_once_it_is_old(database, store, stored):
    kept = stored()
    path = next(path for path in store._root.rglob("*.png"))
    left = path.with_name(".0123456789abcdef.pending")
    left.write_bytes(b"half")

    assert reconcile(database, [store], grace=DAY, repair=True).found == []
    long_ago = time.time() - 100_000
    os.utime(left, (long_ago, long_ago))
    pass_ = reconcile(database, [store], grace=DAY, repair=True)

    assert found(pass_)["unfinished"] == (1, 1)
    assert not left.exists()
    assert store.exists(kept.key)


def test_a_bucket_is_compared_like_a_folder(database, bucket, stored):
    stored(b"in the bucket", into=bucket)
    key = orphan(bucket)
    walk = Walk()

    (difference,) = differences(database, bucket, grace=NOW, walk=walk)

    assert (difference.kind, difference.key) == (DifferenceKind.ORPHAN, key)
    assert (walk.rows, walk.objects) == (1, 2)
    reconcile(database, [bucket], grace=NOW, repair=True)
    assert not bucket.exists(key)


def test_names_that_stores_order_differently_are_no_differences(database, bucket, store, stored):
    for into in (store, bucket):
        for folder in ("poses", "poses/g", "poses/g-h", "poses/g_h/x"):
            stored(folder.encode() * 9, into=into, folder=folder)
        walk = Walk()
        assert list(differences(database, into, grace=NOW, walk=walk)) == []
        assert (walk.rows, walk.objects) == (4, 4)


@pytest.mark.parametrize("kind", ["store", "bucket"])
def test_what_has_a_row_again_keeps_nothing_behind_it_from_being_deleted(database, request, stored, kind):
    store = request.getfixturevalue(kind)
    needed = [stored(b"needed %d" % number, into=store).key for number in range(3)]
    gone = put(store, "poses/g/gone-0123456789ab.png", b"gone").key
    with database.transaction() as connection:
        for key in [*needed, gone]:
            moves.doom(connection, store.name, [DoomedObject(key, 1)], reason="unused", grace=NOW)

    assert delete_due(database, store, batch=2) == (1, 1)

    assert keys_in(store, "poses/") == sorted(needed)
    assert value(database, "select count(*) from doomed_objects where deleted_at is null") == 0
