"""Signed URLs, used over HTTP by somebody who has nothing else: the object route before the local store, S3's own."""

from __future__ import annotations

import http.client
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from posegen.errors import InvalidKey
from posegen.storage.configuration import BucketConfig
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore, SignedPut
from posegen.storage.s3 import BucketStore
from posegen.web.objects import object_routes
from tests.stores import PNG, SIGNING_SECRET, STORES, empty
from tests.web_server import served

UPLOAD = "uploads/0190c0de.png"
PRIVATE_KEY = "manifests/poses/g1.json"
BODY = b"an avatar" * 1000


@dataclass(frozen=True)
class Reached:
    """A store that somebody reaches over HTTP. `origin`: what stands before a relative URL."""

    store: ObjectStore
    origin: str

    def ask(self, method: str, url: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status and body of the answer to one request without any credentials."""
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self.origin, url))
        connection = http.client.HTTPConnection(parts.netloc, timeout=180)
        try:
            connection.request(
                method,
                f"{parts.path}?{parts.query}" if parts.query else parts.path,
                body or None,
                {name.replace("_", "-"): value for name, value in headers.items()},
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def upload(self, signed: SignedPut, body: bytes = BODY, **other: str) -> int:
        """What the client of a signed upload does, with other headers where a test says so."""
        headers = {**signed.headers, **{name.replace("_", "-"): value for name, value in other.items()}}
        return self.ask("PUT", signed.url, body, **{name: value for name, value in headers.items() if value})[0]


@pytest.fixture(params=STORES)
def reached(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reached]:
    if request.param == "local":
        store = LocalStore(tmp_path / "store", base_url="/media", signing_secret=lambda: SIGNING_SECRET)
        with served(Starlette(routes=[Mount("/media", routes=object_routes(store))])) as port:
            yield Reached(store, f"http://127.0.0.1:{port}")
        return
    place: BucketConfig = replace(request.getfixturevalue("contract_bucket"), public_url=None)
    bucket = BucketStore(place)
    empty(bucket)
    yield Reached(bucket, place.endpoint)


def test_whoever_has_the_url_reads_what_is_not_public(reached: Reached) -> None:
    reached.store.put(PRIVATE_KEY, b"{}", content_type="application/json")

    assert reached.ask("GET", reached.store.signed_get_url(PRIVATE_KEY)) == (200, b"{}")


def test_without_a_signature_nobody_does(reached: Reached) -> None:
    reached.store.put(PRIVATE_KEY, b"{}", content_type="application/json")
    url = reached.store.signed_get_url(PRIVATE_KEY).partition("?")[0]

    assert reached.ask("GET", url)[0] in {403, 404}


def spoil_signature(url: str) -> str:
    return url[:-1] + ("0" if url[-1] != "0" else "1")


def for_another_key(url: str) -> str:
    return url.replace("g1.json", "g2.json")


def live_longer(url: str) -> str:
    name = "X-Amz-Expires" if "X-Amz-Expires" in url else "expires"
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query))
    query[name] = str(int(query[name]) + 1000)
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))


@pytest.mark.parametrize("tamper", [spoil_signature, for_another_key, live_longer])
def test_a_signature_holds_for_what_was_signed_only(reached: Reached, tamper: Callable[[str], str]) -> None:
    for key in (PRIVATE_KEY, "manifests/poses/g2.json"):
        reached.store.put(key, b"{}", content_type="application/json")

    assert reached.ask("GET", tamper(reached.store.signed_get_url(PRIVATE_KEY)))[0] == 403


def test_a_signature_to_read_does_not_write(reached: Reached) -> None:
    status = reached.upload(SignedPut(reached.store.signed_get_url(UPLOAD), {"Content-Type": PNG}))

    assert status in {403, 405}
    assert not reached.store.exists(UPLOAD)


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
def test_a_signature_lives_a_second_to_a_week(reached: Reached, seconds: int) -> None:
    with pytest.raises(ValueError, match="seconds"):
        reached.store.signed_get_url(PRIVATE_KEY, seconds=seconds)
    with pytest.raises(ValueError, match="seconds"):
        reached.store.signed_put_url(UPLOAD, content_type=PNG, size=1, seconds=seconds)


@pytest.mark.parametrize("key", ["../escape.png", "poses//x.png", ""])
def test_nothing_is_signed_for_what_is_no_key(reached: Reached, key: str) -> None:
    with pytest.raises(InvalidKey):
        reached.store.signed_get_url(key)
    with pytest.raises(InvalidKey):
        reached.store.signed_put_url(key, content_type=PNG, size=1)


# --- uploads -------------------------------------------------------------------------------------------------------


def test_a_client_uploads_what_was_signed(reached: Reached) -> None:
    signed = reached.store.signed_put_url(UPLOAD, content_type=PNG, size=len(BODY))

    assert reached.upload(signed) == 200

    assert reached.store.get(UPLOAD) == BODY
    assert reached.store.head(UPLOAD).size == len(BODY)


def test_an_upload_creates_and_never_replaces(reached: Reached) -> None:
    signed = reached.store.signed_put_url(UPLOAD, content_type=PNG, size=len(BODY))
    reached.upload(signed)

    assert reached.upload(signed, BODY[::-1]) == 412
    assert reached.upload(signed) == 412

    assert reached.store.get(UPLOAD) == BODY


@pytest.mark.parametrize(
    "other",
    [{"Content_Type": "text/html"}, {"If_None_Match": ""}, {"Content_Type": ""}],
    ids=["another type", "may replace", "no type"],
)
def test_an_upload_with_other_headers_is_refused(reached: Reached, other: dict[str, str]) -> None:
    signed = reached.store.signed_put_url(UPLOAD, content_type=PNG, size=len(BODY))

    assert reached.upload(signed, **other) == 403
    assert not reached.store.exists(UPLOAD)


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x"], ids=["shorter", "longer"])
def test_an_upload_of_another_length_is_refused(reached: Reached, body: bytes) -> None:
    signed = reached.store.signed_put_url(UPLOAD, content_type=PNG, size=len(BODY))

    assert reached.upload(signed, body, Content_Length=str(len(body))) == 403
    assert not reached.store.exists(UPLOAD)


def test_an_upload_cannot_be_signed_for_a_type_that_the_key_denies(reached: Reached) -> None:
    with pytest.raises(InvalidKey, match="image/png"):
        reached.store.signed_put_url(UPLOAD, content_type="text/html", size=10)
