"""Lists of uploads, designs, variants, products, fonts and platforms: pages by keyset, and whose rows they show."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from posegen.database.connection import Database
from posegen.designs import service as designs
from posegen.designs.making import make_design
from posegen.designs.products import PRODUCTS
from posegen.designs.typesetting.fonts import FONTS
from posegen.error_codes import ErrorCode
from posegen.errors import DesignUnknown, ImageRequestUnknown, NoVariants, UploadUnknown
from posegen.images.validation import open_image
from posegen.library import service as library
from posegen.platforms import service as platforms
from posegen.platforms.platform import PLATFORMS
from posegen.poses.avatar import AVATAR_ATTRIBUTES
from posegen.storage.keys import upload_key
from posegen.studio import Studio
from posegen.uploads import rows as upload_rows
from posegen.uploads import service as uploads
from posegen.variants import service as variants
from posegen.variants.making import make_variants
from tests.builders import a_batch, a_design, a_user, an_image_request, execute, rendering_design, rows, value
from tests.hostile_images import encoded

PNG = encoded("PNG")


def an_upload(database: Database, user: UUID) -> UUID:
    upload = uuid4()
    key = upload_key(upload, "image/png")
    with database.transaction() as connection:
        upload_rows.begin(
            connection, upload, user, content_type="image/png", size=len(PNG), store="local", key=key, seconds=60
        )
    return upload


def _upload_pages(database: Database, **asked: object) -> list[tuple[object, UUID]]:
    return [(each.created_at, each.id) for each in uploads.uploads_of(database, **asked)]


def _design_pages(database: Database, **asked: object) -> list[tuple[object, UUID]]:
    return [(each.created_at, each.design_id) for each in designs.results(database, **asked)]


def _variant_pages(database: Database, **asked: object) -> list[tuple[object, UUID]]:
    return [(each.created_at, each.request_id) for each in variants.results(database, **asked)]


LISTS = {
    "uploads": (an_upload, _upload_pages, "uploads", "pending"),
    "designs": (a_design, _design_pages, "designs", "draft"),
    "variants": (an_image_request, _variant_pages, "image_variants", "submitted"),
}


@pytest.fixture(params=LISTS)
def kind(request):
    return LISTS[request.param]


def test_pages_join_to_the_whole_list_the_newest_first(database: Database, kind) -> None:
    make, pages, _, _ = kind
    user, other = a_user(database), a_user(database)
    made = [make(database, user) for _ in range(5)]
    make(database, other)

    found, after = [], None
    while rest := pages(database, user_id=user, limit=2, after=after):
        assert len(rest) <= 3
        found += rest[:2]
        after = found[-1]

    assert [each for _, each in found] == made[::-1]


def test_rows_of_one_moment_are_all_on_some_page(database: Database, kind) -> None:
    make, pages, table, _ = kind
    user = a_user(database)
    made = {make(database, user) for _ in range(5)}
    time = "created_at" if table == "uploads" else "submitted_at"
    execute(database, f"update {table} set {time} = '2026-11-01T12:00:00Z'")

    found, after = [], None
    while rest := pages(database, limit=1, after=after):
        found.append(rest[0])
        after = rest[0]

    assert len(found) == 5
    assert {each for _, each in found} == made


def test_a_status_restricts_the_list(database: Database, kind) -> None:
    make, pages, _, status = kind
    user = a_user(database)
    made = make(database, user)

    assert [each for _, each in pages(database, user_id=user, status=status, limit=9)] == [made]
    assert pages(database, user_id=user, status="failed", limit=9) == []
    assert pages(database, user_id=uuid4(), limit=9) == []


MANY = {
    "designs": "insert into design_requests (user_id, text) select %s, 'x' from generate_series(1, 3000)",
    "image_variants": "insert into image_requests (user_id, tool, source) select %s, 'x', 'x' "
    "from generate_series(1, 3000)",
}


@pytest.mark.parametrize("by_user", [True, False])
@pytest.mark.parametrize(
    ("table", "view", "key"),
    [("designs", "design_results", "design_id"), ("image_variants", "variant_results", "request_id")],
)
def test_a_page_goes_by_its_index(database: Database, table: str, view: str, key: str, by_user: bool) -> None:
    users = [a_user(database) for _ in range(3)]
    for user in users:
        execute(database, MANY[table], user)
    execute(database, "analyze")
    restricted = f"user_id = '{users[0]}' and" if by_user else ""
    plan = "\n".join(
        each["QUERY PLAN"]
        for each in rows(
            database,
            f"explain select * from {view} where {restricted} (created_at, {key}) < (now(), '{UUID(int=0)}') "
            f"order by created_at desc, {key} desc limit 21",
        )
    )

    assert "Sort" not in plan, plan
    assert f"{table}_by_{'user' if by_user else 'time'}" in plan, plan


def test_each_row_is_found_by_its_id_and_owner(database: Database) -> None:
    user, other = a_user(database), a_user(database)
    upload, design, request = an_upload(database, user), a_design(database, user), an_image_request(database, user)
    found: list[tuple[Callable[..., object], UUID, type[Exception]]] = [
        (uploads.upload_of, upload, UploadUnknown),
        (designs.result, design, DesignUnknown),
        (variants.result, request, ImageRequestUnknown),
    ]
    for read, known, unknown in found:
        assert read(database, known) == read(database, known, user_id=user)
        with pytest.raises(unknown):
            read(database, known, user_id=other)
        with pytest.raises(unknown):
            read(database, uuid4())


def test_what_is_kept_of_an_upload_is_told(studio: Studio, database: Database) -> None:
    user = a_user(database)
    upload = an_upload(database, user)
    studio.store.put(upload_key(upload, "image/png"), PNG, content_type="image/png")
    before = uploads.upload_of(database, upload)

    with pytest.raises(UploadUnknown):
        uploads.complete(studio, upload, lambda file, _: open_image(file), user_id=a_user(database))
    kept = uploads.complete(studio, upload, lambda file, _: open_image(file), user_id=user)

    after = uploads.upload_of(database, upload)
    assert (before.status, before.kept_key, before.finished_at) == ("pending", None, None)
    assert (after.status, after.kept_key, after.kept_bytes) == ("completed", kept.key, kept.size)
    assert after.finished_at is not None


def test_only_its_owner_deletes_a_row(studio: Studio, database: Database) -> None:
    user, other = a_user(database), a_user(database)
    upload = an_upload(database, user)
    lease = rendering_design(database, user)
    make_design(studio, lease)
    preview = value(database, "select preview_url from design_results where design_id = %s", lease.id)
    request = an_image_request(database, user, preview)
    make_variants(studio, a_batch(database), lambda file, _: open_image(file), run_id="run")

    with pytest.raises(UploadUnknown):
        uploads.delete(database, upload, actor="test", user_id=other)
    with pytest.raises(NoVariants):
        variants.delete(database, [request], actor="test", user_id=other)
    with pytest.raises(DesignUnknown):
        designs.delete(studio, lease.id, user_id=other)
    assert uploads.upload_of(database, upload).status == "pending"
    assert variants.result(database, request).normal_url is not None

    uploads.delete(database, upload, actor="test", user_id=user)
    assert variants.delete(database, [request], actor="test", user_id=user) == 1
    designs.delete(studio, lease.id, user_id=user)
    assert designs.results(database, user_id=user, limit=1) == []


def test_lists_of_what_can_be_asked_for_are_those_of_the_tables(database: Database) -> None:
    assert {each.name: each for each in platforms.platforms(database)} == dict(PLATFORMS)
    assert [each.name for each in platforms.platforms(database) if each.is_print] == ["print_letter", "print_tabloid"]
    assert [each.name for each in designs.product_types(database)] == list(PRODUCTS)
    assert designs.product_types(database)[0] == PRODUCTS["t-shirt"]
    assert [each.name for each in designs.fonts(database)] == list(FONTS)
    attributes = {each.name: tuple(each.values) for each in library.avatar_attributes(database)}
    assert attributes == {name: tuple(values) for name, values in AVATAR_ATTRIBUTES.items()}
    assert {each.code for each in library.error_messages(database)} == set(ErrorCode)
