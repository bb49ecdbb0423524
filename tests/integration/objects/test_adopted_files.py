"""Adopted work stays: it does not expire, and files that were adopted where they lie outlive every way of deleting."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from posegen.generations.making.poses import make_thumbnails_again
from posegen.generations.rows import poses as pose_rows
from posegen.objects import adopted_files, moves
from posegen.objects.moves import DoomedObject
from posegen.objects.moving import Move, delete_due, move_objects
from posegen.upkeep.reconciling import reconcile
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.upkeep.verification import verify
from tests.adopted import FOLDER, adopt, fill
from tests.builders import a_user, account, execute, rows, value
from tests.hostile_images import encoded
from tests.stores import keys_in, put

NOW = timedelta(0)
YEARS_AGO = datetime.now(UTC) - timedelta(days=800)


@pytest.fixture
def in_place(studio, store):
    """The files of a tree that was adopted where it lies."""
    files = fill(store._root, written=YEARS_AGO)
    adopted = adopt(studio, store._root)
    assert (adopted.generations, adopted.files_kept, adopted.problems) == (1, 3, [])
    return files


def there(files):
    return {file for file in files if file.exists()}


def poses(database):
    return [each["id"] for each in rows(database, "select id from generated_poses order by position")]


def delete(database, *, delete_files=False, grace=NOW):
    with database.transaction() as connection:
        assert pose_rows.hide(connection, poses(database), actor="Ayu", grace=grace) == 2
        if delete_files:
            assert adopted_files.let_go_with(connection, poses(database)) == 3


def let_everything_be_due(database):
    execute(database, "update doomed_objects set due = now() where deleted_at is null")


@contextmanager
def without_the_guard(database):
    execute(database, "alter table doomed_objects disable trigger adopted_files_are_kept")
    try:
        yield
    finally:
        execute(database, "alter table doomed_objects enable trigger adopted_files_are_kept")


# --- what expires -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["in place", "by copy"])
def test_adopted_work_never_expires_unless_its_operator_says_so(database, studio, store, tmp_path, where):
    root = store._root if where == "in place" else tmp_path / "uploads"
    fill(root, written=YEARS_AGO)
    adopt(studio, root)

    assert clean_up_images(database, [store], RetentionRule()).hidden == 0

    execute(database, "update generated_poses set expires = true")
    assert clean_up_images(database, [store], RetentionRule()).hidden == 2, "the age was reached"


def test_with_expire_it_goes_like_other_work_counted_from_the_file(database, studio, store):
    files = fill(store._root, written=datetime.now(UTC) - timedelta(days=10))
    adopted = adopt(studio, store._root, expires=True, old_since=datetime.now(UTC) - timedelta(days=90))

    assert adopted.older == 0
    assert clean_up_images(database, [store], RetentionRule()).hidden == 0
    clean_up_images(database, [store], RetentionRule(images=timedelta(days=9), grace=NOW))
    assert value(database, "select count(*) from generated_poses where images_deleted_at is not null") == 2
    assert there(files) == set(files), "the files are the operator's all the same"


@pytest.mark.parametrize(
    ("mtime", "completed"),
    [
        (YEARS_AGO.timestamp(), YEARS_AGO),
        (-1e9, datetime(2000, 1, 1, tzinfo=UTC)),
        (0, datetime(2000, 1, 1, tzinfo=UTC)),
        (time.time() + 1e8, None),
        (2**33, None),
    ],
    ids=["years ago", "1938", "the epoch", "in the future", "the year 2242"],
)
def test_a_picture_is_as_old_as_its_file_and_its_generation_begins_now(database, studio, store, mtime, completed):
    files = fill(store._root)
    for file in files:
        os.utime(file, (mtime, mtime))

    before = datetime.now(UTC)
    adopt(studio, store._root)

    for pose in rows(database, "select completed_at from pose_results"):
        assert pose["completed_at"] == completed or (completed is None and before <= pose["completed_at"])
    assert value(database, "select finished_at from generations") > before - timedelta(minutes=1)
    assert not [each for each in verify(database, [store], read_back=None) if each.violations]


def test_a_dry_run_counts_and_stores_nothing(database, studio, store, tmp_path):
    for root in (store._root, tmp_path / "uploads"):
        fill(root, written=YEARS_AGO)
        (root / "poses" / FOLDER / "broken.png").write_bytes(b"no picture")
    before = keys_in(store)

    user = a_user(database)
    said, copied = (adopt(studio, root, user, dry_run=True) for root in (store._root, tmp_path / "uploads"))

    assert (said.generations, said.poses, said.files_kept, len(said.problems)) == (1, 2, 3, 1)
    assert (copied.generations, copied.poses, copied.files_kept) == (1, 2, 0)
    assert keys_in(store) == before
    assert value(database, "select count(*) from generations") == 0
    done = adopt(studio, store._root, user)
    assert (done.bytes, done.files_kept) == (said.bytes, said.files_kept)


# --- every way in which objects are deleted -----------------------------------------------------------------------


def by_deleting(database, studio, store, bucket):
    delete(database)
    clean_up_images(database, [store], RetentionRule())


def by_expiring(database, studio, store, bucket):
    execute(database, "update generated_poses set expires = true")
    clean_up_images(database, [store], RetentionRule(grace=NOW))
    clean_up_images(database, [store], RetentionRule(grace=NOW))


def by_making_the_thumbnails_again(database, studio, store, bucket):
    make_thumbnails_again(studio, value(database, "select id from generations"))
    reconcile(database, [store], grace=NOW, repair=True)


def by_moving_to_a_bucket(database, studio, store, bucket):
    assert move_objects(database, Move(store, bucket, grace=NOW)).problems == []
    delete_due(database, store)


def by_moving_there_and_back(database, studio, store, bucket):
    by_moving_to_a_bucket(database, studio, store, bucket)
    move_objects(database, Move(bucket, store, grace=NOW))
    delete_due(database, bucket)


def by_losing_all_rows(database, studio, store, bucket):
    with database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute("delete from generated_poses; delete from objects")


def by_a_note_that_is_older_than_the_adoption(database, studio, store, bucket):
    with database.transaction() as connection:
        for key in keys_in(store, "poses/"):
            moves.doom(connection, store.name, [DoomedObject(key, 1)], reason="orphan", grace=NOW)
            moves.doom_orphans(connection, store.name, [DoomedObject(key, 1)])


WAYS = [
    by_deleting,
    by_expiring,
    by_making_the_thumbnails_again,
    by_moving_to_a_bucket,
    by_moving_there_and_back,
    by_losing_all_rows,
    by_a_note_that_is_older_than_the_adoption,
]


@pytest.mark.parametrize("way", WAYS)
def test_files_that_were_adopted_where_they_lie_outlive(database, studio, store, bucket, in_place, way):
    way(database, studio, store, bucket)
    let_everything_be_due(database)
    for _ in range(2):
        clean_up_images(database, [store, bucket], RetentionRule())
        found = reconcile(database, [store, bucket], grace=NOW, repair=True).found

    assert {file: file.read_bytes() for file in there(in_place)} == in_place
    assert [each for each in found if each.kind not in {"foreign", "unused"}] == []


@pytest.mark.parametrize("way", [by_deleting, by_expiring, by_making_the_thumbnails_again, by_moving_to_a_bucket])
def test_without_the_guard_they_would_go(database, studio, store, bucket, in_place, way):
    """What shows that the test above can fail."""
    with without_the_guard(database):
        way(database, studio, store, bucket)
        let_everything_be_due(database)
        delete_due(database, store)
        assert there(in_place) != set(in_place)


def test_deleting_takes_rows_urls_and_space(database, store, in_place):
    delete(database)
    clean_up_images(database, [store], RetentionRule())

    assert account(database, value(database, "select user_id from generations"))["storage_used"] == 0
    assert rows(database, "select from pose_results where image_url is not null") == []
    assert reconcile(database, [store], grace=NOW, repair=True).found == [], "nothing to do about the files"


def test_copies_are_posegens_and_go(database, studio, store, tmp_path):
    originals = fill(tmp_path / "uploads")
    adopt(studio, tmp_path / "uploads")
    assert len(keys_in(store, "poses/")) == 2

    delete(database)
    clean_up_images(database, [store], RetentionRule())

    assert keys_in(store, "poses/") == []
    assert there(originals) == set(originals)


# --- when the operator says so ------------------------------------------------------------------------------------


def test_delete_files_deletes_them_with_their_poses(database, store, in_place):
    delete(database, delete_files=True)
    clean_up_images(database, [store], RetentionRule())

    assert there(in_place) == set()
    assert value(database, "select count(*) from adopted_files") == 0


def test_delete_files_may_be_said_after_the_poses_are_gone(database, store, in_place):
    delete(database)
    clean_up_images(database, [store], RetentionRule())
    with database.transaction() as connection:
        assert adopted_files.let_go_with(connection, poses(database)) == 3

    delete_due(database, store)

    assert there(in_place) == set()


def test_a_restore_takes_the_word_back(database, store, in_place):
    delete(database, delete_files=True, grace=timedelta(days=1))
    with database.transaction() as connection:
        assert pose_rows.restore(connection, poses(database), actor="Ayu") == 2
    delete(database)
    clean_up_images(database, [store], RetentionRule())

    assert there(in_place) == set(in_place)


def test_an_adoption_with_delete_files_keeps_nothing(database, studio, store):
    files = fill(store._root)
    assert adopt(studio, store._root, delete_files=True).files_kept == 0

    delete(database)
    clean_up_images(database, [store], RetentionRule())

    assert there(files) == set()


def test_a_move_with_delete_files_leaves_nothing_behind(database, store, bucket, in_place):
    move_objects(database, Move(store, bucket, grace=NOW, delete_files=True))
    delete_due(database, store)

    assert there(in_place) == set()
    assert len(keys_in(bucket, "poses/")) == 3


# --- files that were never adopted --------------------------------------------------------------------------------

FOREIGN = [
    "poses/order-17/a.png",
    "poses/0b7c4f0e-5d3c-4b8e-9a38-5a7d5a9a1c11/photo-0123456789ab.png",
    "thumbnails/x/a_thumb.png",
    "uploads/avatar.png",
    "uploads/2024/avatar-0123456789ab.png",
    "exports/archive-2024.zip",
    "designs/logo.png",
    "variants/a.jpg",
    "prints/flyer.pdf",
    "controlnet/pose.png",
    "backup/dump.sql.gz",
    "readme.txt",
]


def test_files_that_posegen_has_not_written_are_named_and_never_deleted(database, store):
    for key in FOREIGN:
        path = store._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded("PNG"))
        os.utime(path, (1e9, 1e9))

    for _ in range(2):
        pass_ = reconcile(database, [store], grace=timedelta(days=1), repair=True)
        let_everything_be_due(database)

    assert {each.kind: (each.number, each.repaired) for each in pass_.found} == {"foreign": (len(FOREIGN), 0)}
    assert (pass_.left, pass_.deleted) == (0, 0)
    assert all((store._root / key).exists() for key in FOREIGN)
    assert not [each for each in verify(database, [store], grace=NOW) if each.violations]


def test_what_a_client_put_and_never_completed_is_posegens_to_delete(database, store):
    key = put(store, "uploads/5c1d7c76-3c5b-4d0e-9a44-4d0a8d0c2f11.png").key

    reconcile(database, [store], grace=NOW, repair=True)

    assert not store.exists(key)


def test_what_could_not_be_adopted_stays_where_it_is(database, studio, store):
    files = fill(store._root)
    poor = a_user(database, storage_limit=10)
    assert adopt(studio, store._root, poor).poses == 0

    reconcile(database, [store], grace=NOW, repair=True)
    let_everything_be_due(database)
    reconcile(database, [store], grace=NOW, repair=True)

    assert there(files) == set(files)
