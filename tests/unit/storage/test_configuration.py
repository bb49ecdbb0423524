"""From settings to places: where each store is, what its URLs begin with, and that no secret shows."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from posegen.errors import StoreDenied, StoreUnknown
from posegen.settings import Settings
from posegen.storage.configuration import QUICK, Credentials, StoresConfig
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore
from posegen.storage.stores import Stores, open_local

ACCOUNT = "0123456789abcdef0123456789abcdef"
CANARY = "canary-of-a-secret"
R2 = {
    "r2_account_id": ACCOUNT,
    "r2_access_key_id": f"{CANARY}-id",
    "r2_secret_access_key": CANARY,
    "r2_bucket_name": "pictures",
}
S3 = {"s3_bucket": "pictures", "s3_access_key_id": f"{CANARY}-id", "s3_secret_access_key": CANARY}


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(posegen_home=tmp_path, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("jurisdiction", "host"), [("default", ACCOUNT), ("eu", f"{ACCOUNT}.eu"), ("us", f"{ACCOUNT}.us")]
)
def test_r2_answers_at_its_accounts_and_jurisdictions_endpoint(tmp_path: Path, jurisdiction: str, host: str) -> None:
    (place,) = StoresConfig.of(settings(tmp_path, **R2, r2_jurisdiction=jurisdiction)).buckets

    assert place.endpoint == f"https://{host}.r2.cloudflarestorage.com"
    assert (place.name, place.bucket, place.region, place.public_url) == ("r2", "pictures", "auto", None)
    assert place.credentials == Credentials(f"{CANARY}-id", CANARY)


@pytest.mark.parametrize(
    ("values", "endpoint"),
    [
        ({}, "https://s3.us-east-1.amazonaws.com"),
        ({"s3_region": "eu-central-1"}, "https://s3.eu-central-1.amazonaws.com"),
        ({"s3_region": "cn-north-1"}, "https://s3.cn-north-1.amazonaws.com.cn"),
        ({"s3_endpoint": "http://127.0.0.1:8333/"}, "http://127.0.0.1:8333"),
    ],
)
def test_s3_answers_at_its_endpoint_or_aws(tmp_path: Path, values: dict[str, str], endpoint: str) -> None:
    (place,) = StoresConfig.of(settings(tmp_path, **S3, **values)).buckets

    assert place.endpoint == endpoint


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, None),
        ({"cdn_domain": "cdn.example.com"}, "https://cdn.example.com"),
        ({"cdn_domain": "https://cdn.example.com/"}, "https://cdn.example.com"),
        ({"s3_public_bucket": True, "s3_endpoint": "https://s3.example"}, "https://s3.example/pictures"),
        ({"s3_public_bucket": True, "cdn_domain": "cdn.example.com"}, "https://cdn.example.com"),
    ],
)
def test_public_urls_begin_with_the_domain_or_the_public_bucket(
    tmp_path: Path, values: dict[str, object], url: str | None
) -> None:
    places = StoresConfig.of(settings(tmp_path, **S3, **values))

    assert places.base_urls() == {"local": "/media", "s3": url}


def test_without_a_key_the_credentials_are_looked_for_later(tmp_path: Path) -> None:
    (bucket,) = StoresConfig.of(settings(tmp_path, s3_bucket="pictures")).buckets

    assert bucket.credentials is None


def test_origins_stand_between_commas(tmp_path: Path) -> None:
    places = StoresConfig.of(settings(tmp_path, **R2, cors_origins="https://a.example, http://b.example:8080 ,"))

    assert places.buckets[0].cors_origins == places.local.cors_origins == ("https://a.example", "http://b.example:8080")


def test_a_bucket_without_a_name_is_no_store(tmp_path: Path) -> None:
    assert StoresConfig.of(settings(tmp_path, r2_account_id=ACCOUNT)).buckets == ()


def test_both_buckets_may_be_there(tmp_path: Path) -> None:
    places = StoresConfig.of(settings(tmp_path, **R2, **S3, storage_mode="s3"))

    assert (places.current, [place.name for place in places.buckets]) == ("s3", ["r2", "s3"])
    assert Stores.configured(places).names == ["s3", "local", "r2"]


def test_people_are_told_where_a_store_is(tmp_path: Path) -> None:
    assert StoresConfig.of(settings(tmp_path)).where() == str(tmp_path / "storage")
    assert StoresConfig.of(settings(tmp_path, **R2, storage_mode="r2")).where() == (
        f"bucket pictures at https://{ACCOUNT}.r2.cloudflarestorage.com"
    )


def test_somebody_who_waits_is_answered_sooner(tmp_path: Path) -> None:
    places = StoresConfig.of(settings(tmp_path, **R2))

    assert {place.limits for place in places.quick().buckets} == {QUICK}
    assert QUICK.total < places.buckets[0].limits.total


def test_no_secret_is_in_what_a_log_would_show(tmp_path: Path) -> None:
    values = settings(
        tmp_path,
        **R2,
        **S3,
        s3_session_token=SecretStr(f"{CANARY}-token"),
        storage_signing_secret=SecretStr(f"{CANARY}-signing"),
        storage_mode="s3",
    )
    places = StoresConfig.of(values)
    opened = Stores.configured(places)

    for shown in (values, places, opened, opened.current, opened.named("r2"), opened.named("local")):
        assert CANARY not in repr(shown)
        assert CANARY not in str(vars(shown).get("_place", ""))


# --- the stores of a deployment ------------------------------------------------------------------------------------


def a_store(folder: Path, name: str) -> ObjectStore:
    return LocalStore(folder / name, base_url="/media", name=name)


def test_each_store_is_opened_once_when_it_is_asked_for(tmp_path: Path) -> None:
    opened = []

    def open_other() -> ObjectStore:
        opened.append("other")
        return a_store(tmp_path, "other")

    stores = Stores(a_store(tmp_path, "first"), {"other": open_other})

    assert stores.named("first") is stores.current
    assert opened == []
    assert stores.named("other") is stores.named("other")
    assert opened == ["other"]


def test_a_store_that_is_not_configured_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(StoreUnknown, match=r"'r2', which is not configured here \(local is\): set R2_\*") as raised:
        Stores(a_store(tmp_path, "local")).named("r2")

    assert (raised.value.store, raised.value.configured) == ("r2", ["local"])


# --- the secret that an installation signs with --------------------------------------------------------------------


def test_a_secret_is_drawn_once_and_kept_from_others(tmp_path: Path) -> None:
    place = StoresConfig.of(settings(tmp_path)).local
    open_local(place)
    assert not place.secret_file.exists(), "opening alone makes nothing"

    url = open_local(place).signed_get_url("manifests/a.json")

    assert stat.S_IMODE(place.secret_file.stat().st_mode) == 0o600
    assert len(place.secret_file.read_bytes()) >= 32
    assert place.secret_file.read_text() not in url
    query = url.partition("?")[2]
    assert open_local(place).grant_of("GET", "manifests/a.json", query) is not None
    assert list(tmp_path.glob(".signing*")) == []


def test_a_secret_that_is_set_counts(tmp_path: Path) -> None:
    place = StoresConfig.of(settings(tmp_path, storage_signing_secret=SecretStr("0123456789abcdef"))).local

    query = open_local(place).signed_get_url("manifests/a.json").partition("?")[2]

    assert not place.secret_file.exists()
    assert open_local(StoresConfig.of(settings(tmp_path)).local).grant_of("GET", "manifests/a.json", query) is None


def test_where_no_secret_can_be_kept_nothing_is_signed(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    place = StoresConfig.of(settings(tmp_path / "a file", storage_local_path=tmp_path / "storage")).local

    with pytest.raises(StoreDenied, match="STORAGE_SIGNING_SECRET"):
        open_local(place).signed_get_url("manifests/a.json")
