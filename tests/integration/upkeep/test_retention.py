"""Retention: images that nobody wants go in two steps, what is wanted stays, and no row is ever without its object."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from posegen.errors import ClaimSuperseded
from posegen.generations.asking.regeneration import regenerate
from posegen.generations.making.contact_sheets import store_contact_sheet
from posegen.generations.making.exports import derive_exports
from posegen.generations.reading.archives import plan_archive
from posegen.generations.rows import poses as pose_rows
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.reports import usage_rows as usage
from posegen.upkeep import retention_rows as retention
from posegen.upkeep.reconciling import reconcile
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.upkeep.retention_rows import Deleted
from posegen.upkeep.verification import verify
from tests.builders import (
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
    value,
)
from tests.stores import keys_in

DAY = timedelta(days=1)
NOW = timedelta(0)
RULE = RetentionRule()


def grow_old(database, generation, days=91):
    execute(
        database,
        "update generated_poses set completed_at = completed_at - %s where generation_id = %s",
        timedelta(days=days),
        generation,
    )


def let_grace_pass(database):
    execute(database, "update generated_poses set delete_after = now() where delete_after is not null")


def hide(database, generation, *, grace=DAY, positions=None):
    found = rows(database, "select id, position from generated_poses where generation_id = %s", generation)
    chosen = [each["id"] for each in found if positions is None or each["position"] in positions]
    with database.transaction() as connection:
        return pose_rows.hide(connection, chosen, actor="Ayu", grace=grace)


def restore(database, generation):
    with database.transaction() as connection:
        hidden = pose_rows.hidden_poses(connection, generation)
        return pose_rows.restore(connection, [each.id for each in hidden], actor="Ayu")


def delete_now(database, store, generation):
    hide(database, generation, grace=NOW)
    return clean_up_images(database, [store], RULE)


def broken(database, store):
    findings = verify(database, [store], grace=NOW, read_back=None)
    return [each for each in findings if each.violations]


def pictures(store, generation):
    return [key for key in keys_in(store) if str(generation) in key]


def shown(database, generation):
    return rows(
        database,
        """
        select image_url, thumbnail_url, original_url, exports from pose_results
        where generation_id = %s order by position
        """,
        generation,
    )


# --- what expires -------------------------------------------------------------------------------------------------


def test_images_that_nobody_wants_are_hidden_first_and_deleted_a_day_later(database, studio, store):
    generation = finished(studio, poses=SLUGS[:2], formats=["tiktok"])
    grow_old(database, generation)

    first = clean_up_images(database, [store], RULE)

    assert (first.expired.poses, first.hidden, first.deleted.poses) == (2, 2, 0)
    assert all(each["image_url"] is None and each["exports"] == {} for each in shown(database, generation))
    assert len(pictures(store, generation)) == 6, "hidden is not deleted"

    execute(database, "update generated_poses set delete_after = delete_after - interval '24 hours'")
    second = clean_up_images(database, [store], RULE)

    assert (second.hidden, second.deleted.poses, second.deleted.objects) == (0, 2, 6)
    assert second.objects_gone == 6 + 3, "with the manifests"
    assert pictures(store, generation) == []
    assert broken(database, store) == []


def test_images_that_are_younger_marked_or_downloaded_stay(database, studio, store):
    wanted = finished(studio, poses=SLUGS[:2])
    young = finished(studio, poses=[SLUGS[0]])
    grow_old(database, wanted)
    grow_old(database, young, days=89)
    marked, downloaded = rows(
        database, "select id from generated_poses where generation_id = %s order by position", wanted
    )
    assert value(database, "select set_favourite(%s, true)", marked["id"])
    assert value(database, "select record_download(%s)", downloaded["id"]) == 1

    assert clean_up_images(database, [store], RULE).hidden == 0

    assert value(database, "select set_favourite(%s, false)", marked["id"])

    assert clean_up_images(database, [store], RULE).hidden == 1


def test_a_dry_run_says_what_a_run_would_do_and_does_nothing(database, studio, store):
    expired, due = finished(studio, poses=[SLUGS[0]]), finished(studio, poses=[SLUGS[1]], formats=["shopee"])
    grow_old(database, expired)
    hide(database, due, grace=NOW)
    before = keys_in(store)

    said = clean_up_images(database, [store], RULE, dry_run=True)

    sizes = value(database, "select sum(size)::bigint from objects where generation_id = %s", due)
    assert (said.expired.poses, said.due.poses, said.due.bytes) == (1, 1, sizes)
    assert (said.hidden, said.deleted) == (0, Deleted())
    assert keys_in(store) == before


def test_twice_changes_nothing_more_and_a_limit_holds(database, studio, store):
    generation = finished(studio, poses=SLUGS[:5])
    grow_old(database, generation)

    assert clean_up_images(database, [store], RULE, most=3, page=2).hidden == 3
    assert clean_up_images(database, [store], RULE, page=2).hidden == 2
    let_grace_pass(database)
    assert clean_up_images(database, [store], RULE, most=4, page=3).deleted.poses == 4
    assert clean_up_images(database, [store], RULE).deleted.poses == 1

    again = clean_up_images(database, [store], RULE)

    assert (again.expired.poses, again.due.poses, again.deleted, again.objects_gone) == (0, 0, Deleted(), 0)


# --- what is asked for --------------------------------------------------------------------------------------------


def test_whoever_thinks_better_of_it_within_a_day_has_everything_back(database, studio, store):
    generation = finished(studio, poses=SLUGS[:2], formats=["tiktok"])
    before = shown(database, generation)

    assert hide(database, generation, positions=[1]) == 1
    assert [each["image_url"] is None for each in shown(database, generation)] == [False, True]
    assert restore(database, generation) == 1

    assert shown(database, generation) == before
    assert event_kinds(database, generation)[-2:] == ["images_deleted", "images_restored"]
    let_grace_pass(database)
    assert clean_up_images(database, [store], RULE).deleted.poses == 0


def test_after_the_time_of_grace_nothing_comes_back(database, studio, store):
    generation = finished(studio, poses=[SLUGS[0]])
    delete_now(database, store, generation)

    assert restore(database, generation) == 0

    (hidden,) = _hidden(database, generation)
    assert hidden.images_deleted_at is not None


def _hidden(database, generation):
    with database.transaction() as connection:
        return pose_rows.hidden_poses(connection, generation)


def test_what_is_at_work_cannot_be_deleted(database):
    lease = running(database)

    assert hide(database, lease.id, grace=NOW) == 0


REFUSED = {
    "-1 hour": "-01:00:00",
    "-infinity": "-infinity",
    "infinity": "infinity",
    "10000 years": "10000 years",
    "300000 years": "300000 years",
    "90000000 hours": "90000000:00:00",
    "3650 days 1 microsecond": "3650 days 00:00:00.000001",
    "12 years": "12 years",
    None: "NULL",
}


def test_a_grace_that_is_no_time_to_come_or_too_long_is_refused_by_its_value(database, studio):
    generation = finished(studio, poses=[SLUGS[0]])
    pose = value(database, "select id from generated_poses")

    for grace, said in REFUSED.items():
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            execute(database, "select delete_images(array[%s::uuid], 'Ayu', %s::interval)", pose, grace)
        assert f"a grace of {said} is refused: name one of 0 or more, and of 3650 days at most" in str(refused.value)

    assert all(each["image_url"] for each in shown(database, generation))


def test_the_longest_grace_can_be_read_and_taken_back(database, studio):
    generation = finished(studio, poses=[SLUGS[0]])
    pose = value(database, "select id from generated_poses")

    for grace in ("0", "3650 days", "10 years", "87600 hours"):
        assert value(database, "select delete_images(array[%s::uuid], 'Ayu', %s::interval)", pose, grace) == 1
        assert value(database, "select delete_after from pose_results").year < 2100
        assert restore(database, generation) == 1


def test_the_row_stays_and_tells_what_was_made_and_paid(database, studio, store):
    user = a_user(database, credits=100)
    generation = finished(studio, user, poses=[SLUGS[0]], formats=["tiktok"])
    size = value(database, "select size from exports")

    delete_now(database, store, generation)

    pose = row(database, "select * from generated_poses where generation_id = %s", generation)
    assert (pose["status"], pose["recipe"], pose["keypoints"], pose["perceptual_hash"]) == ("completed",) + (None,) * 3
    assert pose["recipe_hash"] is not None
    export = row(database, "select status, object_id, size from exports")
    assert export == {"status": "completed", "object_id": None, "size": size}
    assert result(database, generation)["status"] == "completed"
    assert credits(database, user) == (70, 0, 30)


def test_further_thumbnails_go_with_it(database, studio, store):
    generation = finished(replace(studio, thumbnails=thumbnail_sizes("400.webp,200.png")), poses=[SLUGS[0]])
    assert len(pictures(store, generation)) == 3

    delete_now(database, store, generation)

    assert pictures(store, generation) == []
    assert value(database, "select count(*) from thumbnails") == 0
    assert broken(database, store) == []


def test_the_space_is_the_users_again(database, studio, store):
    user = a_user(database)
    kept, gone = (finished(studio, user, poses=[slug], formats=["tiktok"]) for slug in SLUGS[:2])
    of_kept = value(database, "select sum(size)::bigint from objects where generation_id = %s", kept)

    delete_now(database, store, gone)

    assert account(database, user)["storage_used"] == of_kept


def test_the_contact_sheet_goes_with_the_first_picture_and_the_manifests_with_the_last(database, studio, store):
    generation = finished(studio, poses=SLUGS[:2])
    assert store_contact_sheet(studio, generation, None)
    sheet = value(database, "select key from objects o join generations g on g.contact_sheet_object = o.id")
    manifest = store.put(f"manifests/exports/{generation}.json", b"{}", content_type="application/json")
    hide(database, generation, positions=[0])
    assert store.exists(sheet), "a restore shows everything again"
    let_grace_pass(database)
    clean_up_images(database, [store], RULE)
    assert not store.exists(sheet), "it shows what is deleted"
    assert store.exists(manifest.key)
    assert store_contact_sheet(studio, generation, None), "another one, of what is left"

    delete_now(database, store, generation)

    assert [key for key in keys_in(store) if "sheet" in key] == []
    assert not store.exists(manifest.key)
    assert reconcile(database, [store], grace=NOW).found == []


def test_an_object_that_something_else_needs_stays(database, studio, store):
    first, second = (finished(studio, poses=[slug]) for slug in SLUGS[:2])
    shared = value(database, "select image_object from generated_poses where generation_id = %s", first)
    execute(
        database,
        "update generated_poses set image_object = %s, original_object = %s where generation_id = %s",
        shared,
        shared,
        second,
    )
    key = value(database, "select key from objects where id = %s", shared)

    delete_now(database, store, first)

    assert store.exists(key)
    assert value(database, "select count(*) from objects where id = %s", shared) == 1


# --- beside live work ---------------------------------------------------------------------------------------------


def test_an_export_that_is_made_while_its_pose_is_deleted_is_not_stored(database, studio, store, monkeypatch):
    generation = finished(studio, poses=[SLUGS[0]])
    true_read = type(studio).read

    def read_and_lose(self, *named):
        data = true_read(self, *named)
        hide(database, generation)
        return data

    monkeypatch.setattr(type(studio), "read", read_and_lose)

    with pytest.raises(ClaimSuperseded, match="posegen restore"):
        derive_exports(studio, generation, None, formats=["tiktok"])

    assert value(database, "select count(*) from exports") == 0
    assert value(database, "select count(*) from objects where split_part(key, '/', 1) = 'exports'") == 0


def test_hidden_images_are_in_no_archive_and_no_regeneration(database, studio):
    generation = finished(studio, poses=SLUGS[:2], formats=["tiktok"])
    hide(database, generation, positions=[0])

    archive = plan_archive(studio, generation, formats=["tiktok"])
    done = regenerate(studio, generation, formats=["shopee"])

    assert (len(archive.names), archive.missing) == (1, ())
    assert done.derived == 1


def test_two_passes_at_once_delete_everything_once(database, studio, store):
    generation = finished(studio, poses=SLUGS[:4])
    hide(database, generation, grace=NOW)

    with database.transaction() as busy:
        busy.execute("select from generated_poses where generation_id = %s and position = 0 for update", [generation])
        # The other pass is in the middle of the first pose: this one passes over it.
        assert clean_up_images(database, [store], RULE).deleted.poses == 3
    assert clean_up_images(database, [store], RULE).deleted.poses == 1
    assert broken(database, store) == []


def test_reports_of_days_that_are_gone_say_the_same_as_before(database, studio, store):
    generation = finished(studio, poses=SLUGS[:2], formats=["tiktok", "shopee"])
    span = {"begin": datetime.now(UTC) - DAY, "end": datetime.now(UTC) + DAY}
    tables = {name: getattr(usage, name) for name in ("TOTALS", "PHASES", "POPULAR_POSES", "FORMATS", "BACKENDS")}
    with database.transaction() as connection:
        before = usage.count_all(connection, tables, **span)

    delete_now(database, store, generation)

    with database.transaction() as connection:
        assert usage.count_all(connection, tables, **span) == before


# --- traces -------------------------------------------------------------------------------------------------------


def retire(database, generation):
    with database.transaction() as connection:
        return retention.retire_generations(connection, [generation])


def test_retired_work_has_no_events_and_gets_none(database, studio, store):
    generation = finished(studio, poses=[SLUGS[0]])
    events = len(event_kinds(database, generation))

    assert retire(database, generation) == events
    hide(database, generation)

    assert event_kinds(database, generation) == []
    assert value(database, "select retired_at is not null from generations")
    assert broken(database, store) == []


def test_only_what_ended_long_enough_ago_is_to_be_retired(database, studio):
    old, young = finished(studio, poses=[SLUGS[0]]), finished(studio, poses=[SLUGS[1]])
    lease = running(database)
    execute(database, "update generations set finished_at = now() - interval '8 days' where id = %s", old)

    with database.transaction() as connection:
        assert retention.generations_to_retire(connection, age=timedelta(days=7), limit=10) == [old]
        assert retention.generations_to_retire(connection, age=NOW, limit=1) == [old]
    retire(database, old)
    with database.transaction() as connection:
        left = retention.generations_to_retire(connection, age=NOW, limit=10)
    assert left == [young]
    assert lease.id not in left
