"""Pictures of private requests lie in a folder of their own, and no view has a URL of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posegen.generations import service, single_poses
from posegen.generations.making.contact_sheets import store_contact_sheet
from posegen.generations.reading.signing import SignedUrls
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.images.validation import open_image
from posegen.storage.keys import IMMUTABLE_PRIVATE, cache_control_of, content_hash_of, is_composed, is_public
from posegen.storage.local import LocalStore
from posegen.upkeep.verification import verify
from posegen.variants.making import make_variants
from tests import hosted
from tests.builders import SLUGS, a_batch, a_user, an_image_request, finished, row, rows
from tests.conftest import BASE_URL


@pytest.fixture
def signing(studio, tmp_path):
    """A studio whose local store signs URLs, and makes a second thumbnail."""
    store = LocalStore(tmp_path / "storage", base_url=BASE_URL, signing_secret=lambda: b"s" * 32)
    return replace(studio, store=store, thumbnails=thumbnail_sizes("400.webp,100.png"))


def test_everything_that_is_made_of_a_private_request_is_in_the_private_folder(signing):
    database, user = signing.database, a_user(signing.database)
    generation = finished(signing, user, poses=SLUGS[:1], formats=["tiktok"], private=True)
    sheet = store_contact_sheet(signing, generation, None)
    (pose,) = service.pose_results(database, generation)
    (picture,) = (each["key"] for each in rows(database, "select key from objects where key like 'private/poses/%%'"))
    request = an_image_request(database, user, picture)
    make_variants(signing, a_batch(database), lambda file, _: open_image(file), run_id="run")
    single_poses.export_again(signing, pose.pose_id, format="shopee")

    keys = [each["key"] for each in rows(database, "select key from objects")]

    assert {tuple(key.split("/")[:2]) for key in keys} == {
        ("private", folder) for folder in ("poses", "thumbnails", "exports", "variants")
    }
    assert not any(is_public(key) for key in keys)
    assert all(is_composed(key) and content_hash_of(key) for key in keys)
    assert {cache_control_of(key) for key in keys} == {IMMUTABLE_PRIVATE}
    assert "signature=" in sheet
    urls = [pose.image_url, pose.thumbnail_url, pose.original_url, *pose.exports.values(), *pose.thumbnails.values()]
    assert urls == [None] * 5
    made = row(
        database, "select status, normal_url, high_quality_url from variant_results where request_id = %s", request
    )
    assert made == {"status": "completed", "normal_url": None, "high_quality_url": None}
    assert not [each for each in verify(database, [signing.store]) if each.violations]


def test_a_private_picture_is_signed_like_one_in_a_private_store(signing):
    generation = finished(signing, poses=SLUGS[:1], formats=["tiktok"], private=True)
    found = service.pose_results(signing.database, generation)

    (signed,) = SignedUrls(signing, clock=lambda: 1_800_000_000.0).poses(found)

    pose = signed.pose
    urls = [pose.image_url, pose.thumbnail_url, pose.original_url, *pose.exports.values(), *pose.thumbnails.values()]
    assert all(url.startswith(f"{BASE_URL}/private/") and "signature=" in url for url in urls)
    assert len(urls) == 5


def test_the_file_of_a_hosted_backend_is_private_too(signing, monkeypatch):
    hosted.short_pauses(monkeypatch)
    far_end = hosted.FarEndInProcess()
    photographing = replace(
        signing,
        open_hosted=lambda _: far_end,
        describe=lambda name: far_end.description if name == hosted.NAME else None,
    )

    finished(photographing, poses=SLUGS[:1], backend=hosted.NAME, private=True)

    keys = [each["key"] for each in rows(signing.database, "select key from objects")]
    assert any(key.startswith("private/originals/") for key in keys)
    assert {key.split("/")[0] for key in keys} <= {"private", "controlnet"}
