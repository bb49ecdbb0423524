"""`posegen storage`: setting stores up, and looking at them."""

from __future__ import annotations

import json
import math
import secrets
import urllib.request

import pytest

from posegen.cli.session import open_session
from posegen.storage import configuration as places
from posegen.storage.bucket import BucketAdministration
from posegen.storage.configuration import RequestLimits
from posegen.storage.keys import STORE_MARKER_KEY
from posegen.storage.local import LocalStore
from posegen.storage.s3 import BucketStore
from tests.builders import execute, finished, value
from tests.fault_proxy_http import Fault, HttpFaultProxy
from tests.s3_server import CREDENTIALS, HOST
from tests.stores import keys_in

KEY = "poses/g1/p1-0123456789ab.png"


@pytest.fixture
def local(home):
    return LocalStore(home / "storage", base_url="/media")


@pytest.fixture
def s3(s3_server, monkeypatch):
    """A bucket that is configured and does not exist yet; `STORAGE_MODE` stays as it is."""
    place = s3_server.place(f"test-{secrets.token_hex(6)}")
    for name, setting in {
        "S3_ENDPOINT": place.endpoint,
        "S3_BUCKET": place.bucket,
        "S3_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
        "S3_SECRET_ACCESS_KEY": CREDENTIALS.secret_access_key,
    }.items():
        monkeypatch.setenv(name, setting)
    return place


# --- init ----------------------------------------------------------------------------------------------------------


def test_a_local_store_is_marked(posegen, database, local):
    answer = posegen("storage", "init")

    assert answer.code == 0
    assert "belongs to this database" in answer.out
    marker = json.loads(local.get(STORE_MARKER_KEY))
    assert marker["identity"] == str(value(database, "select identity from stores where name = 'local'"))


def test_a_bucket_is_made_checked_and_marked_and_the_policy_is_told(posegen, s3):
    for _ in range(2):
        answer = posegen("storage", "init", "--store", "s3", "--json")

        assert answer.code == 0, answer.err
        steps = answer.json["steps"]
        assert [step["part"] for step in steps] == ["bucket", "CORS", "lifecycle", "privacy", "marker"]
        assert all(step["good"] for step in steps)
        assert f"arn:aws:s3:::{s3.bucket}/*" in answer.json["policy"]
    assert keys_in(BucketStore(s3)) == [STORE_MARKER_KEY]


def test_people_are_told_what_was_done(posegen, s3):
    answer = posegen("storage", "init", "--store", "s3", width=120)

    assert answer.code == 0
    assert f"{s3.bucket} was made" in answer.out
    assert "The credentials need no more than this:" in answer.out


def test_a_bucket_that_anybody_can_read_is_refused(posegen, s3):
    posegen("storage", "init", "--store", "s3")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{s3.bucket}/*",
    }
    BucketAdministration(s3, lambda: CREDENTIALS)._client.put_bucket_policy(
        Bucket=s3.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )

    answer = posegen("storage", "init", "--store", "s3")

    assert answer.code == 1
    assert "which should be private" in answer.err


def test_a_store_of_another_database_is_refused_until_it_is_taken_over(posegen, database, local):
    posegen("storage", "init")
    execute(database, "update stores set identity = gen_random_uuid(), marked_at = null")

    refused = posegen("storage", "init")
    taken = posegen("storage", "init", "--take-over")

    assert (refused.code, "belongs to another Posegen database" in refused.err) == (1, True)
    assert taken.code == 0
    assert posegen("storage", "init").code == 0


def test_a_store_that_is_not_configured_cannot_be_set_up(posegen):
    answer = posegen("storage", "init", "--store", "r2")

    assert answer.code == 1
    assert "'r2', which is not configured here" in answer.err


# --- health --------------------------------------------------------------------------------------------------------


def test_each_store_is_tried(posegen, s3):
    posegen("storage", "init", "--store", "s3")

    answer = posegen("storage", "health", "--json")

    assert answer.code == 0
    assert [each["store"] for each in answer.json] == ["local", "s3"]
    for each in answer.json:
        assert min(each["write_seconds"], each["read_seconds"], each["delete_seconds"]) > 0
    assert answer.json[0]["free_bytes"] > 0
    assert "s3" in posegen("storage", "health").out


def test_a_store_that_does_not_answer_is_bad_and_the_others_are_tried(posegen, s3, monkeypatch):
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "a wrong secret")

    answer = posegen("storage", "health", "--json")

    assert answer.code == 1
    assert [each["good"] for each in answer.json] == [True, False]
    assert "secret access key" in answer.json[1]["error"]
    assert posegen("storage", "health", "--store", "local").code == 0


def test_a_server_that_is_down_is_told(posegen, s3, s3_server, monkeypatch):
    with HttpFaultProxy(lambda: (HOST, s3_server.port)) as proxy:
        proxy.break_requests(Fault.SLOW_DOWN, times=math.inf)
        monkeypatch.setenv("S3_ENDPOINT", proxy.url)
        monkeypatch.setattr(places, "QUICK", RequestLimits(request=0.5, total=1.0))

        answer = posegen("storage", "health", "--store", "s3", "--json")

    assert answer.code == 1
    assert "SlowDown" in answer.json[0]["error"]


# --- usage, ls, url ------------------------------------------------------------------------------------------------


def test_usage_adds_up_by_store_and_kind(posegen, studio, database):
    generation = finished(studio, formats=["tiktok"])

    found = posegen("storage", "usage", "--json").json

    assert {each["folder"] for each in found} == {"poses", "thumbnails", "exports"}
    assert sum(each["bytes"] for each in found) == value(database, "select sum(size) from objects")
    assert value(database, "select count(*) from objects where generation_id = %s", generation) == sum(
        each["objects"] for each in found
    )
    assert "exports" in posegen("storage", "usage").out


def test_usage_names_a_store_that_is_not_configured(posegen, studio, database):
    finished(studio)
    execute(database, "insert into stores (name) values ('r2')")
    execute(database, "update objects set store = 'r2'")

    answer = posegen("storage", "usage")

    assert answer.code == 0
    assert "'r2', which is not configured here" in answer.err


def test_ls_lists_what_is_there(posegen, local):
    for number in range(5):
        local.put(f"poses/g{number}/p.png", b"12345", content_type="image/png")
    local.put("exports/g1/e.jpg", b"1", content_type="image/jpeg")

    lines = [json.loads(line) for line in posegen("storage", "ls", "poses", "--json").out.splitlines()]

    assert [line["key"] for line in lines] == [f"poses/g{number}/p.png" for number in range(5)]
    assert {line["size"] for line in lines} == {5}
    assert len(posegen("storage", "ls").out.splitlines()) == 6
    some = posegen("storage", "ls", "poses/", "--limit", 2, "--after", "poses/g1/p.png")
    assert [line.split()[-1] for line in some.out.splitlines()] == ["poses/g2/p.png", "poses/g3/p.png"]
    assert "There are more" in some.err


def test_ls_refuses_what_is_no_prefix(posegen):
    answer = posegen("storage", "ls", "../etc")

    assert answer.code == 1
    assert "cannot be part of a key" in answer.err


def test_a_url_is_public_where_the_store_is_and_signed_where_not(posegen, s3, local):
    posegen("storage", "init", "--store", "s3")
    BucketStore(s3).put(KEY, b"picture", content_type="image/png")

    assert posegen("storage", "url", KEY).out == f"/media/{KEY}\n"
    signed = posegen("storage", "url", KEY, "--store", "s3", "--seconds", 60).out.strip()
    with urllib.request.urlopen(signed, timeout=180) as answer:
        assert answer.read() == b"picture"
    assert "signature=" in posegen("storage", "url", KEY, "--signed").out


# --- at start ------------------------------------------------------------------------------------------------------


def test_up_refuses_a_store_whose_marker_is_gone(posegen, home, local, monkeypatch):
    posegen("storage", "init")
    local.delete(STORE_MARKER_KEY)

    answer = posegen("up")

    assert answer.code == 1
    assert "Mount the volume" in answer.err


def test_whoever_starts_is_told_of_a_store_that_rows_still_need(posegen, studio, database, capsys):
    finished(studio)
    execute(database, "insert into stores (name) values ('r2')")
    execute(database, "update objects set store = 'r2'")

    with open_session(upgrade=True) as session:
        session.check_stores()

    assert "'r2', which is not configured here (local is): set R2_* settings again" in capsys.readouterr().err


def test_doctor_names_a_store_that_rows_still_need(posegen, studio, database):
    finished(studio)
    execute(database, "insert into stores (name) values ('r2')")
    execute(database, "update objects set store = 'r2'")

    answer = posegen("doctor", "--json")

    bad = [finding for finding in answer.json if finding["part"] == "store r2"]
    assert [finding["good"] for finding in bad] == [False]
    assert "which is not configured here" in bad[0]["detail"]
    assert bad[0]["fix"]


def test_doctor_looks_at_the_marker_and_changes_nothing(posegen, local):
    posegen("storage", "init")
    local.delete(STORE_MARKER_KEY)

    answer = posegen("doctor", "--json")

    (bad,) = [finding for finding in answer.json if finding["part"] == "store local"]
    assert (bad["good"], "Mount the volume" in bad["detail"]) == (False, True)
    assert not local.exists(STORE_MARKER_KEY)
