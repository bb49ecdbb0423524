"""What the store in a bucket sends, and what it never sends: some S3 APIs know no ACLs, trailers or forms."""

from __future__ import annotations

import http.client
import io
import secrets
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from posegen.errors import ObjectExists, StoreDenied
from posegen.storage import s3
from posegen.storage.bucket import BucketAdministration
from posegen.storage.configuration import BucketConfig, Credentials
from posegen.storage.protocol import Unfinished
from posegen.storage.s3 import BucketStore
from posegen.storage.s3_requests import PIECE_BYTES, requests_to
from tests.fault_proxy_http import HttpFaultProxy, SeenRequest
from tests.s3_server import CREDENTIALS, S3Server
from tests.stores import PNG

BODY = b"picture" * 1000
MANY_PIECES = bytes(range(256)) * (PIECE_BYTES // 256) * 2 + b"and a bit"


@pytest.fixture
def key() -> str:
    return f"poses/{secrets.token_hex(8)}/p-0123456789ab.png"


@pytest.fixture
def parts_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 33 MB be too much for one request, instead of 64 MB."""
    monkeypatch.setattr(s3, "ONE_PUT_BYTES", PIECE_BYTES)


def headers_of_last_put(proxy: HttpFaultProxy) -> dict[str, str]:
    return [request for request in proxy.seen if request.method == "PUT"][-1].headers


def everything(place: BucketConfig) -> None:
    """Each kind of request that Posegen makes, the administration of the bucket included."""
    store = BucketStore(place)
    store.put("poses/a.png", BODY, content_type=PNG)
    store.put("poses/a.png", BODY, content_type=PNG, create_only=False)
    store.put("poses/b.png", io.BytesIO(MANY_PIECES), content_type=PNG)
    store.copy("poses/a.png", "poses/c.png")
    store.get("poses/a.png")
    store.get_range("poses/a.png", 1, 2)
    store.head("poses/a.png")
    list(store.list())
    upload(store.signed_put_url("uploads/d.png", content_type=PNG, size=len(BODY)).url, place)
    administration = BucketAdministration(place, lambda: CREDENTIALS)
    administration.make_bucket()
    administration.allow_origins()
    administration.abort_incomplete_uploads()
    administration.check_privacy(store)
    list(store.list_unfinished())
    store.delete("poses/a.png")
    store.delete("poses/b.png", "poses/c.png")


def upload(url: str, place: BucketConfig) -> None:
    signed = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(signed.netloc, timeout=180)
    connection.request("PUT", f"{signed.path}?{signed.query}", BODY, {"Content-Type": PNG, "If-None-Match": "*"})
    assert connection.getresponse().status == 200
    connection.close()


def test_no_request_has_an_acl_a_trailer_or_a_form(
    place: BucketConfig, proxy: HttpFaultProxy, parts_from_the_start: None
) -> None:
    everything(replace(place, cors_origins=("https://app.example.com",)))

    methods = {(request.method, kind_of(request)) for request in proxy.seen}
    assert {("PUT", "object"), ("PUT", "part"), ("POST", "upload"), ("POST", "delete"), ("GET", "list")} <= methods
    for request in proxy.seen:
        assert not any(name.startswith(("x-amz-acl", "x-amz-grant")) for name in request.headers), request
        assert "aws-chunked" not in request.headers.get("content-encoding", ""), request
        assert not request.headers.get("x-amz-content-sha256", "").startswith("STREAMING"), request
        assert "x-amz-trailer" not in request.headers, request
        assert "transfer-encoding" not in request.headers, request
        assert "multipart/form-data" not in request.headers.get("content-type", ""), request


def kind_of(request: SeenRequest) -> str:
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query, keep_blank_values=True)
    if "partNumber" in query:
        return "part"
    if "uploads" in query or "uploadId" in query:
        return "upload"
    if "delete" in query:
        return "delete"
    return "list" if "list-type" in query else "object"


@pytest.mark.parametrize(
    ("key", "public_url", "cache_control"),
    [
        ("poses/g1/p-0123456789ab.png", "https://cdn.example", "public, max-age=31536000, immutable"),
        ("poses/g1/p-0123456789ab.png", None, "private, max-age=31536000, immutable"),
        ("poses/g1/p.png", "https://cdn.example", "public, no-cache"),
        ("poses/g1/p.png", None, "private, no-cache"),
        ("uploads/u1.png", "https://cdn.example", "private, no-cache"),
    ],
)
def test_an_object_says_how_long_it_may_be_kept_and_what_it_is(
    place: BucketConfig, proxy: HttpFaultProxy, key: str, public_url: str | None, cache_control: str
) -> None:
    store = BucketStore(replace(place, public_url=public_url))
    stored = store.put(key, BODY, content_type=PNG, create_only=False)

    headers = headers_of_last_put(proxy)

    assert headers["cache-control"] == cache_control
    assert headers["content-type"] == PNG
    assert headers["x-amz-meta-sha256"] == stored.sha256
    assert headers["x-amz-meta-crc32"] == str(stored.crc32)


def test_a_create_only_put_is_one_request_with_a_condition_and_a_checksum(
    place: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    BucketStore(place).put(key, BODY, content_type=PNG)

    (request,) = proxy.seen
    assert request.headers["if-none-match"] == "*"
    assert "x-amz-checksum-crc64nvme" in request.headers
    assert request.body == BODY


def test_many_objects_are_deleted_by_one_request(place: BucketConfig, proxy: HttpFaultProxy) -> None:
    BucketStore(place).delete(*(f"poses/none/{number}.png" for number in range(500)))

    assert [request.method for request in proxy.seen] == ["POST"]


# --- objects that are too large for one request --------------------------------------------------------------------


@pytest.mark.parametrize("as_stream", [False, True], ids=["bytes", "stream"])
def test_a_large_object_is_put_in_equal_parts(
    place: BucketConfig, proxy: HttpFaultProxy, key: str, parts_from_the_start: None, as_stream: bool
) -> None:
    store = BucketStore(place)

    stored = store.put(key, io.BytesIO(MANY_PIECES) if as_stream else MANY_PIECES, content_type=PNG)

    assert proxy.seen[0].method == "HEAD"
    sizes = sorted(len(request.body) for request in proxy.seen if kind_of(request) == "part")
    assert sizes == [len(b"and a bit"), PIECE_BYTES, PIECE_BYTES]
    assert store.head(key) == stored
    assert store.get(key, sha256=stored.sha256) == MANY_PIECES
    assert list(store.list_unfinished()) == []


def test_a_large_object_that_is_there_is_not_sent_again(
    place: BucketConfig, proxy: HttpFaultProxy, key: str, parts_from_the_start: None
) -> None:
    store = BucketStore(place)
    store.put(key, MANY_PIECES, content_type=PNG)
    before = len(proxy.seen)

    assert store.put(key, MANY_PIECES, content_type=PNG).skipped
    assert [request.method for request in proxy.seen[before:]] == ["HEAD"]
    with pytest.raises(ObjectExists):
        store.put(key, MANY_PIECES[::-1], content_type=PNG)


def test_what_a_killed_writer_left_is_listed_and_taken_away(bucket: BucketConfig, key: str) -> None:
    client = BucketAdministration(bucket, lambda: CREDENTIALS)._client
    client.create_multipart_upload(Bucket=bucket.bucket, Key=key)
    store = BucketStore(bucket)

    (left,) = [each for each in store.list_unfinished() if each.key == key]
    assert left.started.tzinfo is not None
    store.delete_unfinished(left)
    store.delete_unfinished(left)

    assert [each for each in store.list_unfinished() if each.key == key] == []
    store.delete_unfinished(Unfinished("0" * 32, key, None, left.started))


def test_an_object_without_our_notes_is_read_to_know_it(bucket: BucketConfig, key: str) -> None:
    upload(BucketStore(bucket).signed_put_url(key, content_type=PNG, size=len(BODY)).url, bucket)
    store = BucketStore(bucket)

    assert store.put(key, BODY, content_type=PNG).skipped
    with pytest.raises(ObjectExists):
        store.put(key, BODY[::-1], content_type=PNG)


# --- who signs -----------------------------------------------------------------------------------------------------


def test_the_environment_of_other_programs_changes_nothing(
    place: BucketConfig, proxy: HttpFaultProxy, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_SESSION_TOKEN": "somebody-elses",
        "AWS_ACCESS_KEY_ID": "somebody-elses",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_S3_EXPRESS": "true",
        "AWS_REGION": "mars-1",
    }.items():
        monkeypatch.setenv(name, value)

    BucketStore(place).put(key, BODY, content_type=PNG)

    headers = headers_of_last_put(proxy)
    assert "x-amz-security-token" not in headers
    assert f"Credential={CREDENTIALS.access_key_id}/" in headers["authorization"]
    assert "/us-east-1/s3/" in headers["authorization"]


def test_a_session_token_is_sent_along(place: BucketConfig, proxy: HttpFaultProxy, key: str) -> None:
    temporary = replace(CREDENTIALS, session_token="the-token")

    with pytest.raises(StoreDenied):  # the server knows no such session
        BucketStore(replace(place, credentials=temporary)).put(key, BODY, content_type=PNG)

    assert headers_of_last_put(proxy)["x-amz-security-token"] == "the-token"


@pytest.fixture
def as_a_new_process() -> Iterator[None]:
    """What has looked for credentials before knows nothing of it."""
    requests_to.cache_clear()
    yield
    requests_to.cache_clear()


def test_without_a_key_awss_own_chain_is_asked(
    bucket: BucketConfig, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_a_new_process: None
) -> None:
    profile = tmp_path / "credentials"
    profile.write_text(
        f"[shop]\naws_access_key_id = {CREDENTIALS.access_key_id}\n"
        f"aws_secret_access_key = {CREDENTIALS.secret_access_key}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
    monkeypatch.setenv("AWS_PROFILE", "shop")
    store = BucketStore(replace(bucket, credentials=None))

    store.put(key, BODY, content_type=PNG)

    assert store.get(key) == BODY
    assert CREDENTIALS.access_key_id in store.signed_put_url(key, content_type=PNG, size=1).url


def test_a_chain_that_finds_nothing_says_what_to_set(
    bucket: BucketConfig, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_a_new_process: None
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(StoreDenied, match="S3_ACCESS_KEY_ID"):
        BucketStore(replace(bucket, credentials=None)).get(key)


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (Credentials("AKIANOBODY", "secret"), "the access key is unknown there"),
        (Credentials(CREDENTIALS.access_key_id, "wrong"), "the secret access key is not the one"),
    ],
)
def test_a_refusal_names_store_key_and_fix(
    bucket: BucketConfig, key: str, credentials: Credentials, words: str
) -> None:
    with pytest.raises(StoreDenied, match=words) as raised:
        BucketStore(replace(bucket, credentials=credentials)).put(key, BODY, content_type=PNG)

    assert (raised.value.store, raised.value.key) == ("s3", key)


def test_a_bucket_that_is_not_there_is_no_empty_bucket(s3_server: S3Server, key: str) -> None:
    store = BucketStore(s3_server.place("never-made"))

    with pytest.raises(StoreDenied, match="posegen storage init"):
        store.get(key)
    with pytest.raises(StoreDenied, match="posegen storage init"):
        store.put(key, BODY, content_type=PNG)


# --- what is loaded ------------------------------------------------------------------------------------------------


def test_putting_and_getting_loads_no_boto3(bucket: BucketConfig) -> None:
    code = f"""
import sys
from posegen.storage.configuration import BucketConfig, Credentials
from posegen.storage.s3 import BucketStore
store = BucketStore(BucketConfig("s3", {bucket.endpoint!r}, {bucket.bucket!r}, "us-east-1",
                                Credentials({CREDENTIALS.access_key_id!r}, {CREDENTIALS.secret_access_key!r})))
store.put("poses/loaded.png", b"x", content_type="image/png", create_only=False)
store.get("poses/loaded.png"), store.head("poses/loaded.png"), list(store.list()), store.delete("poses/loaded.png")
store.signed_get_url("poses/loaded.png")
print([name for name in sys.modules if name.startswith(("boto", "s3transfer"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=True)

    assert done.stdout.strip() == "[]"


def test_a_local_store_loads_no_s3() -> None:
    code = "import sys, posegen.storage.stores; print([n for n in sys.modules if n.startswith(('boto', 'obstore'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=True)

    assert done.stdout.strip() == "[]"
