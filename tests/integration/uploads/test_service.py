"""Uploads by clients: over real HTTP into a real bucket and the local store's route, looked at, kept or deleted."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from starlette.applications import Starlette

from posegen.errors import ImageInvalid, StoreUnavailable, UnknownName, UploadRefused
from posegen.images.decoding.pool import DecoderPool
from posegen.images.validation import open_image
from posegen.objects import stores
from posegen.objects.moving import delete_due
from posegen.storage.local import LocalStore
from posegen.storage.s3 import BucketStore
from posegen.upkeep.reconciling import expire_uploads, reconcile
from posegen.uploads import service as upload_service
from posegen.uploads.service import LARGEST
from posegen.web.objects import object_routes
from tests.builders import a_user, account, execute, row, value
from tests.hostile_images import corpus, encoded, small_picture
from tests.stores import SIGNING_SECRET, keys_in
from tests.web_server import served

PNG = encoded("PNG")


@pytest.fixture(scope="module")
def decode():
    with DecoderPool() as decoders:
        yield decoders.decode


@pytest.fixture(params=["local", "s3"])
def open_studio(request, studio, database, tmp_path, s3_server):
    """A studio whose store takes uploads over HTTP."""
    if request.param == "s3":
        with database.transaction() as connection:
            stores.register(connection, {"s3": None})
        yield replace(studio, store=BucketStore(s3_server.new_bucket()))
        return
    local = LocalStore(tmp_path / "served", base_url="http://127.0.0.1:1", signing_secret=lambda: SIGNING_SECRET)
    with served(Starlette(routes=object_routes(local))) as port:
        yield replace(
            studio,
            store=LocalStore(
                tmp_path / "served", base_url=f"http://127.0.0.1:{port}", signing_secret=lambda: SIGNING_SECRET
            ),
        )


def send(permission, data, **headers):
    sent = {**permission.put.headers, **headers}
    request = urllib.request.Request(permission.put.url, data, sent, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=180) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def permitted(studio, data=PNG, content_type="image/png", user=None):
    return upload_service.begin(studio, user or a_user(studio.database), content_type=content_type, size=len(data))


def test_a_picture_is_put_looked_at_and_kept_as_pixels_of_ours(open_studio, database, decode):
    user = a_user(database)
    permission = permitted(open_studio, user=user)

    assert send(permission, PNG) in {200, 201, 204}
    upload = upload_service.complete(open_studio, permission.upload, decode)

    kept = row(database, "select * from objects where id = %s", upload.object_id)
    assert (upload.status, kept["user_id"]) == ("completed", user)
    pixels = open_image(open_studio.store.get(kept["key"], sha256=kept["sha256"]))
    assert (pixels == small_picture()).all()
    assert keys_in(open_studio.store, "uploads/") == [kept["key"]], "what the client sent is gone"
    assert account(database, user)["storage_used"] == kept["size"]


def test_asked_again_it_answers_the_same(open_studio, database, decode):
    permission = permitted(open_studio)
    send(permission, PNG)

    first = upload_service.complete(open_studio, permission.upload, decode)

    assert upload_service.complete(open_studio, permission.upload, decode) == first
    assert value(database, "select count(*) from objects") == 1


@pytest.mark.parametrize(
    ("data", "headers"),
    [(PNG + b"more", {"Content-Length": str(len(PNG) + 4)}), (PNG, {"Content-Type": "image/jpeg"})],
    ids=["longer", "another type"],
)
def test_the_store_takes_nothing_but_what_was_announced(open_studio, data, headers):
    permission = permitted(open_studio)

    assert send(permission, data, **headers) >= 400
    assert keys_in(open_studio.store, "uploads/") == []


def test_an_upload_replaces_nothing(open_studio, decode):
    permission = permitted(open_studio)
    send(permission, PNG)

    assert send(permission, PNG) >= 400


def test_one_that_was_not_put_yet_can_be_completed_later(open_studio, decode):
    permission = permitted(open_studio)

    with pytest.raises(UploadRefused, match="Nothing was put"):
        upload_service.complete(open_studio, permission.upload, decode)

    send(permission, PNG)
    assert upload_service.complete(open_studio, permission.upload, decode).status == "completed"


_SUFFIXES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
REFUSED = [each for each in corpus() if each.refused_with and each.suffix in _SUFFIXES][::6]


@pytest.mark.parametrize("hostile", REFUSED, ids=lambda hostile: hostile.name)
def test_what_means_harm_is_deleted_and_the_client_told_why(studio, database, decode, hostile):
    data = hostile.make()
    if len(data) > LARGEST:
        pytest.skip("too large to be announced")
    local = replace(
        studio, store=LocalStore(studio.store._root, base_url="/media", signing_secret=lambda: SIGNING_SECRET)
    )
    permission = permitted(local, data, _SUFFIXES[hostile.suffix])
    key = value(database, "select key from uploads")
    local.store.put(key, data, content_type=_SUFFIXES[hostile.suffix])

    with pytest.raises(UploadRefused, match="rejected"):
        upload_service.complete(local, permission.upload, decode)

    assert row(database, "select status, error_detail from uploads")["status"] == "rejected"
    assert keys_in(local.store) == []
    with pytest.raises(UploadRefused, match="is rejected"):
        upload_service.complete(local, permission.upload, decode)


def test_a_user_without_space_gets_nothing_stored(open_studio, database, decode):
    permission = permitted(open_studio, user=a_user(database, storage_limit=10))
    send(permission, PNG)

    with pytest.raises(UploadRefused, match="quota_exceeded"):
        upload_service.complete(open_studio, permission.upload, decode)

    assert value(database, "select count(*) from objects") == 0


@pytest.mark.parametrize(
    ("content_type", "size", "error"),
    [
        ("image/gif", 10, UnknownName),
        ("text/html", 10, UnknownName),
        ("image/png", 0, UploadRefused),
        ("image/png", LARGEST + 1, UploadRefused),
    ],
)
def test_what_may_not_be_uploaded_is_refused_before_anything_is_signed(studio, database, content_type, size, error):
    with pytest.raises(error):
        upload_service.begin(studio, a_user(database), content_type=content_type, size=size)

    assert value(database, "select count(*) from uploads") == 0


def test_for_an_unknown_user_nothing_is_allowed(open_studio):
    with pytest.raises(UploadRefused, match="no user"):
        upload_service.begin(open_studio, uuid4(), content_type="image/png", size=10)


def test_a_store_that_does_not_answer_rejects_nothing(open_studio, database, decode):
    permission = permitted(open_studio)
    send(permission, PNG)

    class Silent:
        def __getattr__(self, name):
            return getattr(open_studio.store, name)

        def get_range(self, *arguments):
            raise StoreUnavailable("silent", store="s3")

    with pytest.raises(StoreUnavailable):
        upload_service.complete(replace(open_studio, store=Silent()), permission.upload, decode)

    assert value(database, "select status from uploads") == "pending"
    assert upload_service.complete(open_studio, permission.upload, decode).status == "completed"


def test_uploads_that_never_complete_are_swept(open_studio, database, decode):
    permission = permitted(open_studio)
    send(permission, PNG)
    execute(database, "update uploads set expires_at = now() - interval '1 second'")

    assert expire_uploads(database) == 1
    assert delete_due(database, open_studio.store)[0] == 1

    assert keys_in(open_studio.store, "uploads/") == []
    with pytest.raises(UploadRefused, match="is expired"):
        upload_service.complete(open_studio, permission.upload, decode)
    assert expire_uploads(database) == 0


def test_a_decoder_that_fails_for_another_reason_keeps_the_upload_open(open_studio, database, decode):
    permission = permitted(open_studio)
    send(permission, PNG)

    def crash(data, suffix):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        upload_service.complete(open_studio, permission.upload, crash)

    def refuse(data, suffix):
        raise ImageInvalid("no picture")

    assert value(database, "select status from uploads") == "pending"
    with pytest.raises(UploadRefused):
        upload_service.complete(open_studio, permission.upload, refuse)
    assert keys_in(open_studio.store, "uploads/") == []


def test_a_clean_up_leaves_what_a_client_may_still_complete(open_studio, database, decode):
    permission = permitted(open_studio)
    send(permission, PNG)

    reconcile(database, [open_studio.store], grace=timedelta(0), repair=True)

    assert upload_service.complete(open_studio, permission.upload, decode).status == "completed"
