"""`posegen storage migrate` and `reconcile` as an operator runs them: a full local store into a bucket, and back."""

from __future__ import annotations

import pytest

from posegen.storage.s3 import BucketStore
from tests.builders import finished, rows, value
from tests.s3_server import CREDENTIALS
from tests.stores import keys_in


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """The bucket that the settings name; new objects still go to the local store."""
    place = s3_server.new_bucket()
    for name, setting in {
        "S3_ENDPOINT": place.endpoint,
        "S3_BUCKET": place.bucket,
        "S3_REGION": place.region,
        "S3_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
        "S3_SECRET_ACCESS_KEY": CREDENTIALS.secret_access_key,
    }.items():
        monkeypatch.setenv(name, setting)
    return BucketStore(place)


@pytest.fixture
def generation(studio):
    return finished(studio, poses=["star-jump"], formats=["tiktok", "shopee"])


def stores_of(database):
    return {each["store"] for each in rows(database, "select distinct store from objects")}


def test_a_full_store_moves_into_a_bucket_and_back_and_everything_is_still_there(
    database, posegen, generation, store, bucket, monkeypatch
):
    before = set(keys_in(store))
    monkeypatch.setenv("STORAGE_MODE", "s3")

    there = posegen("storage", "migrate", "--to", "s3", "--grace", 0, "--read-back")

    assert there.code == 0, there.err
    assert f"{len(before)} objects" in there.out
    assert "0 objects are still in local" in there.out
    assert stores_of(database) == {"s3"}
    assert before <= set(keys_in(bucket))
    assert posegen("verify", "--grace", 0, "--read-all").code == 0
    assert posegen("show", generation).code == 0, "pictures are read from where they are"

    monkeypatch.setenv("STORAGE_MODE", "local")
    back = posegen("storage", "migrate", "--from", "s3", "--to", "local", "--json")

    assert back.code == 0
    assert (back.json["objects"], back.json["left"]) == (len(before), 0)
    assert stores_of(database) == {"local"}
    assert posegen("storage", "reconcile").code == 0
    assert posegen("verify", "--read-all").code == 0


def test_that_new_objects_go_elsewhere_is_said(posegen, generation, bucket):
    answer = posegen("storage", "migrate", "--to", "s3")

    assert answer.code == 0
    assert "set STORAGE_MODE=s3 as well" in answer.err


def test_what_cannot_be_moved_is_named_and_no_success(database, posegen, generation, store, bucket):
    (key,) = keys_in(store, "poses/")
    store.delete(key)

    answer = posegen("storage", "migrate", "--to", "s3", width=300)

    assert answer.code == 1
    assert key in answer.err
    assert "1 objects are still in local" in answer.out
    assert value(database, "select store from objects where key = %s", key) == "local"


def test_objects_that_are_elsewhere_are_named_and_nothing_is_moved(database, posegen, generation, bucket, monkeypatch):
    monkeypatch.setenv("STORAGE_MODE", "s3")
    assert posegen("storage", "migrate", "--to", "s3").code == 0
    monkeypatch.setenv("STORAGE_MODE", "local")

    answer = posegen("storage", "migrate", "--to", "local")

    count = value(database, "select count(*) from objects")
    assert answer.code == 2
    assert f"{count} in s3. Add --from s3." in answer.err
    assert stores_of(database) == {"s3"}
    assert posegen("storage", "migrate", "--to", "s3").code == 0, "again, everything is there"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--to", "local"], 2, "local is where the objects are"),
        (["--to", "tape"], 1, "tape"),
        (["--to", "s3", "--from", "tape"], 1, "tape"),
        (["--to", "s3", "--rate", "0"], 2, "rate"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_moved(
    database, posegen, generation, bucket, arguments, code, says
):
    answer = posegen("storage", "migrate", *arguments)

    assert answer.code == code
    assert says in answer.err
    assert stores_of(database) == {"local"}


def test_reconcile_reports_first_and_acts_when_it_is_told_to(posegen, generation, store):
    left = store.put("exports/g/nobodys-766d63f03321.png", b"nobody's", content_type="image/png")

    report = posegen("storage", "reconcile", "--grace", 0)

    assert report.code == 1
    assert "objects without a row" in report.out
    assert left.key in report.out
    assert "--repair" in report.out
    assert store.exists(left.key)

    repair = posegen("storage", "reconcile", "--grace", 0, "--repair", "--json")

    assert repair.code == 0
    assert (repair.json["left"], repair.json["deleted"]) == (0, 1)
    assert not store.exists(left.key)
    assert posegen("storage", "reconcile", "--grace", 0).code == 0
