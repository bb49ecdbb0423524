"""`STORAGE_MODE` is flipped: new objects go to the new store, old ones are read from theirs, and back again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import dagster as dg
import pytest

from posegen.errors import StoreUnknown
from posegen.generations.making.contact_sheets import draw_contact_sheet, store_contact_sheet
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.manifests import exports_manifest, poses_manifest, thumbnails_manifest
from posegen.generations.making.poses import make_thumbnails_again
from posegen.generations.reading.archives import plan_archive
from posegen.generations.reading.gathering import gather_files
from posegen.generations.reading.inspection import inspect_exports, inspect_poses
from posegen.library import rows as library
from posegen.library.control_maps import control_maps
from posegen.objects import stores
from posegen.settings import Settings
from posegen.storage.configuration import BucketConfig
from posegen.storage.keys import manifest_key
from posegen.storage.protocol import ObjectStore
from posegen.storage.s3 import BucketStore
from posegen.storage.stores import Stores
from posegen.studio import Studio
from resources.manifest_io_manager import ManifestIOManager
from tests.builders import finished, rows, value
from tests.s3_server import CREDENTIALS
from tests.stores import empty, keys_in

BASE_URL = "https://pictures.example/media"
FORMATS = ["instagram_post", "tiktok"]


@pytest.fixture
def other(bucket: BucketConfig) -> ObjectStore:
    """A private bucket."""
    opened = BucketStore(bucket)
    empty(opened)
    return opened


def flipped(studio: Studio, to: ObjectStore) -> Studio:
    """The same studio after `STORAGE_MODE` was changed; the store that was left stays configured."""
    left = studio.store
    with studio.database.transaction() as connection:
        stores.register(connection, {to.name: None if to.name == "s3" else BASE_URL})
    return replace(studio, store=to, open_store=Stores(to, {left.name: lambda: left}).named)


def stores_of(studio: Studio, generation: UUID) -> dict[str, set[str]]:
    """Which stores the objects of a generation lie in, by kind."""
    found = rows(
        studio.database,
        "select split_part(key, '/', 1) as kind, store from objects where generation_id = %s",
        generation,
    )
    return {kind: {row["store"] for row in found if row["kind"] == kind} for kind in {row["kind"] for row in found}}


def test_what_is_new_goes_to_the_new_store_and_what_is_old_stays_readable(
    studio: Studio, other: ObjectStore, tmp_path: Path
) -> None:
    old = finished(studio, formats=FORMATS)
    there = flipped(studio, other)
    new = finished(there, formats=FORMATS)

    assert stores_of(there, old) == {kind: {"local"} for kind in ("poses", "thumbnails", "exports")}
    assert stores_of(there, new) == {kind: {"s3"} for kind in ("poses", "thumbnails", "exports")}
    for generation in (old, new):
        assert inspect_poses(there, generation).problems == []
        assert inspect_exports(there, generation).problems == []
        assert len(gather_files(there, generation, tmp_path / str(generation))) == 4
        assert draw_contact_sheet(there, generation) is not None
        assert b"".join(plan_archive(there, generation, formats=FORMATS).read())


def test_what_is_derived_from_old_pictures_goes_to_the_new_store(studio: Studio, other: ObjectStore) -> None:
    generation = finished(studio, formats=FORMATS)
    there = flipped(studio, other)

    make_thumbnails_again(there, generation)
    derive_exports(there, generation, None, formats=FORMATS, again=True)

    thumbnails = thumbnails_manifest(there, generation)["thumbnails"]
    exports = exports_manifest(there, generation)["exports"]
    assert {each["store"] for each in [*thumbnails, *exports]} == {"s3"}
    assert {each["store"] for each in poses_manifest(there, generation)["poses"]} == {"local"}
    assert inspect_exports(there, generation).problems == []


def test_flipping_back_is_the_same_again(studio: Studio, other: ObjectStore) -> None:
    old = finished(studio)
    there = flipped(studio, other)
    new = finished(there)
    back = flipped(there, studio.store)
    newest = finished(back)

    assert [stores_of(back, each)["poses"] for each in (old, new, newest)] == [{"local"}, {"s3"}, {"local"}]
    for generation in (old, new, newest):
        assert inspect_poses(back, generation).problems == []


def test_a_store_that_is_not_configured_any_more_is_named(studio: Studio, other: ObjectStore) -> None:
    generation = finished(studio)
    with studio.database.transaction() as connection:
        stores.register(connection, {"s3": None})
    alone = replace(studio, store=other)

    (problem, _) = inspect_poses(alone, generation).problems
    assert "Objects lie in the store 'local', which is not configured here (s3 is)" in problem
    with pytest.raises(StoreUnknown):
        draw_contact_sheet(alone, generation)


def test_control_maps_are_made_once_for_all_generations_and_stores(studio: Studio, other: ObjectStore) -> None:
    with studio.database.transaction() as connection:
        pose = library.stored_poses(connection)[0]
    drawn = control_maps(studio, pose, side=64)
    there = flipped(studio, other)

    assert [each.made for each in control_maps(studio, pose, side=64).values()] == [False, False]
    assert [(each.made, each.store) for each in control_maps(there, pose, side=64).values()] == [(False, "local")] * 2
    alone = replace(studio, store=other)
    assert [(each.made, each.store) for each in control_maps(alone, pose, side=64).values()] == [(True, "s3")] * 2
    assert {each.key for each in drawn.values()} <= set(keys_in(other))


# --- URLs ----------------------------------------------------------------------------------------------------------


def test_a_private_store_has_no_urls_in_the_views_and_signed_ones_to_look_at(
    studio: Studio, other: ObjectStore
) -> None:
    there = flipped(studio, other)
    generation = finished(there, formats=["tiktok"])

    (pose,) = rows(there.database, "select * from pose_results where generation_id = %s", generation)
    assert pose["status"] == "completed"
    assert (pose["image_url"], pose["thumbnail_url"], pose["exports"]) == (None, None, {"tiktok": None})
    sheet = store_contact_sheet(there, generation, None)
    assert sheet is not None
    assert "X-Amz-Signature=" in sheet


def test_a_public_store_has_urls_that_begin_as_it_is_configured(studio: Studio, bucket: BucketConfig) -> None:
    public = BucketStore(replace(bucket, public_url="https://cdn.example"))
    empty(public)
    with studio.database.transaction() as connection:
        stores.register(connection, {"s3": "https://cdn.example"})
    there = replace(studio, store=public)

    generation = finished(there)

    url = value(there.database, "select image_url from pose_results where generation_id = %s", generation)
    assert url.startswith(f"https://cdn.example/poses/{generation}/")
    assert url == public.public_url(url.removeprefix("https://cdn.example/"))


# --- manifests -----------------------------------------------------------------------------------------------------


def test_a_manifest_of_before_is_found_where_it_was_left(
    studio: Studio, other: ObjectStore, bucket: BucketConfig
) -> None:
    key = manifest_key("upstream", None)
    studio.store.put(key, b'{"from": "before"}', content_type="application/json")
    settings = Settings(
        storage_mode="s3",
        storage_local_path=studio.store._root,  # type: ignore[attr-defined]
        s3_endpoint=bucket.endpoint,
        s3_bucket=bucket.bucket,
        s3_access_key_id=CREDENTIALS.access_key_id,
        s3_secret_access_key=CREDENTIALS.secret_access_key,
    )
    seen = []

    @dg.asset(io_manager_key="manifests")
    def upstream() -> dict[str, str]:
        return {"from": "after"}

    @dg.asset
    def downstream(upstream: dict[str, str]) -> None:
        seen.append(upstream["from"])

    def run(*assets: object) -> None:
        dg.materialize(
            [upstream, downstream],
            resources={"manifests": ManifestIOManager(settings)},
            selection=list(assets),  # type: ignore[arg-type]
        )

    run(downstream)
    run(upstream)
    run(downstream)

    assert seen == ["before", "after"]
    assert other.exists(key)
