"""The table of `docs/reference/storage.md` on who owns what: compared with the schema and the keys, and carried out.

One world has an object of each kind; each row of the table is counted in it, and then its deletion is performed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from posegen.accounts import service as accounts
from posegen.database.connection import Database
from posegen.designs import service as design_service
from posegen.designs.making import make_design
from posegen.generations.making.contact_sheets import store_contact_sheet
from posegen.generations.rows import poses as pose_rows
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.images.validation import open_image
from posegen.library import rows as library
from posegen.library.control_maps import control_maps, store_library_sheet
from posegen.library.previews import store_preview
from posegen.objects.moving import Move, move_objects
from posegen.reports import usage_rows as usage
from posegen.storage.keys import (
    PRIVATE_FOLDERS,
    PUBLIC_FOLDERS,
    STORE_MARKER_KEY,
    UNREGISTERED_FOLDERS,
    content_type_of,
    manifest_key,
    report_key,
    upload_key,
)
from posegen.storage.protocol import ObjectStore
from posegen.studio import Studio
from posegen.upkeep.reconciling import reconcile
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.upkeep.verification import verify
from posegen.uploads import rows as uploads
from posegen.uploads import service as upload_service
from posegen.variants.making import make_variants
from tests import hosted
from tests.adopted import FOLDER, adopt, fill
from tests.builders import SLUGS, a_batch, a_user, account, execute, finished, rendering_design, rows, value
from tests.documents import page
from tests.hostile_images import encoded
from tests.stores import keys_in

ROWS = {row["object"]: row for row in page("docs/reference/storage.md").rows("object")}
NOW = timedelta(0)
PNG = encoded("PNG")
# What a move leaves has the keys of all the others.
ANYWHERE = "any"


@dataclass
class World:
    """A database and a store with an object of each kind. `other`: an upload that was never completed."""

    studio: Studio
    user: UUID
    generation: UUID
    design: UUID
    upload: UUID
    other: UUID
    request: UUID

    @property
    def database(self) -> Database:
        return self.studio.database

    def keys_of(self, named: str) -> set[str]:
        """The keys that a column names, such as `exports.object_id`."""
        table, column = named.split(".")
        return {
            each["key"]
            for each in rows(self.database, f"select o.key from {table} t join objects o on o.id = t.{column}")
        }

    def stored(self) -> set[str]:
        return set(keys_in(self.studio.store))


@pytest.fixture
def world(database: Database, studio: Studio, store) -> World:
    user = a_user(database)
    generation = finished(
        replace(studio, thumbnails=thumbnail_sizes("400.webp,100.png")), user, poses=SLUGS[:1], formats=["facebook"]
    )
    store_contact_sheet(studio, generation, None)
    finished(studio, user, poses=SLUGS[1:2], formats=["facebook"], private=True)
    lease = rendering_design(database, user, print_file=True)
    make_design(studio, lease)
    with database.transaction() as connection:
        pose = library.stored_poses(connection)[0]
    store_library_sheet(studio, {pose.slug: control_maps(studio, pose, side=64)["openpose"]})
    store_preview(studio, pose)
    first, second = (_put_upload(studio, user) for _ in range(2))
    upload_service.complete(studio, first, lambda file, _: open_image(file))
    request = value(
        database,
        "insert into image_requests (user_id, tool, source) select %s, 'editor', thumbnail_url from pose_results "
        "where thumbnail_url is not null returning id",
        user,
    )
    batch = a_batch(database)
    make_variants(studio, batch, lambda file, _: open_image(file), run_id="run")
    _make_photograph(studio, user, first)
    files = fill(store._root)
    assert adopt(studio, store._root, user).files_kept == len(files)
    for key in (
        manifest_key("exports", str(generation)),
        report_key("daily", "2026-11-01", "usage", "application/json"),
        "compute-logs/run/output.txt",
        STORE_MARKER_KEY,
    ):
        store.put(key, b"{}", content_type=content_type_of(key))
    return World(studio, user, generation, lease.id, first, second, request)


def _make_photograph(studio: Studio, user: UUID, image: UUID) -> None:
    """A pose of a hosted backend whose first picture did not pass. `image`: the upload that shows it the pose."""
    far_end = hosted.FarEndInProcess(picture=lambda order: PNG if order == far_end.orders[0] else hosted.drawn(order))
    photographing = replace(
        studio,
        open_hosted=lambda _: far_end,
        describe=lambda name: far_end.description if name == hosted.NAME else None,
    )
    finished(photographing, user, poses=SLUGS[:1], formats=[], backend=hosted.NAME, control_image=str(image))
    assert len(far_end.orders) == 2


def _put_upload(studio: Studio, user: UUID) -> UUID:
    upload = uuid4()
    put = studio.store.put(upload_key(upload, "image/png"), PNG, content_type="image/png")
    with studio.database.transaction() as connection:
        uploads.begin(
            connection, upload, user, content_type="image/png", size=len(PNG), store="local", key=put.key, seconds=60
        )
    return upload


# --- what there is ------------------------------------------------------------------------------------------------


def test_every_column_that_names_an_object_is_in_the_table(database: Database) -> None:
    found = rows(
        database,
        """
        select c.conrelid::regclass || '.' || a.attname as named
        from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)
        where c.contype = 'f' and c.confrelid = 'objects'::regclass
        """,
    )

    assert {row["named by"] for row in ROWS.values() if row["named by"]} == {each["named"] for each in found}


def test_every_first_part_of_a_key_is_in_the_table() -> None:
    documented = {part for row in ROWS.values() for part in _first_parts(row)} - {ANYWHERE}

    assert documented == {*PUBLIC_FOLDERS, *PRIVATE_FOLDERS, *UNREGISTERED_FOLDERS, STORE_MARKER_KEY}


# --- what it counts for -------------------------------------------------------------------------------------------


def test_each_kind_takes_the_space_that_the_table_says_and_all_counts_are_one(world: World) -> None:
    _each_kind_has_its_owner(world)
    _everything_that_is_owned_belongs_to_something(world)
    _quota_report_recount_and_invariant_say_the_same(world)


def _everything_that_is_owned_belongs_to_something(world: World) -> None:
    """Each object of a user's belongs to something whose deletion takes its variants along."""
    alone = rows(
        world.database,
        """
        select o.key from owned_objects o left join object_sources s on s.object_id = o.id
        where o.owner is not null and num_nonnulls(s.pose_id, s.design_id, s.upload_id) = 0
        """,
    )
    assert alone == []


def _each_kind_has_its_owner(world: World) -> None:
    owners = {each["key"]: each["owner"] for each in rows(world.database, "select key, owner from owned_objects")}
    for name, row in ROWS.items():
        if not row["named by"]:
            continue
        keys = _keys(world, name)
        assert keys, f"the world has no {name}"
        assert {key.removeprefix("private/").split("/")[0] for key in keys} == _first_parts(row), name
        assert {owners[key] for key in keys} == OWNERS[row["whose space"]](world), name


def _first_parts(row: dict[str, str]) -> set[str]:
    return set(row["first part of its key"].split(", "))


OWNERS: dict[str, Callable[[World], set[UUID | None]]] = {
    "the user's": lambda world: {world.user},
    "none": lambda _: {None},
    "the user's once a pose uses it": lambda world: {world.user, None},
}


def _quota_report_recount_and_invariant_say_the_same(world: World) -> None:
    by_hand = value(
        world.database,
        "select sum(size)::bigint from objects where split_part(key, '/', 1) not in ('controlnet') "
        "and key not like '%%/sheet-%%' and not (key like 'originals/%%' and generation_id is null)",
    )
    span = {
        each: value(world.database, f"select now() {sign} interval '1 day'")
        for each, sign in (("begin", "-"), ("end", "+"))
    }
    with world.database.transaction() as connection:
        (reported,) = usage.count(connection, usage.STORAGE_USERS, **span)
        by_kind = usage.count(connection, usage.STORAGE, **span)

    assert account(world.database, world.user)["storage_used"] == by_hand
    assert (reported["user_id"], reported["bytes"]) == (str(world.user), by_hand)
    assert {each["kind"] for each in by_kind} == PUBLIC_FOLDERS | PRIVATE_FOLDERS
    assert accounts.recount(world.database, actor="test", dry_run=True) == []
    assert not [each for each in verify(world.database) if each.violations]

    execute(world.database, "update accounts set storage_used = storage_used - 1")
    assert [each.used for each in accounts.recount(world.database, actor="test")] == [by_hand]
    assert account(world.database, world.user)["storage_used"] == by_hand


def test_the_space_of_past_days_stays_with_its_user_when_it_is_given_back(world: World) -> None:
    """The report of yesterday, of what was deleted today."""
    execute(world.database, "update objects set created_at = created_at - interval '2 days'")
    used = account(world.database, world.user)["storage_used"]
    _delete_all_of_the_user(world)
    yesterday = {
        each: value(world.database, f"select (current_date - {days})::timestamp at time zone 'utc'")
        for each, days in (("begin", 1), ("end", 0))
    }

    with world.database.transaction() as connection:
        (reported,) = usage.count(connection, usage.STORAGE_USERS, **yesterday)

    assert account(world.database, world.user)["storage_used"] == 0
    assert (reported["user_id"], reported["bytes"]) == (str(world.user), used)


def _delete_all_of_the_user(world: World) -> None:
    _delete_poses(world)
    execute(world.database, "delete from design_requests")
    assert value(world.database, "select delete_upload(%s)", world.upload)


# --- what deletes it ----------------------------------------------------------------------------------------------


def _delete_poses(world: World) -> None:
    with world.database.transaction() as connection:
        poses = [each["id"] for each in connection.execute("select id from generated_poses").fetchall()]
        pose_rows.hide(connection, poses, actor="Ayu", grace=NOW)
    clean_up_images(world.database, [world.studio.store], RetentionRule())


def _delete_variants(world: World) -> None:
    assert value(world.database, "select delete_variants(array[%s::uuid])", world.request) == 1


def _delete_design(world: World) -> None:
    execute(world.database, "delete from design_requests where id = %s", world.design)
    design_service.clear_deleted(world.studio)


def _delete_uploads(world: World) -> None:
    assert value(world.database, "select delete_upload(%s)", world.upload)


def _expire_uploads(world: World) -> None:
    execute(world.database, "update uploads set expires_at = now() - interval '1 second' where status = 'pending'")


def _delete_library_poses(world: World) -> None:
    execute(world.database, "delete from control_maps; delete from library_previews")


def _draw_another_library_sheet(world: World) -> None:
    with world.database.transaction() as connection:
        poses = library.stored_poses(connection)[1:3]
    store_library_sheet(
        world.studio, {pose.slug: control_maps(world.studio, pose, side=64)["openpose"] for pose in poses}
    )


DELETIONS: dict[str, Callable[[World], None]] = {
    "picture of a pose": _delete_poses,
    "picture as the backend delivered it": _delete_poses,
    "file that a hosted backend delivered": _delete_poses,
    "thumbnail": _delete_poses,
    "thumbnail of a further size": _delete_poses,
    "export": _delete_poses,
    "contact sheet": _delete_poses,
    "variant, normal": _delete_variants,
    "variant, high quality": _delete_variants,
    "preview of a design": _delete_design,
    "thumbnail of a design": _delete_design,
    "print of a design": _delete_design,
    "upload": _delete_uploads,
    "upload on its way": _expire_uploads,
    "map made of a control image": _delete_poses,
    "control map": _delete_library_poses,
    "preview of a library pose": _delete_library_poses,
    "sheet of the library": _draw_another_library_sheet,
    "manifest": _delete_poses,
}
"""What the table says of each kind, done. Kinds that are not here are never deleted, or by others."""
STAYS = {
    "picture that was adopted where it lies": f"poses/{FOLDER}/",
    "report": "reports/",
    "output of runs": "compute-logs/",
    "marker": STORE_MARKER_KEY,
}


def _keys(world: World, name: str) -> set[str]:
    if name == "upload on its way":
        return {upload_key(world.other, "image/png")}
    if name == "manifest":
        return {manifest_key("exports", str(world.generation))}
    adopted = {each["key"] for each in rows(world.database, "select key from adopted_files")}
    named = world.keys_of(ROWS[name]["named by"])
    return named & adopted if "adopted" in name else named - adopted


def test_every_kind_is_deleted_by_a_test_or_said_to_stay() -> None:
    elsewhere = {"old copy after a move", "what a health check writes", "any of these whose request is private"}

    assert {*DELETIONS, *STAYS, *elsewhere} == set(ROWS)


def test_each_deletion_of_the_table_takes_just_that_and_the_rest_stays(world: World, bucket: ObjectStore) -> None:
    kept = {name: {key for key in world.stored() if key.startswith(prefix)} for name, prefix in STAYS.items()}
    assert all(kept.values())

    # Poses last: variants are made of one of them.
    for deletion in sorted(dict.fromkeys(DELETIONS.values()), key=lambda each: each is _delete_poses):
        wanted = set().union(*(_keys(world, name) for name, done in DELETIONS.items() if done is deletion))
        before = world.stored()
        assert wanted, deletion
        assert wanted <= before

        deletion(world)
        reconcile(world.database, [world.studio.store], grace=NOW, repair=True)

        assert before - world.stored() == wanted, deletion
        assert not [each for each in verify(world.database, [world.studio.store]) if each.violations], deletion
    execute(world.database, "delete from control_maps; delete from library_previews; delete from library_sheet")
    assert move_objects(world.database, Move(world.studio.store, bucket, grace=NOW)).problems == []
    reconcile(world.database, [world.studio.store, bucket], grace=NOW, repair=True)

    assert world.stored() == set().union(*kept.values())
    assert account(world.database, world.user)["storage_used"] == 0
