"""What is made of a picture goes with it: hidden at once, deleted after the grace, restored with it, and never late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from posegen.designs import service as design_service
from posegen.designs.making import make_design
from posegen.errors import UploadRefused
from posegen.generations.making import contact_sheets
from posegen.generations.making.contact_sheets import draw_contact_sheet, store_contact_sheet
from posegen.generations.rows import poses as pose_rows
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.images.validation import open_image
from posegen.objects import rows as objects
from posegen.objects.moving import delete_due
from posegen.storage.keys import upload_key, uploaded_key
from posegen.upkeep import retention_rows as retention
from posegen.upkeep.reconciling import reconcile
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.upkeep.verification import verify
from posegen.uploads import rows as uploads
from posegen.uploads import service as upload_service
from posegen.variants import rows as variants
from posegen.variants.making import VariantsMade, make_variants
from tests.builders import SLUGS, a_batch, a_user, account, execute, finished, rendering_design, row, rows, value
from tests.concurrency import until
from tests.hostile_images import encoded
from tests.stores import keys_in

NOW, DAY = timedelta(0), timedelta(days=1)
PNG = encoded("PNG")


@pytest.fixture
def user(database) -> UUID:
    return a_user(database)


def ask(studio, user, source):
    asked = "insert into image_requests (user_id, tool, source) values (%s, 'editor', %s) returning id"
    return value(studio.database, asked, user, source)


def work(studio) -> VariantsMade:
    batch = a_batch(studio.database)
    return make_variants(studio, batch, lambda file, _: open_image(file), run_id="run")


def made_of(studio, user, *sources):
    """The requests for variants of these, made one after the other."""
    requests = [ask(studio, user, source) for source in sources]
    assert work(studio) == VariantsMade(completed=len(sources))
    return requests


def urls(studio, request):
    found = row(studio.database, "select * from variant_results where request_id = %s", request)
    return [found["normal_url"], found["high_quality_url"]]


def is_shown(studio, requests):
    shown = {request: {url is not None for url in urls(studio, request)} for request in requests}
    assert all(len(each) == 1 for each in shown.values()), "one of two files is shown"
    return [each.pop() for each in shown.values()]


def hide(studio, *positions, grace=NOW):
    poses = [
        each["id"]
        for each in rows(studio.database, "select id, position from generated_poses")
        if each["position"] in positions
    ]
    with studio.database.transaction() as connection:
        assert pose_rows.hide(connection, poses, actor="Ayu", grace=grace) == len(positions)
        return poses


def restore(studio, poses):
    with studio.database.transaction() as connection:
        assert pose_rows.restore(connection, poses, actor="Ayu") == len(poses)


def clean_up(studio):
    return clean_up_images(studio.database, [studio.store], RetentionRule())


def wrong(studio):
    return {each.name: each.examples for each in verify(studio.database, [studio.store], grace=NOW) if each.violations}


def files_of(studio, request):
    return [key for key in keys_in(studio.store, "variants/") if str(request) in key]


def an_upload(studio, user, *, status="completed"):
    """What a client has put, as `posegen upload` leaves it."""
    upload = uuid4()
    put = studio.store.put(upload_key(upload, "image/png"), PNG, content_type="image/png")
    with studio.database.transaction() as connection:
        uploads.begin(
            connection, upload, user, content_type="image/png", size=len(PNG), store="local", key=put.key, seconds=60
        )
    if status == "completed":
        upload_service.complete(studio, upload, lambda file, _: open_image(file))
    elif status == "rejected":
        with studio.database.transaction() as connection:
            uploads.reject(connection, upload, "no picture")
    return upload


def key_of(studio, upload):
    return value(
        studio.database, "select o.key from objects o join uploads u on u.object_id = o.id where u.id = %s", upload
    )


def a_published_design(studio, user):
    lease = rendering_design(studio.database, user)
    make_design(studio, lease)
    return lease.id


# --- of a pose ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(studio, user):
    """Every picture of two poses, by position, and the requests for variants of each and of one of those variants."""
    finished(
        replace(studio, thumbnails=thumbnail_sizes("400.webp,100.png")), user, poses=SLUGS[:2], formats=["facebook"]
    )
    made = {}
    for pose in rows(studio.database, "select * from pose_results order by position"):
        sources = [pose["image_url"], pose["thumbnail_url"], *pose["exports"].values(), *pose["thumbnails"].values()]
        requests = made_of(studio, user, *sources)
        made[pose["position"]] = [*requests, *made_of(studio, user, urls(studio, requests[3])[0])]
        made[pose["position"]] += made_of(studio, user, urls(studio, made[pose["position"]][-1])[1])
    return made


def test_variants_of_every_picture_of_a_pose_are_hidden_restored_and_deleted_with_it(studio, store, user, pictures):
    gone, stays = pictures[0], pictures[1]
    assert len(gone) == 6
    before = [urls(studio, each) for each in (*gone, *stays)]

    poses = hide(studio, 0, grace=DAY)
    assert (is_shown(studio, gone), is_shown(studio, stays)) == ([False] * 6, [True] * 6)
    assert all(len(files_of(studio, each)) == 2 for each in gone), "hidden is not deleted"
    assert wrong(studio) == {}

    restore(studio, poses)
    assert [urls(studio, each) for each in (*gone, *stays)] == before

    hide(studio, 0)
    due = clean_up_images(studio.database, [store], RetentionRule(), dry_run=True).due
    done = clean_up(studio)
    assert (done.deleted.poses, done.deleted.objects) == (1, 4 + 12)
    assert done.bytes_gone == due.bytes, "what it said beforehand"
    assert [files_of(studio, each) for each in gone] == [[]] * 6
    assert all(len(files_of(studio, each)) == 2 for each in stays)
    assert value(studio.database, "select count(deleted_at) from variant_results") == 6
    used = value(studio.database, "select sum(size)::bigint from objects where not key like '%%sheet%%'")
    assert account(studio.database, user)["storage_used"] == used
    assert wrong(studio) == {}
    assert reconcile(studio.database, [store], grace=NOW).found == []


def test_a_picture_and_its_variants_are_deleted_in_one_transaction(studio, user):
    finished(studio, user)
    (request,) = made_of(studio, user, value(studio.database, "select thumbnail_url from pose_results"))
    hide(studio, 0)

    with studio.database.transaction() as connection:
        assert retention.delete_hidden(connection, limit=10).objects == 2 + 2

    assert value(studio.database, "select deleted_at is not null from image_variants where id = %s", request)
    assert "I16" not in wrong(studio)


def test_a_clean_up_of_what_expired_takes_the_variants_of_the_whole_generation(studio, user):
    generation = finished(studio, user, poses=SLUGS[:2])
    thumbnails = [each["thumbnail_url"] for each in rows(studio.database, "select thumbnail_url from pose_results")]
    made_of(studio, user, *thumbnails)
    execute(studio.database, "update generated_poses set completed_at = completed_at - interval '91 days'")

    clean_up(studio)
    assert rows(studio.database, "select from variant_results where normal_url is not null") == []
    execute(studio.database, "update generated_poses set delete_after = now()")
    clean_up(studio)

    assert [key for key in keys_in(studio.store) if str(generation) in key or key.startswith("variants/")] == []


def test_a_request_for_a_hidden_picture_is_refused_like_one_for_none(studio, user):
    finished(studio, user)
    url = value(studio.database, "select thumbnail_url from pose_results")
    poses = hide(studio, 0, grace=DAY)
    hidden = ask(studio, user, url)

    assert work(studio) == VariantsMade(failed=1)

    failed = row(studio.database, "select * from variant_results where request_id = %s", hidden)
    assert failed["error_code"] == "invalid_request"
    assert "This user has no stored picture" in failed["error_detail"]
    restore(studio, poses)
    assert is_shown(studio, made_of(studio, user, url)) == [True]


def test_a_file_that_its_pose_has_replaced_is_no_picture_any_more(studio, user):
    """It may show a pose that is hidden, and nothing would hide its variants."""
    finished(studio, user, formats=["shopee"])
    key = value(studio.database, "select key from objects where key like 'exports/%%'")
    execute(studio.database, "delete from exports")

    ask(studio, user, key)

    assert work(studio) == VariantsMade(failed=1)


def test_variants_that_earlier_versions_left_are_named_and_cleaned_up(studio, user):
    finished(studio, user)
    (left,) = made_of(studio, user, value(studio.database, "select thumbnail_url from pose_results"))
    with studio.database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "update generated_poses set delete_after = now(), delete_reason = 'asked', images_deleted_at = now(),"
            " image_object = null, original_object = null, thumbnail_object = null"
        )
    assert is_shown(studio, [left]) == [False]
    assert [str(left) in example for example in wrong(studio)["I16"]] == [True]

    assert clean_up(studio).deleted.objects == 2

    assert files_of(studio, left) == []
    assert "I16" not in wrong(studio)


# --- under way ----------------------------------------------------------------------------------------------------


def of_a_hidden_pose(studio, user):
    finished(studio, user)
    return value(studio.database, "select thumbnail_url from pose_results"), lambda: hide(studio, 0, grace=DAY)


def of_a_deleted_pose(studio, user):
    finished(studio, user)

    def delete():
        hide(studio, 0)
        clean_up(studio)

    return value(studio.database, "select thumbnail_url from pose_results"), delete


def of_a_deleted_upload(studio, user):
    upload = an_upload(studio, user)
    return key_of(studio, upload), lambda: value(studio.database, "select delete_upload(%s)", upload)


def of_a_deleted_design(studio, user):
    design = a_published_design(studio, user)
    url = value(studio.database, "select thumbnail_url from design_results")
    return url, lambda: execute(studio.database, "delete from design_requests where id = %s", design)


def of_deleted_variants(studio, user):
    (first,) = made_of(studio, user, key_of(studio, an_upload(studio, user)))
    return urls(studio, first)[0], lambda: value(studio.database, "select delete_variants(array[%s::uuid])", first)


@pytest.mark.parametrize(
    "source", [of_a_hidden_pose, of_a_deleted_pose, of_a_deleted_upload, of_a_deleted_design, of_deleted_variants]
)
def test_variants_whose_picture_goes_while_they_are_made_are_not_published(studio, user, source, monkeypatch):
    meant, lose = source(studio, user)
    request = ask(studio, user, meant)
    true_put = type(studio).put_verified

    def put_and_lose(self, *stored):
        monkeypatch.undo()
        lose()
        return true_put(self, *stored)

    monkeypatch.setattr(type(studio), "put_verified", put_and_lose)
    assert work(studio).failed == 1

    failed = row(studio.database, "select * from variant_results where request_id = %s", request)
    assert (failed["error_code"], failed["normal_url"]) == ("invalid_request", None)
    assert "was hidden or deleted before its variants were made" in failed["error_detail"]
    assert rows(studio.database, "select from objects where key like %s", f"%{request}%") == []
    assert "I8" not in wrong(studio)


def test_a_deletion_that_is_not_committed_yet_is_waited_for(studio, user):
    finished(studio, user)
    request = ask(studio, user, value(studio.database, "select thumbnail_url from pose_results"))

    with ThreadPoolExecutor(1) as thread, psycopg.connect(studio.database.url) as other:
        other.execute("select delete_images(array_agg(id), 'Ayu') from generated_poses")
        making = thread.submit(work, studio)
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%%for share%%'"
        until(lambda: value(studio.database, waiting) == 1)
        other.commit()

        assert making.result(60) == VariantsMade(failed=1)
    assert is_shown(studio, [request]) == [False]


def test_a_contact_sheet_that_was_drawn_of_a_picture_that_is_hidden_now_is_not_kept(studio, user, monkeypatch):
    generation = finished(studio, user, poses=SLUGS[:2])

    def draw_and_lose(*drawn, **how):
        monkeypatch.undo()
        sheet = draw_contact_sheet(studio, generation)
        hide(studio, 1)
        clean_up(studio)
        return sheet

    monkeypatch.setattr(contact_sheets, "contact_sheet", draw_and_lose)

    assert store_contact_sheet(studio, generation, None) is None
    assert value(studio.database, "select contact_sheet_object from generations") is None
    assert store_contact_sheet(studio, generation, None) is not None
    assert wrong(studio).keys() <= {"I4"}, "the sheet that was not kept waits for the next reconcile pass"


# --- variants by themselves ---------------------------------------------------------------------------------------


def test_variants_are_deleted_by_themselves_with_what_was_made_of_them(studio, store, user):
    upload = an_upload(studio, user)
    used = account(studio.database, user)["storage_used"]
    first, other = made_of(studio, user, key_of(studio, upload), key_of(studio, upload))
    (second,) = made_of(studio, user, urls(studio, first)[0])
    (third,) = made_of(studio, user, urls(studio, second)[1])

    with studio.database.transaction() as connection:
        assert variants.delete(connection, [first, uuid4()], user_id=None, actor="Ayu") == 1

    assert is_shown(studio, [first, second, third, other]) == [False, False, False, True]
    delete_due(studio.database, store)
    assert {key.split("/")[-1][:36] for key in keys_in(store, "variants/")} == {str(other)}
    assert value(studio.database, "select delete_variants(array[%s, %s]::uuid[])", first, third) == 0
    assert rows(studio.database, "select actor, action, subject from audit_trail where action like 'variants%%'") == [
        {"actor": "Ayu", "action": "variants_deleted", "subject": str(first)}
    ]
    assert value(studio.database, "select delete_variants(array[%s::uuid])", other) == 1
    assert account(studio.database, user)["storage_used"] == used
    assert wrong(studio).keys() <= {"I4"}


# --- uploads and designs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["completed", "pending", "rejected"])
def test_an_upload_is_deleted_with_its_variants_and_cannot_be_completed(studio, store, user, status):
    upload = an_upload(studio, user, status=status)
    if status == "completed":
        made_of(studio, user, key_of(studio, upload))

    with studio.database.transaction() as connection:
        assert uploads.delete(connection, upload, actor="Ayu") == (status != "rejected")
        assert not uploads.delete(connection, upload, actor="Ayu")
    execute(studio.database, "update doomed_objects set due = now()")
    delete_due(studio.database, store)

    assert (keys_in(store, "uploads/") == []) == (status != "rejected")
    assert keys_in(store, "variants/") == []
    assert account(studio.database, user)["storage_used"] == 0
    with pytest.raises(UploadRefused, match="is rejected" if status == "rejected" else "is deleted"):
        upload_service.complete(studio, upload, lambda file, _: open_image(file))
    assert wrong(studio).keys() <= {"I4"}


def test_an_upload_that_is_deleted_while_it_is_looked_at_leaves_nothing(studio, store, user):
    upload = an_upload(studio, user, status="pending")

    def look_and_lose(file, suffix):
        assert value(studio.database, "select delete_upload(%s)", upload)
        return open_image(file)

    with pytest.raises(UploadRefused, match="has ended meanwhile"):
        upload_service.complete(studio, upload, look_and_lose)

    assert rows(studio.database, "select from objects") == []
    assert account(studio.database, user)["storage_used"] == 0


@pytest.mark.parametrize("way", ["sql", "command"])
def test_a_design_takes_its_variants_along(studio, store, user, way):
    gone, stays = a_published_design(studio, user), a_published_design(studio, user)
    preview = "select thumbnail_url from design_results where design_id = %s"
    requests = made_of(studio, user, *(value(studio.database, preview, each) for each in (gone, stays)))
    requests += made_of(studio, user, urls(studio, requests[0])[0])

    if way == "sql":
        execute(studio.database, "delete from design_requests where id = %s", gone)
    else:
        design_service.delete(studio, gone)

    assert is_shown(studio, requests) == [False, True, False]
    clean_up(studio)
    assert [len(files_of(studio, each)) for each in requests] == [0, 2, 0]
    assert wrong(studio).keys() <= {"I4"}


def test_a_picture_without_anything_that_it_belongs_to_can_have_variants(studio, user):
    """An object of a user's that no row points at yet."""
    key = uploaded_key(uuid4(), "0" * 64, "image/png")
    with studio.database.transaction() as connection:
        objects.register(
            connection, "local", studio.store.put(key, PNG, content_type="image/png"), generation_id=None, user_id=user
        )

    assert is_shown(studio, made_of(studio, user, key)) == [True]
