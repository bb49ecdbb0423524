"""Migration 0008 on a database that an earlier version has worked with: what was adopted and derived is recognised."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid5

import psycopg
import pytest
from psycopg.rows import dict_row

from posegen.database.connection import Database
from posegen.objects.moving import delete_due
from posegen.storage.local import LocalStore
from posegen.upkeep.preparing import prepare_database
from posegen.upkeep.reconciling import reconcile
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.upkeep.verification import verify
from tests.builders import row, rows, value
from tests.conftest import BASE_URL
from tests.migrations import upgrade_to
from tests.stores import keys_in

USER, OTHER = (UUID(f"a0000000-0000-4000-8000-00000000000{number}") for number in (1, 2))
NAMES = UUID(int=7)
HASH = "0123456789ab"


def named(name: str) -> UUID:
    return uuid5(NAMES, name)


class Past:
    """Rows as version 0006 wrote them, past every trigger, and the objects that they name."""

    def __init__(self, connection: psycopg.Connection[dict[str, object]], store: LocalStore) -> None:
        self._connection, self._store = connection, store
        connection.execute("set session_replication_role = replica")
        connection.execute("insert into stores (name, base_url) values ('local', %s)", [BASE_URL])
        for user in (USER, OTHER):
            connection.execute("insert into users (id, name) values (%s, 'Ayu')", [user])
            connection.execute("insert into accounts (user_id, storage_used) values (%s, 0)", [user])
        connection.execute("insert into pose_categories (slug, name) values ('adopted', 'Adopted')")
        connection.execute(
            "insert into library_poses (slug, name, category, description, difficulty, specification)"
            " values ('adopted', 'x', 'adopted', 'x', 'easy', '{}'), ('own', 'x', 'adopted', 'x', 'easy', '{}')"
        )

    def object(self, key: str, *, generation: UUID | None = None, user: UUID | None = None) -> int:
        data = key.encode()
        stored = self._store.put(key, data, content_type="image/png" if key.endswith("png") else "image/webp")
        return self._only(
            "insert into objects (store, key, sha256, crc32, size, content_type, generation_id, user_id)"
            " values ('local', %s, %s, 0, %s, 'image/png', %s, %s) returning id",
            key, stored.sha256, len(data), generation, user,
        )  # fmt: skip

    def pose(self, name: str, *keys: str, origin: str | None = None, **columns: object) -> UUID:
        """A completed pose of a generation of its own. `keys`: of picture and thumbnail; none when they are deleted."""
        generation, pose = named(f"generation {name}"), named(name)
        self._connection.execute(
            "insert into generations (id, user_id, priority, status, poses_total, poses_completed, finished_at)"
            " values (%s, %s, 0, 'completed', 1, 1, now() - interval '200 days')",
            [generation, USER],
        )
        image, thumbnail = [self.object(key, generation=generation) for key in keys] or (None, None)
        self._connection.execute(
            "insert into generated_poses (id, generation_id, position, library_pose, variation, seed, prompt_used,"
            " control_weight, backend, price, status, recipe, recipe_hash, image_object, original_object,"
            " thumbnail_object, completed_at, delete_after, delete_reason, images_deleted_at)"
            " values (%s, %s, 0, %s, 0, 0, '', 1, 'x', 0, 'completed', jsonb_build_object('adopted', %s::text), %s, %s,"
            " %s, %s, now() - interval '200 days', %s::timestamptz, %s, %s::timestamptz)",
            [pose, generation, "own" if origin is None else "adopted", origin, "0" * 64, image, image, thumbnail,
             columns.get("delete_after"), columns.get("delete_reason"), columns.get("images_deleted_at")],
        )  # fmt: skip
        return pose

    def variant(self, name: str, source: str, *, user: UUID = USER) -> UUID:
        request = named(name)
        self._connection.execute(
            "insert into image_requests (id, user_id, tool, source) values (%s, %s, 'editor', %s)",
            [request, user, source],
        )
        files = [
            self.object(f"variants/editor/{user}/{request}-{HASH}{suffix}", user=user) for suffix in (".png", ".webp")
        ]
        self._connection.execute(
            "insert into image_variants (id, user_id, status, normal_object, high_quality_object, finished_at)"
            " values (%s, %s, 'completed', %s, %s, now())",
            [request, user, *files],
        )
        return request

    def run(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)  # type: ignore[call-overload]

    def _only(self, statement: str, *values: object) -> int:
        (found,) = self._connection.execute(statement, values).fetchone().values()  # type: ignore[call-overload, union-attr]
        return int(found)


@pytest.fixture
def past(empty_database_url: str, store: LocalStore) -> Iterator[Past]:
    upgrade_to(empty_database_url, "0006")
    with psycopg.connect(empty_database_url, row_factory=dict_row, autocommit=True) as plain:
        yield Past(plain, store)


@pytest.fixture
def upgraded(past: Past, empty_database_url: str) -> Iterator[object]:
    """Brings the database to this version."""
    opened = []

    def upgrade() -> Database:
        past.run(
            "update accounts a set storage_used = (select coalesce(sum(o.size), 0) from objects o left join"
            " generations g on g.id = o.generation_id where coalesce(o.user_id, g.user_id) = a.user_id)"
        )
        database = Database(empty_database_url)
        opened.append(database.__enter__())
        prepare_database(database, base_urls={"local": BASE_URL})
        return opened[-1]

    yield upgrade
    for each in opened:
        each.__exit__(None, None, None)


def test_work_that_was_adopted_before_neither_expires_nor_loses_its_files(past, upgraded, store):
    in_place = ("poses/order-17/a.png", "poses/order-17/a_thumb.png")
    past.pose("in place", *in_place, origin=in_place[0])
    past.pose("own thumbnail", "poses/b/b.png", f"thumbnails/x/{named('t')}-{HASH}.webp", origin="poses/b/b.png")
    copied = (f"poses/{named('c')}/{named('c')}-{HASH}.png", f"thumbnails/{named('c')}/{named('c')}-{HASH}.webp")
    past.pose("by copy", *copied, origin="poses/c/c.png")
    hidden = past.pose(
        "hidden", "poses/d/d.png", "poses/d/d_thumb.png", origin="poses/d/d.png", delete_after="now",
        delete_reason="expired",
    )  # fmt: skip
    asked = past.pose(
        "asked",
        "poses/e/e.png",
        "poses/e/e_thumb.png",
        origin="poses/e/e.png",
        delete_after="now",
        delete_reason="asked",
    )
    past.pose("gone", delete_after="now", delete_reason="expired", images_deleted_at="now", origin="poses/f/f.png")
    store.put("poses/f/f.png", b"waits to be deleted", content_type="image/png")
    past.run("insert into doomed_objects values ('local', 'poses/f/f.png', 9, 'unused', now())")
    own = past.pose("own", f"poses/x/{named('x')}-{HASH}.png", f"thumbnails/x/{named('x')}-{HASH}.webp")

    database = upgraded()

    kept = {*in_place, "poses/b/b.png", "poses/d/d.png", "poses/d/d_thumb.png", "poses/e/e.png", "poses/e/e_thumb.png"}
    assert {each["key"] for each in rows(database, "select key from adopted_files")} == kept | {"poses/f/f.png"}
    assert value(database, "select image_url is not null from pose_results where pose_id = %s", hidden)
    assert value(database, "select image_url is null from pose_results where pose_id = %s", asked)
    done = clean_up_images(database, [store], RetentionRule())
    assert done.hidden == 1, "what Posegen has made itself"
    expired = "select id from generated_poses where delete_reason = 'expired' and images_deleted_at is null"
    assert value(database, expired) == own
    reconcile(database, [store], grace=timedelta(0), repair=True)
    delete_due(database, store)
    assert kept | {"poses/f/f.png"} <= set(keys_in(store))


def test_variants_of_before_go_with_the_picture_that_they_were_made_of(past, upgraded, store):
    image = f"poses/{named('generation p')}/{named('p')}-{HASH}.png"
    pose = past.pose("p", image, f"thumbnails/{named('generation p')}/{named('p')}-{HASH}.webp")
    by_url, by_key = past.variant("url", f"{BASE_URL}/{image}"), past.variant("key", image)
    by_old_url = past.variant("old url", f"https://before.example/{image}")
    of_variant = past.variant("of variant", f"{BASE_URL}/variants/editor/{USER}/{by_url}-{HASH}.png")
    of_that = past.variant("of that", f"https://before.example/x/variants/editor/{USER}/{of_variant}-{HASH}.png")
    foreign = past.variant("of another", image, user=OTHER)
    deleted = past.pose("q", delete_after="now", delete_reason="asked", images_deleted_at="now")
    left = past.variant("left", f"{BASE_URL}/poses/{named('generation q')}/{named('q')}-{HASH}.png")
    folder = named("folder of a deleted design")
    of_design = past.variant("of a deleted design", f"{BASE_URL}/designs/{folder}/preview-{HASH}.png")
    plain = past.variant("of a control map", f"{BASE_URL}/controlnet/yoga-tree/depth-64x64-{HASH}.png")

    database = upgraded()

    sources = {each["id"]: each for each in rows(database, "select * from image_variants")}
    for request in (by_url, by_key, by_old_url, of_variant, of_that):
        assert sources[request]["pose_id"] == pose
    assert [sources[each]["variant_id"] for each in (of_variant, of_that)] == [by_url, of_variant]
    assert (sources[foreign]["pose_id"], sources[plain]["pose_id"]) == (None, None)
    assert sources[left]["pose_id"] == deleted
    shown = {
        each["request_id"] for each in rows(database, "select * from variant_results where normal_url is not null")
    }
    assert shown == {by_url, by_key, by_old_url, of_variant, of_that, foreign, plain}
    assert "I16" in {each.name for each in verify(database) if each.violations}

    clean_up_images(database, [store], RetentionRule())
    for _ in range(2):
        reconcile(database, [store], grace=timedelta(0), repair=True)

    assert "I16" not in {each.name for each in verify(database) if each.violations}
    for request in (left, of_design):
        assert row(database, "select * from variant_results where request_id = %s", request)["deleted_at"] is not None
        assert [key for key in keys_in(store, "variants/") if str(request) in key] == []
