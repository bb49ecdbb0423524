"""Making designs: the files that are stored, what is left when something breaks, and taking them away again."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest

from posegen.designs import rows as statements
from posegen.designs import service
from posegen.designs.making import make_design
from posegen.errors import DesignUnknown, LeaseLost, RequestRefused, StoreUnavailable
from posegen.images.packets import find_packet
from posegen.images.provenance import DigitalSource, read_packet
from posegen.images.validation import open_image
from posegen.settings import PROJECT_ROOT
from posegen.storage.keys import content_hash_of, is_public
from posegen.work import commit_points
from tests.builders import (
    a_design,
    a_user,
    account,
    design,
    execute,
    lose_design,
    next_design_lease,
    rendering_design,
    row,
    rows,
    value,
)
from tests.stores import keys_in


def published(studio, user=None, **columns):
    lease = rendering_design(studio.database, user, **columns)
    make_design(studio, lease)
    return lease.id


def objects_of(studio, design_id):
    with studio.database.transaction() as connection:
        return {each.kind: each for each in statements.objects_of(connection, design_id)}


# --- made ---------------------------------------------------------------------------------------------------------


def test_a_published_design_has_a_preview_a_thumbnail_and_a_print_where_one_was_asked_for(studio, store):
    plain = published(studio)
    with_print = published(studio, print_file=True, product_type="postcard", text="Greetings 🌊\nจากทะเล")

    assert objects_of(studio, plain).keys() == {"preview", "thumbnail"}
    objects = objects_of(studio, with_print)
    assert open_image(store.get(objects["preview"].key, sha256=objects["preview"].sha256)).shape == (600, 600, 3)
    assert open_image(store.get(objects["thumbnail"].key, sha256=objects["thumbnail"].sha256)).shape == (200, 200, 3)
    with pypdfium2.PdfDocument(store.get(objects["print"].key, sha256=objects["print"].sha256)) as document:
        width, height = document[0].get_size()
        assert (width * 25.4 / 72, height * 25.4 / 72) == pytest.approx((148 + 6, 105 + 6), abs=0.05)
        assert document.get_metadata_value("Title") == "Greetings 🌊 จากทะเล"


def test_keys_end_in_the_hash_and_only_the_print_is_private(studio):
    for kind, each in objects_of(studio, published(studio, print_file=True)).items():
        assert content_hash_of(each.key) == each.sha256[:12]
        assert is_public(each.key) == (kind != "print")


def test_every_file_says_that_it_was_drawn_and_when_it_was_asked_for(studio, store):
    made = published(studio, print_file=True)
    asked_at = design(studio.database, made)["created_at"].replace(microsecond=0)

    for kind, each in objects_of(studio, made).items():
        data = store.get(each.key)
        if kind == "print":
            start = data.index(b"<?xpacket begin")
            packet = data[start : data.index(b'<?xpacket end="r"?>') + 19]
        else:
            packet = find_packet(io.BytesIO(data))
        said = read_packet(packet)
        assert (said.digital_source, said.created) == (DigitalSource.DRAWN, asked_at)


def test_what_is_stored_counts_as_the_users_space(studio):
    user = a_user(studio.database)
    made = published(studio, user, print_file=True)

    assert account(studio.database, user)["storage_used"] == sum(
        each.size for each in objects_of(studio, made).values()
    )


def test_a_design_that_is_not_as_asked_says_so(studio):
    found = design(studio.database, published(studio, text="Phở", font="lobster", size=900))

    assert len(found["warnings"]) == 2
    assert found["size_used"] < 900


def test_a_text_without_any_shape_fails_and_stores_nothing(studio, store):
    lease = rendering_design(studio.database, text="\u200b")

    with pytest.raises(RequestRefused, match="Nothing of the text can be seen"):
        make_design(studio, lease)

    assert design(studio.database, lease.id)["error_code"] == "invalid_request"
    assert keys_in(store) == []


def test_a_design_beyond_the_users_space_fails_and_leaves_no_object(studio, store):
    lease = rendering_design(studio.database, a_user(studio.database, storage_limit=100))

    with pytest.raises(RequestRefused, match="quota_exceeded"):
        make_design(studio, lease)

    assert design(studio.database, lease.id)["error_code"] == "quota_exceeded"
    assert keys_in(store) == []


def test_a_store_that_fails_costs_an_attempt_and_the_next_one_publishes(studio, monkeypatch):
    lease = rendering_design(studio.database)

    def unavailable(*arguments, **options):
        raise StoreUnavailable("gone for a moment", store="local")

    with monkeypatch.context() as broken:
        broken.setattr(studio.store, "put", unavailable)
        with pytest.raises(StoreUnavailable):
            make_design(studio, lease)
    assert row(studio.database, "select status, attempts from designs") == {"status": "draft", "attempts": 1}

    make_design(studio, next_design_lease(studio.database))

    assert design(studio.database, lease.id)["status"] == "published"


def test_a_worker_that_is_asked_to_stop_puts_the_design_back(studio, monkeypatch):
    lease = rendering_design(studio.database)

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(studio.store, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_design(studio, lease)

    assert row(studio.database, "select status, attempts from designs") == {"status": "draft", "attempts": 0}


# --- killed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["after upload:2", "before commit", "after commit"])
def test_a_render_that_is_killed_is_done_again_and_leaves_nothing_of_its_own(studio, store, tmp_path, moment):
    user = a_user(studio.database)
    lease = rendering_design(studio.database, user)
    worker = Path(__file__).with_name("render_a_design.py")
    environment = {**os.environ, "POSEGEN_KILL_AT": moment, "PYTHONPATH": str(PROJECT_ROOT)}

    killed = subprocess.run(
        [sys.executable, worker, studio.database.url, tmp_path / "storage", str(lease.id), str(lease.token)],
        env=environment,
        timeout=180,
        check=False,
    )

    assert killed.returncode == commit_points.KILLED
    lose_design(studio.database, lease)
    if moment != "after commit":
        make_design(studio, next_design_lease(studio.database))
    assert design(studio.database, lease.id)["status"] == "published"
    kept = objects_of(studio, lease.id).values()
    assert keys_in(store) == sorted(each.key for each in kept)
    assert account(studio.database, user)["storage_used"] == sum(each.size for each in kept)


# --- deleted ------------------------------------------------------------------------------------------------------


def test_a_deleted_design_leaves_no_row_and_no_object(studio, store):
    user = a_user(studio.database)
    gone, other = published(studio, user, print_file=True), published(studio, user)

    service.delete(studio, gone)

    kept = objects_of(studio, other).values()
    assert keys_in(store) == sorted(each.key for each in kept)
    assert rows(studio.database, "select design_id from design_results") == [{"design_id": other}]
    assert account(studio.database, user)["storage_used"] == sum(each.size for each in kept)
    with pytest.raises(DesignUnknown):
        service.delete(studio, gone)


def test_rows_go_first_so_that_a_store_that_fails_leaves_no_row_without_its_object(studio, store, monkeypatch):
    gone = published(studio)

    def unavailable(*keys):
        assert rows(studio.database, "select * from designs") == [], "the rows are gone by now"
        raise StoreUnavailable("gone for a moment", store="local")

    with monkeypatch.context() as broken:
        broken.setattr(studio.store, "delete", unavailable)
        with pytest.raises(StoreUnavailable):
            service.delete(studio, gone)
        with pytest.raises(StoreUnavailable):
            service.clear_deleted(studio)
    assert len(keys_in(store)) == 2

    assert service.clear_deleted(studio) == [gone]

    assert keys_in(store) == []
    assert service.clear_deleted(studio) == []


def test_what_sql_deletes_is_cleared_from_the_store(studio, store):
    gone = [published(studio), a_design(studio.database)]
    execute(studio.database, "delete from design_requests")

    assert sorted(service.clear_deleted(studio)) == sorted(gone)
    assert keys_in(store) == []


def test_what_lies_in_a_store_that_is_not_configured_stays_noted_and_holds_up_nothing(studio):
    elsewhere, here = published(studio), published(studio)
    execute(studio.database, "insert into stores (name, base_url) values ('attic', 'https://attic.example')")
    objects = [each.key for each in objects_of(studio, elsewhere).values()]
    execute(studio.database, "update objects set store = 'attic' where key = any(%s)", objects)
    execute(studio.database, "delete from design_requests")

    assert service.clear_deleted(studio) == [here]
    assert value(studio.database, "select store from deleted_designs") == "attic"


def test_a_design_that_is_deleted_while_it_is_rendered_leaves_nothing(studio, store, monkeypatch):
    lease = rendering_design(studio.database)
    put = studio.store.put

    def deleted_meanwhile(*arguments, **options):
        stored = put(*arguments, **options)
        execute(studio.database, "delete from design_requests")
        return stored

    monkeypatch.setattr(studio.store, "put", deleted_meanwhile)
    with pytest.raises(LeaseLost):
        make_design(studio, lease)

    assert keys_in(store) == []


def test_a_worker_that_lost_its_lease_leaves_the_files_of_the_one_that_has_it(studio, store):
    late = rendering_design(studio.database)
    lose_design(studio.database, late)
    make_design(studio, next_design_lease(studio.database))

    with pytest.raises(LeaseLost):
        make_design(studio, late)

    for each in objects_of(studio, late.id).values():
        store.get(each.key, sha256=each.sha256)


# --- looked at ----------------------------------------------------------------------------------------------------


def test_its_files_can_be_copied_under_names_to_read(studio, tmp_path):
    made = published(studio, print_file=True)

    paths = service.download(studio, made, tmp_path / "out")

    assert sorted(path.name for path in paths) == ["preview.png", "print.pdf", "thumbnail.png"]


def test_a_print_is_read_by_a_signed_url(studio, store):
    signed = replace(studio, store=type(store)(store._root, base_url="https://x", signing_secret=lambda: b"s" * 32))

    assert service.print_url(studio, published(studio)) is None
    url = service.print_url(signed, published(studio, print_file=True))
    assert "/prints/" in url
    assert "signature=" in url
