"""Moving objects between stores: verified, resumable, back again, and readable at every moment."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from posegen.errors import ObjectMissing, StoreUnavailable
from posegen.objects import moves, moving
from posegen.objects import rows as objects
from posegen.objects.moving import Move, Pace, delete_due, move_manifests, move_objects
from posegen.storage.local import LocalStore
from tests.builders import execute, finished, row, rows, value
from tests.stores import keys_in

NOW = timedelta(0)
LATER = timedelta(hours=1)


@pytest.fixture
def there(store, bucket):
    """The move from the local store into the bucket."""
    return Move(store, bucket, grace=LATER, threads=2)


@pytest.fixture
def back(store, bucket):
    return Move(bucket, store, grace=LATER, threads=2)


def places(database):
    return {each["key"]: each["store"] for each in rows(database, "select key, store from objects")}


def everything_reads(database, *stores):
    by_name = {store.name: store for store in stores}
    found = rows(database, "select store, key, sha256 from objects")
    for each in found:
        by_name[each["store"]].get(each["key"], sha256=each["sha256"])
    return len(found)


# --- there and back -------------------------------------------------------------------------------------------------


def test_a_generation_moves_with_all_its_objects_and_its_urls_follow(database, studio, store, bucket, there):
    generation = finished(studio, poses=["star-jump"], formats=["tiktok", "shopee"])
    execute(database, "update stores set base_url = 'https://cdn.example' where name = 's3'")
    count = value(database, "select count(*) from objects")

    moved = move_objects(database, there)

    assert (moved.objects, moved.was_there, moved.problems) == (count, 0, [])
    assert moved.bytes == value(database, "select sum(size) from objects")
    assert set(places(database).values()) == {"s3"}
    assert everything_reads(database, bucket) == count
    urls = row(
        database, "select image_url, thumbnail_url, exports from pose_results where generation_id = %s", generation
    )
    assert urls["image_url"].startswith("https://cdn.example/poses/")
    assert all(url.startswith("https://cdn.example/exports/") for url in urls["exports"].values())


def test_the_same_move_the_other_way_takes_it_back_without_copying_what_is_still_there(
    database, store, bucket, there, back, stored
):
    for number in range(5):
        stored(bytes([number]) * 1000)
    move_objects(database, there)

    moved = move_objects(database, back)

    assert (moved.objects, moved.was_there) == (5, 5)
    assert set(places(database).values()) == {"local"}
    execute(database, "update doomed_objects set due = now()")
    delete_due(database, store)
    delete_due(database, bucket)
    assert everything_reads(database, store) == 5
    assert keys_in(bucket) == []


def test_the_old_copy_stays_for_its_time_and_goes_then(database, store, bucket, there, stored):
    kept = stored()
    move_objects(database, there)

    assert delete_due(database, store) == (0, 0)
    assert store.exists(kept.key)

    execute(database, "update doomed_objects set due = now() - interval '1 second'")
    assert delete_due(database, store) == (1, kept.size)
    assert not store.exists(kept.key)
    assert bucket.get(kept.key, sha256=kept.sha256)
    assert delete_due(database, store) == (0, 0)


def test_manifests_come_along_and_a_newer_one_stays(store, bucket):
    store.put("manifests/exports/a.json", b"old", content_type="application/json", create_only=False)
    store.put("manifests/exports/b.json", b"only here", content_type="application/json", create_only=False)
    bucket.put("manifests/exports/a.json", b"new", content_type="application/json", create_only=False)

    assert move_manifests(store, bucket) == 1

    assert bucket.get("manifests/exports/a.json") == b"new"
    assert bucket.get("manifests/exports/b.json") == b"only here"
    assert move_manifests(store, bucket) == 0


# --- what is damaged --------------------------------------------------------------------------------------------------


def test_what_is_lost_or_damaged_is_named_and_stays_where_its_row_says(database, store, there, stored):
    good, damaged, lost = (stored(bytes([number]) * 1000) for number in range(3))
    store.put(damaged.key, b"x" * 1000, content_type="image/png", create_only=False)
    store.delete(lost.key)

    moved = move_objects(database, there)

    assert moved.objects == 1
    assert len(moved.problems) == 2
    assert any(damaged.key in problem for problem in moved.problems)
    assert any(lost.key in problem for problem in moved.problems)
    assert places(database) == {good.key: "s3", damaged.key: "local", lost.key: "local"}


def test_a_copy_that_was_there_and_is_damaged_is_found_though_the_store_says_it_is_the_same(
    database, store, bucket, there, stored
):
    kept = stored(b"a" * 5000)
    bucket.put(kept.key, b"b" * 5000, content_type="image/png")

    moved = move_objects(database, there)

    assert moved.objects == 0
    assert kept.key in moved.problems[0]
    assert places(database) == {kept.key: "local"}


# --- interrupted, and beside live work --------------------------------------------------------------------------------


def test_a_move_that_was_cut_off_goes_on_where_it_was(database, store, bucket, there, stored, monkeypatch):
    monkeypatch.setattr(moving, "SLICE", 3)
    for number in range(10):
        stored(bytes([number]) * 500)
    looked = []

    def cut(moved):
        looked.append(moved.objects)
        if moved.objects == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move_objects(database, there, progress=cut)
    assert sorted(places(database).values()) == ["local"] * 4 + ["s3"] * 6

    moved = move_objects(database, there)

    assert moved.objects == 4
    assert everything_reads(database, bucket) == 10


def test_a_copy_whose_flip_was_lost_is_not_copied_again(database, bucket, store, there, stored):
    kept = stored()
    bucket.put(kept.key, store.get(kept.key), content_type="image/png")

    moved = move_objects(database, there)

    assert (moved.objects, moved.was_there) == (1, 1)


def test_a_row_deleted_meanwhile_is_no_problem(database, store, there, stored):
    kept = stored()
    inner = there.target

    class Slow:
        name = inner.name

        def put(self, key, data, **options):
            execute(database, "delete from objects where key = %s", key)
            store.delete(key)
            return inner.put(key, data, **options)

        def __getattr__(self, name):
            return getattr(inner, name)

    moved = move_objects(database, replace(there, target=Slow()))

    assert (moved.objects, moved.problems) == (0, [])
    assert places(database) == {}
    assert inner.exists(kept.key), "an orphan for the reconcile pass"


def test_the_same_object_in_both_stores_becomes_one_row_and_whoever_pointed_at_it_still_does(
    database, studio, store, bucket, there, stored
):
    generation = finished(studio, poses=["star-jump"])
    pose = row(database, "select id, image_object from generated_poses where generation_id = %s", generation)
    image = row(database, "select * from objects where id = %s", pose["image_object"])
    data = store.get(image["key"])
    with database.transaction() as connection:
        twin, _ = objects.register(
            connection, "s3", bucket.put(image["key"], data, content_type="image/png"), generation_id=generation
        )
    used = value(database, "select storage_used from accounts where storage_used > 0")

    moved = move_objects(database, there)

    assert moved.problems == []
    assert value(database, "select image_object from generated_poses") == twin
    assert value(database, "select count(*) from objects where key = %s", image["key"]) == 1
    assert value(database, "select storage_used from accounts where storage_used > 0") == used - image["size"]


def test_slices_cover_every_object_once_and_can_be_moved_side_by_side(database, bucket, there, stored):
    for number in range(11):
        stored(bytes([number]) * 300)
    with database.transaction() as connection:
        slices = moves.slices(connection, "local", 4)

    assert len(slices) == 3
    workers = [
        threading.Thread(target=move_objects, args=[database, there], kwargs={"first": first, "last": last})
        for first, last in slices
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(180)
    assert set(places(database).values()) == {"s3"}
    assert everything_reads(database, bucket) == 11


# --- deleting beside live work ------------------------------------------------------------------------------------


def test_what_has_a_row_again_is_not_deleted(database, store, there, back, stored):
    kept = stored()
    move_objects(database, there)
    with database.transaction() as connection:
        objects.register(
            connection, "local", store.put(kept.key, b"picture", content_type="image/png"), generation_id=None
        )
    execute(database, "update doomed_objects set due = now()")

    assert delete_due(database, store) == (0, 0)
    assert store.exists(kept.key)
    assert value(database, "select count(*) from doomed_objects") == 0


def test_whoever_found_an_object_that_was_deleted_just_then_has_to_put_it_again(database, store, there, stored):
    kept = stored()
    move_objects(database, there)
    found = store.put(kept.key, b"picture", content_type="image/png")
    assert found.skipped
    execute(database, "update doomed_objects set due = now()")
    delete_due(database, store)

    with pytest.raises(StoreUnavailable, match="put it again"), database.transaction() as connection:
        objects.register(connection, "local", found, generation_id=None)

    with pytest.raises(ObjectMissing):
        store.get(kept.key)
    again = store.put(kept.key, b"picture", content_type="image/png")
    with database.transaction() as connection:
        objects.register(connection, "local", again, generation_id=None)
    assert store.exists(kept.key)


def test_a_row_waits_for_the_deletion_that_is_under_way(database, store, there, stored):
    kept = stored()
    move_objects(database, there)
    execute(database, "update doomed_objects set due = now()")
    found = store.put(kept.key, b"picture", content_type="image/png")
    deleting, go_on = threading.Event(), threading.Event()

    class Slow(LocalStore):
        def delete(self, *keys):
            deleting.set()
            assert go_on.wait(180)
            return super().delete(*keys)

    slow = Slow(store._root, base_url="https://pictures.example/media")
    deleter = threading.Thread(target=delete_due, args=[database, slow])
    deleter.start()
    assert deleting.wait(180)
    outcome = []

    def register():
        try:
            with database.transaction() as connection:
                objects.register(connection, "local", found, generation_id=None)
        except StoreUnavailable as refused:
            outcome.append(refused)

    registering = threading.Thread(target=register)
    registering.start()
    go_on.set()
    deleter.join(180)
    registering.join(180)

    assert len(outcome) == 1, "the row would have named an object that is gone"
    assert value(database, "select count(*) from objects where store = 'local'") == 0


# --- pace -----------------------------------------------------------------------------------------------------------


def test_all_threads_together_keep_the_pace(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(moving.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(moving.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    pace = Pace(1000)

    for _ in range(10):
        pace.wait(500)

    assert clock[0] == pytest.approx(4.5), "ten times half a second, and the last one need not be waited for"


def test_without_a_pace_nobody_waits(monkeypatch):
    monkeypatch.setattr(moving.time, "sleep", lambda _: pytest.fail("nobody should wait"))

    Pace(None).wait(10**12)
